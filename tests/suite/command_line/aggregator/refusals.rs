//! Everything that is refused in the life of an aggregator's key.

use serde_json::json;

use super::{AFTER_REVOCATION, DID, NOBODY, OWNER, fails, info, over_aggregators, over_every_table};

#[test]
fn an_unknown_did_is_not_found_and_nothing_is_written() {
    over_every_table(|terminal| {
        let key = terminal.issue(&OWNER);
        for command in ["issue", "info", "revoke", "list", "revoke-all"] {
            fails(terminal, &[command, "--owner", NOBODY], 4, "no such owner");
        }
        for command in ["get", "revoke", "rotate"] {
            fails(terminal, &[command, NOBODY], 4, "no such key");
        }
        terminal.verify(&key.secret, &[]).is_accepted();
    });
}

#[test]
fn an_aggregator_without_a_key_is_another_answer_than_no_aggregator() {
    over_every_table(|terminal| {
        fails(terminal, &["revoke", "--owner", DID], 4, "the owner has no key");
        for command in ["get", "revoke", "rotate"] {
            fails(terminal, &[command, DID], 4, "no such key");
        }
        assert_eq!(info(terminal)["has_key"], false);
        assert_eq!(terminal.document(&["revoke-all", "--owner", DID])["revoked"], 0);
        fails(terminal, &["revoke", "--owner", NOBODY], 4, "no such owner");
    });
}

#[test]
fn what_an_aggregators_key_cannot_have_is_wrong_usage() {
    over_aggregators(|terminal| {
        let no_expiry = "keys of this schema have neither an expiry nor a grace period";
        fails(terminal, &["issue", "--owner", DID, "--expires", "90d"], 2, no_expiry);
        assert_eq!(info(terminal)["has_key"], false);
        let key = terminal.issue(&OWNER);
        fails(terminal, &["rotate", DID, "--grace", "1h"], 2, no_expiry);
        fails(terminal, &["rotate", DID, "--expires", "90d"], 2, no_expiry);
        let no_did = "not a DID, such as did:plc:ewvi7nxzyoun6zhxrhs64oiz";
        for other in ["news", "did:plc", "DID:plc:abc", "https://example.org"] {
            fails(terminal, &["issue", "--owner", other], 2, no_did);
        }
        for (option, value) in [("--name", "n"), ("--scope", "s"), ("--rpm", "1"), ("--label", "l"), ("--topic", "t")] {
            let said = format!("{option} is not for --schema aggregator");
            fails(terminal, &["issue", "--owner", DID, option, value], 2, &said);
        }
        fails(
            terminal,
            &["issue", "--owner", DID, "--capability", "send"],
            2,
            "--capability is not for --schema aggregator",
        );
        terminal.run(&["verify", "--scope", "s"], &key.secret).has_failed(2, "--scope is not for --schema aggregator");
        terminal.run(&["verify", "--strict"], &key.secret).has_failed(2, "--strict is not for --schema aggregator");
        fails(terminal, &["revoke"], 2, "which key to revoke is required");
        for command in ["issue", "info", "list", "revoke-all"] {
            assert_eq!(terminal.run(&[command], "").status, 2, "{command} without an owner");
        }
        terminal.verify(&key.secret, &[]).is_accepted();
    });
}

#[test]
fn what_has_not_the_form_of_a_key_is_refused_as_malformed() {
    over_aggregators(|terminal| {
        let key = terminal.issue(&OWNER).secret;
        let letters = format!("ckapi_{}", "A".repeat(64));
        for presented in ["", "ckapi_", &key[..69], &format!("{key}0"), &letters, &key.replace("ckapi", "CKAPI"), "x"] {
            terminal.verify(presented, &[]).is_refused("malformed");
        }
        terminal.verify(&format!("ckapi_{}", "0".repeat(64)), &[]).is_refused("unknown");
        terminal.verify(&key, &[]).is_accepted();
    });
}

#[test]
fn a_revocation_names_its_key_by_its_start_too_and_keeps_its_reason() {
    over_aggregators(|terminal| {
        let key = terminal.issue(&OWNER);
        fails(terminal, &["revoke", "ckapi", "--owner", DID], 2, "the start of a key must have at least 6 characters");
        for other in ["ckapi_%", "ckapi__", "did:plc:ewvi7nxzyoun6zhxrhs64oiz0"] {
            fails(terminal, &["revoke", other, "--owner", DID], 4, "no such key");
        }
        terminal.verify(&key.secret, &[]).is_accepted();
        let revoked = terminal.document(&["revoke", &key.secret[..12], "--owner", DID, "--reason", "leaked"]);
        assert_eq!(revoked["already_revoked"], false);
        assert_eq!(info(terminal)["revocation_reason"], "leaked");
        let again = terminal.document(&["revoke", DID, "--reason", "another"]);
        assert_eq!((&again["revocation_reason"], &again["revoked_at"]), (&json!("leaked"), &revoked["revoked_at"]));
        terminal.issue(&AFTER_REVOCATION);
        assert_eq!(info(terminal).get("revocation_reason"), None);
    });
}
