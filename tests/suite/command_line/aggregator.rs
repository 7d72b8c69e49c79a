//! System A: the life of an aggregator's only key, everything that is refused in it, and races of whole processes.

use keyward::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::terminal::{Output, Terminal, over_both_engines, over_new_databases};
use crate::support::systems::aggregator::{Table, WITH_ENCRYPTED_TOKENS, WITH_PLAINTEXT_TOKENS};

const AGGREGATOR: &str = "aggregator";
const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const NOBODY: &str = "did:web:nobody.example";
const OWNER: [&str; 2] = ["--owner", DID];
const RACERS: usize = 8;

/// Runs `script` over a table that has the aggregator [`DID`], made by keyward and by the host's own migrations.
fn over_every_table(script: impl Fn(&mut Terminal)) {
    over_both_engines(AGGREGATOR, |terminal| {
        add_aggregator(terminal);
        script(terminal);
    });
    for Table { postgres, sqlite } in [WITH_PLAINTEXT_TOKENS, WITH_ENCRYPTED_TOKENS] {
        over_new_databases(AGGREGATOR, |terminal| {
            terminal.sql(if is_sqlite(terminal) { sqlite } else { postgres });
            assert_eq!(terminal.run(&["migrate"], "").status, 0);
            add_aggregator(terminal);
            script(terminal);
        });
    }
}

/// As [`over_every_table`], over the one that keyward makes.
fn over_aggregators(script: impl Fn(&mut Terminal)) {
    over_both_engines(AGGREGATOR, |terminal| {
        add_aggregator(terminal);
        script(terminal);
    });
}

fn is_sqlite(terminal: &Terminal) -> bool {
    terminal.db.as_ref().unwrap().starts_with("sqlite:")
}

/// As the host's indexer does.
fn add_aggregator(terminal: &Terminal) {
    terminal.sql(&format!(
        "INSERT INTO aggregators (did, display_name, record_uri, record_cid)
         VALUES ('{DID}', 'News', 'at://{DID}/service/self', 'bafy')"
    ));
}

fn timestamp(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn info(terminal: &mut Terminal) -> Value {
    terminal.document(&["info", "--owner", DID])
}

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
        assert_eq!(terminal.document(&["show", DID]), known);
        assert_eq!(terminal.document(&["list", "--owner", DID]), json!({ "keys": [known], "next": null }));

        let verdict = terminal.verify(&first.secret, &[]);
        verdict.is_accepted();
        known["last_used_at"] = terminal.document(&["show", DID])["last_used_at"].clone();
        assert!(timestamp(&known["last_used_at"]) >= timestamp(&known["created_at"]));
        known["has_key"] = json!(true);
        known["is_revoked"] = json!(false);
        assert_eq!(info(terminal), known);

        // Issued again, it is another key from that moment on, without a use.
        let second = terminal.issue(&OWNER);
        terminal.verify(&first.secret, &[]).is_refused("unknown");
        terminal.verify(&second.secret, &["--dry-run"]).is_accepted();
        let told = info(terminal);
        assert_eq!((&told["prefix"], &told["last_used_at"]), (&json!(second.secret[..12]), &json!(null)));
        assert!(timestamp(&told["created_at"]) > timestamp(&known["created_at"]));

        let revoked = terminal.document(&["revoke", "--owner", DID]);
        assert_eq!((&revoked["id"], &revoked["already_revoked"]), (&json!(DID), &json!(false)));
        let verdict = terminal.verify(&second.secret, &[]);
        verdict.is_refused("revoked");
        assert_eq!((&verdict.document["id"], &verdict.document["prefix"]), (&json!(DID), &told["prefix"]));
        let told = info(terminal);
        assert_eq!(
            (&told["has_key"], &told["is_revoked"], &told["state"]),
            (&json!(true), &json!(true), &json!("revoked"))
        );
        assert_eq!(told["revoked_at"], revoked["revoked_at"]);
        let again = terminal.document(&["revoke", DID]);
        assert_eq!((&again["already_revoked"], &again["revoked_at"]), (&json!(true), &revoked["revoked_at"]));

        // A new one starts without the revocation, and is rotated like any live key.
        let third = terminal.issue(&OWNER);
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
        let told = terminal.run(&["info", "--owner", DID], "");
        assert!(told.stdout.contains("has_key       true\nis_revoked    false\n"), "{}", told.stdout);
        assert!(told.stdout.contains(&format!("prefix        {}\n", &issued.stdout[..12])), "{}", told.stdout);
        let list = terminal.run(&["list", "--owner", DID], "");
        assert!(list.stdout.starts_with("OWNER "), "{}", list.stdout);
        assert_eq!(list.stdout.lines().count(), 2);
        terminal.run(&["revoke", "--owner", DID], "").is(0, &format!("revoked {DID}\n"), "");
        let again = terminal.run(&["revoke", "--owner", DID], "");
        assert!(again.stdout.starts_with(&format!("{DID} was already revoked at ")), "{}", again.stdout);
        terminal.run(&["verify"], &issued.stdout).is(1, "", "refused: the key is revoked\n");
    });
}

/// A command in both forms of output fails alike.
#[track_caller]
fn fails(terminal: &mut Terminal, arguments: &[&str], status: i32, said: &str) {
    terminal.run(arguments, "").is(status, "", &format!("keyward: {said}\n"));
    terminal.run(&[&["--json"], arguments].concat(), "").has_failed(status, said);
}

