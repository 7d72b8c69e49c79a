//! A key and the OAuth session that it stands on: issued, replaced and revoked together.

use serde_json::{Value, json};

use super::{CLIENT, DID, Desk, OWNER, over_every_layout};

impl Desk {
    /// The key that `issue` prints, on a new session if there is one.
    fn issued(&mut self, options: &[&str], session: &str) -> String {
        let output = self.typed(&[&["issue", OWNER[0], OWNER[1]], options].concat(), session);
        assert_eq!((output.status, output.stdout.len()), (0, 71), "{}", output.stderr);
        assert_eq!(output.stderr.contains("from now on the session is refreshed here alone"), !session.is_empty());
        output.stdout.trim().to_owned()
    }

    /// The access token that the owner of the key has.
    fn token(&mut self, layout: &str) -> String {
        let output = self.run(&["token", OWNER[0], OWNER[1], "--layout", layout, "--client-id", CLIENT]);
        assert_eq!(output.status, 0, "{}", output.stderr);
        output.stdout.trim().to_owned()
    }

    fn has_no_credential(&mut self, layout: &str) {
        let show = ["show", OWNER[0], OWNER[1], "--layout", layout, "--client-id", CLIENT];
        self.run(&show).has_failed(4, "the owner has no credential");
    }

    fn verify(&mut self, key: &str) -> Value {
        self.terminal.verify(key, &[]).document["reason"].clone()
    }
}

#[test]
fn a_key_is_issued_with_its_session_which_is_shown_used_and_refreshed() {
    over_every_layout(|_, desk, layout| {
        let session = desk.session(DID, CLIENT).to_string();
        let key = desk.issued(&["--session", "-", "--layout", layout], &session);
        assert_eq!(desk.verify(&key), Value::Null);
        assert_eq!(desk.token(layout), desk.live());
        let at = ["--layout", layout, "--client-id", CLIENT];
        assert_eq!(desk.run(&[&["refresh", OWNER[0], OWNER[1]][..], &at].concat()).status, 0);
        assert_eq!(desk.token(layout), desk.live());
        assert_eq!((desk.double.seen().refreshes, desk.double.seen().replays), (1, 0));
        let shown = desk.document(&[&["show", OWNER[0], OWNER[1]][..], &at].concat());
        assert_eq!((&shown["state"], &shown["client_id"]), (&json!("active"), &json!(CLIENT)));
        assert_eq!(desk.document(&[&["list"][..], &at].concat())["credentials"][0]["owner"], DID);

        // Another session, of a file.
        let session = desk.session(DID, CLIENT).to_string();
        let file = desk.file("session.json", &session, 0o600);
        let typed = ["issue", OWNER[0], OWNER[1], "--session", file.to_str().unwrap(), "--layout", layout, "--json"];
        let output = desk.typed(&typed, "");
        assert_eq!((output.status, &output.json()["owner"]), (0, &json!(DID)), "{}", output.stderr);
        assert_eq!((desk.verify(&key), desk.token(layout)), (json!("unknown"), desk.live()));
    });
}

#[test]
fn a_session_that_stands_there_already_is_refused_and_the_key_before_lives_on() {
    over_every_layout(|_, desk, layout| {
        let session = desk.session(DID, CLIENT).to_string();
        let key = desk.issued(&["--session", "-", "--layout", layout], &session);
        desk.terminal = desk.terminal.apart();
        let again = ["issue", OWNER[0], OWNER[1], "--session", "-", "--layout", layout];
        desk.typed(&again, &session).has_failed(1, "this session is stored already");
        assert_eq!((desk.verify(&key), desk.token(layout)), (Value::Null, desk.live()));
    });
}

