//! What is refused when a key is issued with a session, or revoked with one: nothing is written then.

use serde_json::{Value, json};

use super::{CLIENT, DID, Desk, OWNER, over_host};
use crate::command_line::terminal::over_new_databases;
use crate::support::schemas::aggregator::WITH_ENCRYPTED_TOKENS;
#[cfg(feature = "postgres")]
use crate::support::schemas::aggregator::{BESIDE_THE_TABLE, WITH_PLAINTEXT_TOKENS};

const ISSUE: [&str; 5] = ["issue", OWNER[0], OWNER[1], "--session", "-"];

/// Over the columns of bytes, which are taken where no layout is named.
fn over_columns_of_bytes(script: impl Fn(&mut Desk)) {
    over_new_databases("aggregator", |terminal| {
        let mut desk = over_host(terminal, WITH_ENCRYPTED_TOKENS, "");
        assert_eq!(desk.run(&["migrate", "--layout", "in-bytes"]).status, 0);
        script(&mut desk);
        // Neither key nor credential.
        let info = desk.typed(&["info", OWNER[0], OWNER[1], "--json"], "").json();
        assert_eq!(info["has_key"], false);
        let show = ["show", OWNER[0], OWNER[1], "--layout", "in-bytes", "--client-id", CLIENT];
        desk.run(&show).has_failed(4, "the owner has no credential");
    });
}

#[test]
fn the_first_field_that_is_missing_is_named() {
    over_columns_of_bytes(|desk| {
        let session = desk.session(DID, CLIENT);
        let without = |names: &[&str]| {
            let mut session = session.clone();
            for name in names {
                session.as_object_mut().unwrap().remove(*name);
            }
            session.to_string()
        };
        let required = [
            "access_token",
            "refresh_token",
            "host_url",
            "authserver_url",
            "authserver_token_endpoint",
            "dpop_privatekey_multibase",
        ];
        for (number, name) in required.into_iter().enumerate() {
            desk.typed(&ISSUE, &without(&required[number..])).has_failed(1, &format!("the session has no {name}"));
        }
        // One that does not say by itself until when it is good.
        let mut opaque: Value = serde_json::from_str(&without(&["expires_in"])).unwrap();
        opaque["access_token"] = json!("opaque");
        desk.typed(&ISSUE, &opaque.to_string()).has_failed(1, "the session has no expires_at");
        desk.typed(&ISSUE, &without(&["oauth_client"])).has_failed(2, "--client-id is required");
        let named = [&ISSUE[..], &["--client-id", "another"]].concat();
        desk.typed(&named, &session.to_string()).has_failed(1, "another client than --client-id");
    });
}

#[test]
fn the_session_of_another_account_is_refused() {
    over_columns_of_bytes(|desk| {
        let session = desk.session("did:plc:another", CLIENT).to_string();
        desk.typed(&ISSUE, &session).has_failed(1, "another account");
        let nobody = ["issue", "--owner", "did:plc:another", "--session", "-"];
        desk.typed(&nobody, &session).has_failed(4, "no such owner");
    });
}

#[test]
fn without_keys_that_seal_nothing_is_read_or_written() {
    over_columns_of_bytes(|desk| {
        desk.seal_keys.clear();
        let said = "the keys that seal secrets are required, in KEYWARD_SEAL_KEYS or by --seal-keys";
        desk.typed(&ISSUE, "no session").has_failed(2, said);
        desk.typed(&[&ISSUE[..], &["--json"]].concat(), "no session").has_failed(2, said);
    });
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    over_columns_of_bytes(|desk| {
        let session = desk.session(DID, CLIENT).to_string();
        let open = desk.file("open.json", &session, 0o644);
        let odd = desk.file("odd.json", "{\"access_token\":\"hunter2", 0o600);
        let issue = |path: &std::path::Path| {
            ["issue", OWNER[0], OWNER[1], "--session", path.to_str().unwrap()].map(str::to_owned)
        };
        for (path, status, said) in [
            (desk.folder.path().join("nothing.json"), 2, "--session: "),
            (desk.folder.path().to_owned(), 2, "--session: "),
            (odd, 1, "JSON"),
        ] {
            let output = desk.typed(&issue(&path).each_ref().map(String::as_str), "");
            output.has_failed(status, said);
            assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
        }
        if cfg!(unix) {
            let output = desk.typed(&issue(&open).each_ref().map(String::as_str), "");
            output.has_failed(2, "`chmod 600` closes it");
        }
        desk.typed(&ISSUE, "").has_failed(1, "JSON");
    });
}

#[test]
fn what_is_to_become_of_the_credential_has_to_be_said() {
    over_columns_of_bytes(|desk| {
        let revoke = ["revoke", OWNER[0], OWNER[1]];
        let with = |more: &[&'static str]| [&revoke[..], more].concat();
        let said = "one of --wipe-credential, --revoke-credential is required";
        desk.typed(&with(&["--layout", "in-bytes"]), "").has_failed(2, said);
        desk.typed(&with(&["--wipe-credential", "--revoke-credential"]), "").has_failed(2, "cannot be used with");
        desk.typed(&with(&["--revoke-credential"]), "").has_failed(2, "--client-id is required");
        desk.typed(&with(&["--wipe-credential"]), "").has_failed(4, "the owner has no key");
        for schema in ["standard", "scraper", "mesh"] {
            let typed = ["revoke", "x", "--wipe-credential", "--schema", schema];
            desk.typed(&typed, "").has_failed(2, "--wipe-credential");
        }
    });
}

/// Sealed tokens in the columns of a service that wants them encrypted by the database would end its sessions.
#[cfg(feature = "postgres")]
#[test]
fn where_the_database_encrypts_the_layout_has_to_be_named() {
    over_new_databases("aggregator", |terminal| {
        if !terminal.is_postgres() {
            return;
        }
        let mut desk = over_host(terminal, WITH_ENCRYPTED_TOKENS, BESIDE_THE_TABLE);
        assert_eq!(desk.run(&["migrate", "--layout", "beside-upstream"]).status, 0);
        let session = desk.session(DID, CLIENT).to_string();
        desk.typed(&ISSUE, &session).has_failed(2, "--layout is required");
    });
}

#[cfg(feature = "postgres")]
#[test]
fn columns_that_are_not_there_are_named_by_the_check_that_is_named() {
    over_new_databases("aggregator", |terminal| {
        let mut desk = over_host(terminal, WITH_PLAINTEXT_TOKENS, "");
        let session = desk.session(DID, CLIENT).to_string();
        let said = "`keyward credential check --layout in-bytes` names what is missing";
        desk.typed(&ISSUE, &session).has_failed(3, said);
        let check = desk.run(&["check", "--layout", "in-bytes"]);
        assert_eq!(check.status, 1);
        assert!(check.stdout.contains("breaking: aggregators.oauth_access_token_encrypted"), "{}", check.stdout);
    });
}
