//! Credentials that come, move and go, and what they are sealed and refreshed with.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{CLIENT, DID, KEY, OWNER, over_both_engines};
use crate::credentials::double::Client;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_session_moves_and_is_replaced_only_when_that_is_said() {
    over_both_engines(|desk| {
        desk.import();
        desk.run(&["export", OWNER[0], OWNER[1]]).has_failed(2, "--show-secrets is required");
        let output = desk.run(&["export", OWNER[0], OWNER[1], "--show-secrets"]);
        assert!(output.stderr.contains("keyward credential wipe"), "{}", output.stderr);
        let exported: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((&exported["account_did"], &exported["oauth_client"]), (&json!(DID), &json!(CLIENT)));
        assert_eq!(exported["dpop_privatekey_multibase"], KEY);

        // Another terminal, as what is presented here must not be printed again.
        desk.terminal = desk.terminal.apart();
        let import = ["import", OWNER[0], OWNER[1]];
        desk.run_on(&import, &output.stdout).has_failed(1, "--replace puts this one in its place");
        let replace = [&import[..], &["--replace"]].concat();
        desk.run_on(&replace, &output.stdout).has_failed(1, "this session is stored already");
        assert_eq!(desk.run(&["wipe", OWNER[0], OWNER[1]]).status, 0);
        assert_eq!(desk.run_on(&import, &output.stdout).status, 0);
        assert_eq!(desk.run(&["refresh", OWNER[0], OWNER[1]]).status, 0, "it is the same session");
        assert_eq!(desk.run_on(&replace, &output.stdout).status, 0, "another pair stands there by now");
        desk.run_on(&["import", "--owner", "did:plc:other"], &output.stdout).has_failed(1, "another account");
        let mut anonymous = exported;
        anonymous.as_object_mut().unwrap().remove("oauth_client");
        desk.run_on(&replace, &anonymous.to_string()).has_failed(2, "--client-id is required");
        let other = [&replace[..], &["--client-id", "other"]].concat();
        desk.run_on(&other, &output.stdout).has_failed(1, "another client than --client-id");
        anonymous.as_object_mut().unwrap().remove("refresh_token");
        let named = [&replace[..], &["--client-id", CLIENT]].concat();
        desk.run_on(&named, &anonymous.to_string()).has_failed(1, "the session has no refresh_token");

        assert_eq!(desk.run(&["wipe", OWNER[0], OWNER[1]]).stdout, format!("wiped the credential of {DID}\n"));
        for command in ["show", "token", "refresh", "retry", "wipe", "revoke"] {
            desk.run(&[command, OWNER[0], OWNER[1]]).has_failed(4, "the owner has no credential");
        }
        assert!(desk.double.current(DID).is_some(), "the session goes on at its server");
    });
}

#[test]
fn revoking_ends_the_session_at_its_server_too() {
    over_both_engines(|desk| {
        desk.import();
        let document = desk.document(&["revoke", OWNER[0], OWNER[1]]);
        assert_eq!(document, json!({ "owner": DID, "wiped": true, "revoked": true }));
        assert_eq!((desk.double.current(DID), desk.double.seen().revocations), (None, 1));
    });
}

#[test]
fn everything_is_sealed_with_a_new_key_and_the_old_one_can_go() {
    over_both_engines(|desk| {
        desk.import();
        let old = desk.seal_keys.clone();
        let new = desk.terminal.run(&["seal-key", "--id", "second"], "").stdout.trim().to_owned();
        desk.seal_keys.clone_from(&new);
        desk.run(&["token", OWNER[0], OWNER[1]]).has_failed(1, "does not open");
        desk.seal_keys = format!("{new},{old}");
        desk.run(&["reseal"]).is(0, "resealed 1, skipped 0\n", "");
        desk.run(&["reseal"]).is(0, "resealed 0, skipped 0\n", "");
        desk.seal_keys.clear();
        let file = desk.file("seal-keys", &new, 0o600);
        let token = ["token", OWNER[0], OWNER[1], "--seal-keys", text(&file)];
        assert_eq!(desk.run(&token).stdout.trim(), desk.live());
        desk.run(&token[..3]).has_failed(2, "KEYWARD_SEAL_KEYS");
        let open = desk.file("open", &new, 0o644);
        desk.run(&["token", OWNER[0], OWNER[1], "--seal-keys", text(&open)]).has_failed(2, "--seal-keys: ");
        assert_eq!(desk.run(&["show", OWNER[0], OWNER[1]]).status, 0, "that needs no key");
    });
}

