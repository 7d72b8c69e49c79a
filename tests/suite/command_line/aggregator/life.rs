//! The life of an aggregator's only key.

use keyward::{Clock as _, SystemClock};
use serde_json::json;

use super::{AFTER_REVOCATION, DID, OWNER, fails, info, over_aggregators, over_every_table, timestamp};

#[test]
fn the_whole_life_of_an_aggregators_key() {
    over_every_table(|terminal| {
        assert_eq!(info(terminal), json!({ "has_key": false, "owner": DID }));

        let before = SystemClock.now();
        let first = terminal.issue(&OWNER);
        assert_eq!((first.id.as_str(), first.secret.len(), &first.secret[..6]), (DID, 70, "ckapi_"));
        let mut known = json!({
            "id": DID, "owner": DID, "prefix": first.secret[..12], "state": "active",
            "created_at": first.document["created_at"], "last_used_at": null, "expires_at": null,
        });
        assert!((before..=SystemClock.now()).contains(&timestamp(&known["created_at"])));
        assert_eq!(terminal.document(&["get", DID]), known);
        assert_eq!(terminal.document(&["list", "--owner", DID]), json!({ "keys": [known], "next": null }));

        let verdict = terminal.verify(&first.secret, &[]);
        verdict.is_accepted();
        known["last_used_at"] = terminal.document(&["get", DID])["last_used_at"].clone();
        assert!(timestamp(&known["last_used_at"]) >= timestamp(&known["created_at"]));
        known["has_key"] = json!(true);
        known["is_revoked"] = json!(false);
        assert_eq!(info(terminal), known);

        // Issued again, it is another key from that moment on, without a use.
        let second = terminal.issue(&OWNER);
        terminal.verify(&first.secret, &[]).is_refused("unknown");
        terminal.verify(&second.secret, &["--dry-run"]).is_accepted();
        let report = info(terminal);
        assert_eq!((&report["prefix"], &report["last_used_at"]), (&json!(second.secret[..12]), &json!(null)));
        assert!(timestamp(&report["created_at"]) > timestamp(&known["created_at"]));

        let revoked = terminal.document(&["revoke", "--owner", DID]);
        assert_eq!((&revoked["id"], &revoked["already_revoked"]), (&json!(DID), &json!(false)));
        let verdict = terminal.verify(&second.secret, &[]);
        verdict.is_refused("revoked");
        assert_eq!((&verdict.document["id"], &verdict.document["prefix"]), (&json!(DID), &report["prefix"]));
        let report = info(terminal);
        assert_eq!(
            (&report["has_key"], &report["is_revoked"], &report["state"]),
            (&json!(true), &json!(true), &json!("revoked"))
        );
        assert_eq!(report["revoked_at"], revoked["revoked_at"]);
        let again = terminal.document(&["revoke", DID]);
        assert_eq!((&again["already_revoked"], &again["revoked_at"]), (&json!(true), &revoked["revoked_at"]));

        // A new one starts without the revocation, and is rotated like any live key.
        let third = terminal.issue(&AFTER_REVOCATION);
        assert_eq!(info(terminal)["is_revoked"], false);
        let fourth = terminal.rotate(DID, &[]);
        assert_eq!((&fourth.document["predecessor"], &fourth.document["id"]), (&json!(DID), &json!(DID)));
        assert_eq!(fourth.document["accepted_until"], fourth.document["created_at"], "there is room for one key");
        for (secret, reason) in [(&second.secret, "unknown"), (&third.secret, "unknown")] {
            terminal.verify(secret, &[]).is_refused(reason);
        }
        terminal.verify(&fourth.secret, &[]).is_accepted();

        // The indexer deletes the row, and the key with it.
        terminal.sql(&format!("DELETE FROM aggregators WHERE did = '{DID}'"));
        terminal.verify(&fourth.secret, &[]).is_refused("unknown");
        terminal.run(&["info", "--owner", DID], "").is(4, "", "keyward: no such owner\n");
    });
}

#[test]
fn what_people_read() {
    over_aggregators(|terminal| {
        terminal.run(&["info", "--owner", DID], "").is(0, &format!("has_key  false\nowner    {DID}\n"), "");
        let issued = terminal.run(&["issue", "--owner", DID], "");
        assert_eq!((issued.status, issued.stdout.len()), (0, 71));
        assert!(issued.stderr.contains(&format!("for {DID}")), "{}", issued.stderr);
        let report = terminal.run(&["info", "--owner", DID], "");
        assert!(report.stdout.contains("has_key       true\nis_revoked    false\n"), "{}", report.stdout);
        assert!(report.stdout.contains(&format!("prefix        {}\n", &issued.stdout[..12])), "{}", report.stdout);
        let list = terminal.run(&["list", "--owner", DID], "");
        assert!(list.stdout.starts_with("OWNER "), "{}", list.stdout);
        assert_eq!(list.stdout.lines().count(), 2);
        terminal.run(&["revoke", "--owner", DID], "").is(0, &format!("revoked {DID}\n"), "");
        let again = terminal.run(&["revoke", "--owner", DID], "");
        assert!(again.stdout.starts_with(&format!("{DID} was already revoked at ")), "{}", again.stdout);
        terminal.run(&["verify"], &issued.stdout).is(1, "", "refused: the key is revoked\n");
    });
}

#[test]
fn a_revoked_key_is_not_rotated_but_replaced() {
    over_aggregators(|terminal| {
        terminal.issue(&OWNER);
        terminal.document(&["revoke-all", "--owner", DID]);
        let said = "the key before was revoked, and whoever had it may have had its OAuth session too";
        terminal.run(&["issue", "--owner", DID], "").has_failed(1, said);
        fails(terminal, &["rotate", DID], 1, "only a live key can be rotated: the key is revoked");
        let new = terminal.issue(&AFTER_REVOCATION);
        terminal.verify(&new.secret, &[]).is_accepted();
    });
}

#[test]
fn a_key_that_the_service_made_itself_is_accepted_and_revoked() {
    over_every_table(|terminal| {
        // `printf %s ckapi_0001… | sha256sum`
        let key = "ckapi_000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let hash = "3f0c58b5bfbaaafc9f0a3e9b9a75a1585c40bdee8c5d6e0db07800ab2583656a";
        let set = |columns: &str| format!("UPDATE aggregators SET {columns} WHERE did = '{DID}'");
        terminal.sql(&set(&format!("api_key_prefix = 'ckapi_000102', api_key_hash = '{hash}'")));
        terminal.verify(key, &[]).is_accepted();
        assert_eq!(terminal.document(&["revoke", "--owner", DID])["already_revoked"], false);
        terminal.verify(key, &[]).is_refused("revoked");

        terminal.sql(&set("api_key_revoked_at = NULL, api_key_prefix = NULL"));
        terminal.verify(key, &[]).is_refused("revoked");
        assert_eq!(info(terminal)["defect"], "aggregators.api_key_prefix");
        terminal.sql(&set(&format!("api_key_prefix = 'ckapi_000102', api_key_hash = '{}'", hash.to_uppercase())));
        terminal.verify(key, &[]).is_refused("unknown");
        let new = terminal.issue(&AFTER_REVOCATION);
        terminal.verify(&new.secret, &[]).is_accepted();
    });
}