#[test]
fn an_unknown_did_is_not_found_and_nothing_is_written() {
    over_every_table(|terminal| {
        let key = terminal.issue(&OWNER);
        for command in ["issue", "info", "revoke", "list", "revoke-all"] {
            fails(terminal, &[command, "--owner", NOBODY], 4, "no such owner");
        }
        for command in ["show", "revoke", "rotate"] {
            fails(terminal, &[command, NOBODY], 4, "no such key");
        }
        terminal.verify(&key.secret, &[]).is_accepted();
    });
}

#[test]
fn an_aggregator_without_a_key_is_told_from_no_aggregator() {
    over_every_table(|terminal| {
        fails(terminal, &["revoke", "--owner", DID], 4, "the owner has no key");
        for command in ["show", "revoke", "rotate"] {
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
        let no_expiry = "this system's keys have neither an expiry nor a grace period";
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
            let said = format!("{option} is not for this --schema");
            fails(terminal, &["issue", "--owner", DID, option, value], 2, &said);
        }
        fails(terminal, &["issue", "--owner", DID, "--capability", "send"], 2, "--capability is not for this --schema");
        terminal.run(&["verify", "--scope", "s"], &key.secret).has_failed(2, "--scope is not for this --schema");
        terminal.run(&["verify", "--strict"], &key.secret).has_failed(2, "--strict is not for this --schema");
        fails(terminal, &["revoke"], 2, "which key to revoke is required");
        for command in ["issue", "info", "list", "revoke-all"] {
            assert_eq!(terminal.run(&[command], "").status, 2, "{command} without an owner");
        }
        terminal.verify(&key.secret, &[]).is_accepted();
    });
}

#[test]
fn a_revoked_key_is_not_rotated_but_replaced() {
    over_aggregators(|terminal| {
        terminal.issue(&OWNER);
        terminal.document(&["revoke-all", "--owner", DID]);
        fails(terminal, &["rotate", DID], 1, "only a live key can be rotated: the key is revoked");
        let new = terminal.issue(&OWNER);
        terminal.verify(&new.secret, &[]).is_accepted();
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
        terminal.issue(&OWNER);
        assert_eq!(info(terminal).get("revocation_reason"), None);
    });
}

#[test]
fn a_key_that_the_system_made_itself_is_accepted_and_revoked() {
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
        terminal.verify(key, &[]).is_refused("unusable");
        assert_eq!(info(terminal)["defect"], "aggregators.api_key_prefix");
        terminal.sql(&set(&format!("api_key_prefix = 'ckapi_000102', api_key_hash = '{}'", hash.to_uppercase())));
        terminal.verify(key, &[]).is_refused("unknown");
        let new = terminal.issue(&OWNER);
        terminal.verify(&new.secret, &[]).is_accepted();
    });
}

/// Runs a command in eight processes at once. Their order is nobody's business, so it is not compared.
fn race(terminal: &Terminal, arguments: &[&str]) -> Vec<Output> {
    let running: Vec<_> = (0..RACERS).map(|_| terminal.command(arguments).spawn().unwrap()).collect();
    running.into_iter().map(|process| terminal.apart().finish(process, arguments, "")).collect()
}

#[test]
fn eight_processes_that_create_a_key_at_once_leave_one_and_its_maker_knows() {
    over_aggregators(|terminal| {
        // The first time there is no key yet.
        for _ in 0..3 {
            let outputs = race(terminal, &["--json", "issue", "--owner", DID]);
            let (won, lost): (Vec<_>, Vec<_>) = outputs.into_iter().partition(|output| output.status == 0);
            for output in lost {
                output.has_failed(1, "conflict");
            }
            let mut apart = terminal.apart();
            let mut accepted = Vec::new();
            for secret in won.iter().map(|output| output.json()["secret"].as_str().unwrap().to_owned()) {
                let verdict = apart.verify(&secret, &["--dry-run"]);
                if verdict.status == 0 {
                    accepted.push(secret);
                } else {
                    verdict.is_refused("unknown");
                }
            }
            let [key] = &accepted[..] else { panic!("{} keys are accepted", accepted.len()) };
            assert_eq!(apart.document(&["info", "--owner", DID])["prefix"], key[..12]);
        }
    });
}

#[test]
fn eight_processes_that_revoke_a_key_at_once_report_one_revocation_and_its_time() {
    over_aggregators(|terminal| {
        for arguments in [&["--json", "revoke", "--owner", DID][..], &["--json", "revoke", DID]] {
            let key = terminal.issue(&OWNER);
            let outputs = race(terminal, arguments);
            let documents: Vec<_> = outputs.iter().map(Output::json).collect();
            assert!(outputs.iter().all(|output| output.status == 0), "{documents:?}");
            let first: Vec<_> = documents.iter().filter(|document| document["already_revoked"] == false).collect();
            let [first] = first[..] else { panic!("one must have revoked it: {documents:?}") };
            assert!(documents.iter().all(|document| document["revoked_at"] == first["revoked_at"]), "{documents:?}");
            assert_eq!(info(terminal)["revoked_at"], first["revoked_at"]);
            terminal.verify(&key.secret, &[]).is_refused("revoked");
        }
    });
}
