//! What keys start with: the prefix, the environment, and rows that have others.

use std::ffi::OsStr;

use serde_json::json;

use super::{ACME, acme, over_standard};

#[test]
fn a_key_starts_with_the_prefix_and_the_environment_and_is_accepted_there_alone() {
    over_standard(|terminal| {
        let live = terminal.issue(&ACME);
        assert!(live.secret.starts_with("acme_live_"), "the environment is live unless set");
        assert_eq!((live.secret.len(), &live.document["environment"]), (49, &json!("live")));
        let test = terminal.issue(&acme(&["--environment", "test"]));
        assert!(test.secret.starts_with("acme_test_"));

        terminal.verify(&live.secret, &[]).is_accepted();
        terminal.verify(&test.secret, &["--environment", "test"]).is_accepted();
        terminal.verify(&test.secret, &[]).is_refused("other_environment");
        terminal.verify(&live.secret, &["--environment", "test"]).is_refused("other_environment");
        terminal.run(&["verify"], &test.secret).is(1, "", "refused: the key belongs to another environment\n");
        let variables = [("KEYWARD_ENVIRONMENT", OsStr::new("test"))];
        assert_eq!(terminal.run_with(variables, &["verify"], &test.secret).status, 0);
        assert_eq!(terminal.run_with(variables, &["verify", "--environment", "live"], &live.secret).status, 0);
    });
}

#[test]
fn a_prefix_is_required_where_keys_are_made_or_verified() {
    over_standard(|terminal| {
        let key = terminal.issue(&ACME);
        terminal.prefix = None;
        for command in [&[&["issue"], &ACME[..]].concat()[..], &["verify"], &["rotate", &key.id]] {
            terminal.run(command, "").has_failed(2, "--prefix is required");
        }
        for command in [&["get", &key.id][..], &["list"], &["check"], &["migrate"], &["history", &key.id]] {
            assert_eq!(terminal.run(command, "").status, 0, "{command:?}");
        }
        assert_eq!(terminal.document(&["revoke", &key.id])["already_revoked"], false);
    });
}

#[test]
fn prefixes_and_environments_that_make_no_keys_are_wrong() {
    over_standard(|terminal| {
        for prefix in ["", "acme_", "a rather long one", "-acme", "acmé"] {
            let prefix = format!("--prefix={prefix}");
            terminal.run(&[&["issue", &prefix], &ACME[..]].concat(), "").has_failed(2, "--prefix must be of");
        }
        for environment in ["", "Live", "production", "a_b"] {
            let environment = format!("--environment={environment}");
            terminal.run(&["list", &environment], "").has_failed(2, "--environment");
        }
        assert_eq!(terminal.document(&["list", "--count"])["count"], 0);
    });
}

#[test]
fn a_row_with_another_prefix_is_shown_as_such_and_not_rotated() {
    over_standard(|terminal| {
        let key = terminal.issue(&acme(&["--prefix", "old"]));
        let shown = terminal.document(&["get", &key.id]);
        assert_eq!(shown["expected_prefix"], "acme_live_");
        let list = terminal.run(&["list"], "");
        assert!(list.stderr.starts_with("1 key has another prefix than --prefix; "), "{}", list.stderr);
        terminal.issue(&acme(&["--prefix", "old"]));
        let list = terminal.run(&["list"], "");
        assert!(list.stderr.starts_with("2 keys have another prefix than --prefix; "), "{}", list.stderr);
        assert_eq!(list.stderr.lines().count(), 1, "{}", list.stderr);
        let said = "which its service may refuse";
        terminal.run(&["rotate", &key.id], "").has_failed(1, said);
        terminal.run(&["--json", "rotate", &key.id], "").has_failed(1, said);
        assert_eq!(terminal.document(&["get", &key.id]), shown);
        terminal.verify(&key.secret, &["--prefix", "old"]).is_accepted();

        // A service that accepts both has its keys rotated from one into the other.
        terminal.verify(&key.secret, &["--accept-prefix", "old"]).is_accepted();
        let successor = terminal.rotate(&key.id, &["--accept-prefix", "old"]);
        assert!(successor.secret.starts_with("acme_live_"));
        assert_eq!(terminal.document(&["get", &successor.id]).get("expected_prefix"), None);
    });
}

#[test]
fn a_key_of_another_environment_is_not_rotated_into_one_of_this() {
    over_standard(|terminal| {
        let key = terminal.issue(&acme(&["--environment", "test"]));
        let said = "the key belongs to the environment test: rotate it with --environment test";
        terminal.run(&["rotate", &key.id], "").is(1, "", &format!("keyward: {said}\n"));
        let successor = terminal.rotate(&key.id, &["--environment", "test"]);
        assert!(successor.secret.starts_with("acme_test_"));
        assert_eq!(successor.document["environment"], "test");
    });
}

#[test]
fn a_key_lives_from_its_issue_to_its_revocation() {
    over_standard(|terminal| {
        let metadata = r#"{ "plan": "pro",  "big": 12345678901234567890123 }"#;
        let key = terminal.issue(&acme(&[
            "--description",
            "Copies jobs.",
            "--scope",
            "jobs:read",
            "--scope",
            "jobs:write",
            "--rpm",
            "7",
            "--metadata",
            metadata,
            "--expires",
            "2099-06-30T12:00:00Z",
            "--by",
            "ada",
        ]));
        let expected = json!({
            "id": key.id, "owner": "acme", "prefix": key.secret[..14], "state": "active", "environment": "live",
            "name": "nightly import", "description": "Copies jobs.", "scopes": ["jobs:read", "jobs:write"],
            "requests_per_minute": 7, "metadata": metadata, "created_at": key.document["created_at"],
            "created_by": "ada", "last_used_at": null, "expires_at": "2099-06-30T12:00:00Z", "version": 1,
        });
        assert_eq!(terminal.document(&["get", &key.id]), expected);
        assert_eq!(terminal.document(&["show", &key.id]), expected, "get was called show");

        terminal.verify(&key.secret, &["--scope", "jobs:read"]).is_accepted();
        terminal.verify(&key.secret, &["--scope", "admin"]).is_refused("insufficient_scope");
        assert!(terminal.document(&["get", &key.id])["last_used_at"].is_string());

        let successor = terminal.rotate(&key.id, &["--grace", "1h"]);
        for inherited in ["owner", "name", "description", "scopes", "requests_per_minute", "metadata", "expires_at"] {
            assert_eq!(successor.document[inherited], expected[inherited], "{inherited}");
        }
        let said = format!("keyward: the key was rotated already: its successor is {}\n", successor.id);
        terminal.run(&["rotate", &key.id], "").is(1, "", &said);
        terminal.verify(&key.secret, &[]).is_accepted();

        terminal.run(&["revoke", &key.id, "--reason", "leaked"], "").is(0, &format!("revoked {}\n", key.id), "");
        terminal.verify(&key.secret, &[]).is_refused("revoked");
        terminal.verify(&successor.secret, &[]).is_accepted();
        assert_eq!(terminal.document(&["revoke-all", "--owner", "acme"])["revoked"], 1);
        terminal.verify(&successor.secret, &[]).is_refused("revoked");
    });
}