#[test]
fn a_new_key_after_a_revocation_takes_a_new_session_unless_told_otherwise() {
    over_every_layout(|_, desk, layout| {
        let (issue, at) = (["issue", OWNER[0], OWNER[1]], ["--layout", layout]);
        desk.typed(&[&issue[..], &at].concat(), "").has_failed(1, "has to sign in before another key is issued");
        let session = desk.session(DID, CLIENT).to_string();
        let first = desk.issued(&["--session", "-", "--layout", layout], &session);
        let second = desk.issued(&at, "");
        assert_eq!((desk.verify(&first), desk.verify(&second)), (json!("unknown"), Value::Null));
        assert_eq!(desk.token(layout), desk.live(), "the session is the same");

        assert_eq!(desk.typed(&["revoke", OWNER[0], OWNER[1]], "").status, 0);
        desk.typed(&[&issue[..], &at].concat(), "").has_failed(1, "has to sign in before another key is issued");
        desk.typed(&issue, "").has_failed(1, "the key before was revoked, and whoever had it may have had");
        assert_eq!(desk.verify(&second), "revoked");
        let third = desk.issued(&["--layout", layout, "--after-revocation"], "");
        assert_eq!((desk.verify(&third), desk.token(layout)), (Value::Null, desk.live()));
    });
}

#[test]
fn a_key_is_revoked_and_its_credential_wiped_in_one_step() {
    over_every_layout(|_, desk, layout| {
        let session = desk.session(DID, CLIENT).to_string();
        let key = desk.issued(&["--session", "-", "--layout", layout], &session);
        let wiping = ["revoke", OWNER[0], OWNER[1], "--reason", "leaked", "--wipe-credential", "--layout", layout];
        let wiped = desk.typed(&wiping, "");
        wiped.is(0, &format!("revoked {DID}\nwiped its credential\n"), "");
        assert_eq!(desk.verify(&key), "revoked");
        desk.has_no_credential(layout);
        assert!(desk.double.current(DID).is_some(), "the session goes on at its server");
        let again = desk.typed(&[&wiping[..], &["--json"]].concat(), "").json();
        assert_eq!((&again["already_revoked"], &again["credential_wiped"]), (&json!(true), &json!(false)));
        let reissue = ["issue", OWNER[0], OWNER[1], "--layout", layout, "--after-revocation"];
        desk.typed(&reissue, "").has_failed(1, "has to sign in");
    });
}

#[test]
fn a_key_is_revoked_and_its_session_ended_at_its_server() {
    over_every_layout(|_, desk, layout| {
        let session = desk.session(DID, CLIENT).to_string();
        let key = desk.issued(&["--session", "-", "--layout", layout], &session);
        let ending = ["revoke", DID, "--revoke-credential", "--layout", layout, "--client-id", CLIENT, "--json"];
        if layout != "beside-upstream" {
            let keys = std::mem::take(&mut desk.seal_keys);
            desk.typed(&ending, "").has_failed(2, "the keys that seal secrets are required");
            desk.seal_keys = keys;
        }
        assert_eq!(desk.verify(&key), Value::Null);
        let output = desk.typed(&ending, "");
        let document = output.json();
        assert_eq!((output.status, &document["credential_wiped"]), (0, &json!(true)), "{}", output.stderr);
        assert_eq!((&document["credential_revoked"], &document["already_revoked"]), (&json!(true), &json!(false)));
        assert_eq!((desk.double.current(DID), desk.double.seen().revocations), (None, 1));
        assert_eq!(desk.verify(&key), "revoked");
        desk.has_no_credential(layout);
    });
}

/// The key is dead and the credential gone all the same; that is not all that was asked for.
#[test]
fn a_server_that_cannot_be_told_keeps_no_key_alive() {
    over_every_layout(|_, desk, layout| {
        let mut session = desk.session(DID, CLIENT);
        // Nobody listens at port 9.
        session["authserver_revocation_endpoint"] = json!("http://127.0.0.1:9/oauth/revoke");
        let key = desk.issued(&["--session", "-", "--layout", layout], &session.to_string());
        let ending = ["revoke", DID, "--revoke-credential", "--layout", layout, "--client-id", CLIENT];
        let output = desk.typed(&ending, "");
        assert_eq!((output.status, output.stdout), (1, format!("revoked {DID}\nwiped its credential\n")));
        assert!(output.stderr.contains("its server could not be told"), "{}", output.stderr);
        assert_eq!(desk.verify(&key), "revoked");
        desk.has_no_credential(layout);
    });
}