#[test]
fn a_client_with_a_key_is_named_by_a_file() {
    over_both_engines(|desk| {
        // RFC 7517, appendix A.2.
        let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
        let d = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE";
        let known = Client::Key { kid: "k-1".to_owned(), x: x.to_owned(), y: y.to_owned() };
        desk.double.register("confidential", known);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "d": d, "kid": "k-1" });
        let client = json!({ "client_id": "confidential", "jwk": jwk }).to_string();
        let (file, open) = (desk.file("clients", &client, 0o600), desk.file("open", &client, 0o640));
        let (file, open) = (text(&file), text(&open));
        let session = desk.session(DID, "confidential").to_string();
        let import = ["import", OWNER[0], OWNER[1], "--clients", file];
        assert_eq!(desk.run_on(&import, &session).status, 0);
        assert_eq!(desk.document(&["show", OWNER[0], OWNER[1]])["client_key_id"], "k-1");
        desk.run(&["refresh", OWNER[0], OWNER[1]]).has_failed(2, "--clients names no client");
        desk.run(&["revoke", OWNER[0], OWNER[1]]).has_failed(2, "--clients names no client");
        assert_eq!(desk.double.seen().token_requests, 0, "nothing was sent");
        assert_eq!(desk.run(&["refresh", OWNER[0], OWNER[1], "--clients", file]).status, 0);
        assert_eq!((desk.double.seen().refreshes, desk.double.seen().clients_refused), (1, 0));
        let output = desk.run(&["refresh", OWNER[0], OWNER[1], "--clients", open]);
        if cfg!(unix) {
            output.has_failed(2, "`chmod 600` closes it");
        }
        for (content, said) in [
            ("no JSON", "no JSON object with a client_id"),
            (r#"[{"client_id":"a","private_key_multibase":"z42t","kid":"k"}]"#, "48 characters"),
            (r#"{"client_id":"a","token_endpoint_auth_method":"none","client_secret":"hunter2"}"#, "does not fit"),
            (r#"{"client_id":"a","token_endpoint_auth_method":"tls_client_auth"}"#, "does not know"),
        ] {
            let odd = desk.file("odd", content, 0o600);
            let output = desk.run(&["list", "--clients", text(&odd)]);
            output.has_failed(2, said);
            assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
        }
    });
}

#[test]
fn a_plaintext_that_reaches_nobody_is_not_lost() {
    over_both_engines(|desk| {
        desk.import();
        for (command, said) in [
            (&["token", OWNER[0], OWNER[1]][..], "the token is stored"),
            (&["export", OWNER[0], OWNER[1], "--show-secrets"], "the session stands as it stood"),
        ] {
            for form in [&[][..], &["--json"]] {
                let mut typed = desk.terminal.command(&[&["credential"], command, form].concat());
                typed.env("KEYWARD_SEAL_KEYS", &desk.seal_keys);
                let full = File::options().write(true).open("/dev/full").unwrap();
                let output = typed.stdout(Stdio::from(full)).spawn().unwrap().wait_with_output().unwrap();
                let stderr = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(1), "{stderr}");
                assert!(stderr.starts_with(&format!("keyward: {said}, but could not be written out: ")), "{stderr}");
                assert!(stderr.ends_with("; nothing is lost: ask again\n"), "{stderr}");
            }
        }
        assert_eq!(desk.double.seen().token_requests, 0);
    });
}
