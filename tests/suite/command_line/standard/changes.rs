//! Changing keys after their issue, switching them off and on, their history, and removing dead ones.

use serde_json::{Value, json};

use super::{ACME, acme, over_standard};

#[test]
fn what_is_updated_is_in_force_at_the_next_verification() {
    over_standard(|terminal| {
        let key =
            terminal.issue(&acme(&["--scope", "jobs:read", "--description", "why", "--metadata", "m", "--rpm", "7"]));
        let said = format!("updated {}, now at version 2: scopes\n", key.id);
        terminal.run(&["update", &key.id, "--scope", "jobs:write"], "").is(0, &said, "");
        terminal.verify(&key.secret, &["--scope", "jobs:write"]).is_accepted();
        terminal.verify(&key.secret, &["--scope", "jobs:read"]).is_refused("insufficient_scope");

        let changed = terminal.document(&[
            "update",
            &key.id,
            "--name",
            "hourly",
            "--no-description",
            "--no-metadata",
            "--no-rpm",
            "--no-scopes",
            "--expires",
            "2099-01-01T00:00:00Z",
        ]);
        assert_eq!((&changed["action"], &changed["version"]), (&json!("updated"), &json!(3)));
        let renamed = json!({ "field": "name", "before": "nightly import", "after": "hourly" });
        assert!(changed["changes"].as_array().unwrap().contains(&renamed));
        let shown = terminal.document(&["get", &key.id]);
        let fields = ["name", "description", "metadata", "requests_per_minute", "scopes", "expires_at", "version"];
        let expected = json!(["hourly", null, null, null, [], "2099-01-01T00:00:00Z", 3]);
        assert_eq!(json!(fields.map(|field| shown[field].clone())), expected);

        terminal.document(&["update", &key.id, "--no-expiry"]);
        let said = format!("nothing to change: {} is at version 4\n", key.id);
        terminal.run(&["update", &key.id, "--no-expiry"], "").is(0, &said, "");
        assert_eq!(terminal.document(&["update", &key.id, "--no-expiry"])["action"], Value::Null);
    });
}

#[test]
fn a_change_that_is_based_on_an_older_version_is_refused() {
    over_standard(|terminal| {
        let key = terminal.issue(&ACME);
        terminal.document(&["update", &key.id, "--version", "1", "--name", "first"]);
        let said = "the key was changed meanwhile: it is at version 2";
        terminal.run(&["update", &key.id, "--version", "1", "--name", "second"], "").has_failed(1, said);
        terminal.run(&["--json", "update", &key.id, "--version", "1", "--name", "second"], "").has_failed(1, said);
        assert_eq!(terminal.document(&["get", &key.id])["name"], "first");
    });
}

#[test]
fn updates_that_are_wrong_change_nothing() {
    over_standard(|terminal| {
        let key = terminal.issue(&ACME);
        let before = terminal.document(&["get", &key.id]);
        for (options, said) in [
            (&[][..], "one of --name, "),
            (&["--version", "1"], "one of --name, "),
            (&["--name", ""], "--name"),
            (&["--scope", "a b"], "--scope"),
            (&["--scope", "a", "--no-scopes"], "--no-scopes"),
            (&["--rpm", "0"], "the rate limit"),
            (&["--expires", "2020-01-01T00:00:00Z"], "the expiry must be in the future"),
            (&["--version", "one", "--name", "n"], "--version"),
        ] {
            terminal.run(&[&["update", &key.id], options].concat(), "").has_failed(2, said);
        }
        assert_eq!(terminal.document(&["get", &key.id]), before);
        terminal.run(&["update", "nothing", "--name", "n"], "").is(4, "", "keyward: no such key\n");
        terminal.document(&["revoke", &key.id]);
        terminal.run(&["update", &key.id, "--name", "n"], "").has_failed(1, "a revoked key cannot be changed");
    });
}

#[test]
fn a_disabled_key_is_refused_until_it_is_enabled() {
    over_standard(|terminal| {
        let key = terminal.issue(&ACME);
        let said = format!("disabled {}, now at version 2\n", key.id);
        terminal.run(&["disable", &key.id, "--reason", "not paid"], "").is(0, &said, "");
        terminal.verify(&key.secret, &[]).is_refused("disabled");
        let shown = terminal.document(&["get", &key.id]);
        assert_eq!((&shown["state"], &shown["disabling_reason"]), (&json!("disabled"), &json!("not paid")));
        assert_eq!(terminal.document(&["disable", &key.id])["action"], Value::Null);
        assert_eq!(terminal.document(&["enable", &key.id])["version"], 3);
        terminal.verify(&key.secret, &[]).is_accepted();
        for command in ["disable", "enable", "history"] {
            terminal.run(&[command, "nothing"], "").is(4, "", "keyward: no such key\n");
        }
    });
}

#[test]
fn the_history_says_what_was_done_by_whom_and_why() {
    over_standard(|terminal| {
        let key = terminal.issue(&acme(&["--by", "ada"]));
        terminal.document(&["update", &key.id, "--name", "hourly", "--by", "eve"]);
        terminal.document(&["disable", &key.id, "--reason", "not paid"]);
        terminal.document(&["enable", &key.id]);
        terminal.rotate(&key.id, &["--by", "ada"]);
        terminal.document(&["revoke", &key.id, "--reason", "leaked", "--by", "ada"]);

        let history = terminal.document(&["history", &key.id]);
        assert_eq!(history["id"], key.id);
        let entries = history["history"].as_array().unwrap();
        let actions: Vec<_> =
            entries.iter().map(|entry| json!([entry["action"], entry["by"], entry["reason"]])).collect();
        let expected = json!([
            ["issued", "ada", null],
            ["updated", "eve", null],
            ["disabled", null, "not paid"],
            ["enabled", null, null],
            ["rotated", "ada", null],
            ["revoked", "ada", "leaked"],
        ]);
        assert_eq!(json!(actions), expected);
        let versions: Vec<_> = entries.iter().map(|entry| entry["to_version"].as_u64().unwrap()).collect();
        assert_eq!(versions, [1, 2, 3, 4, 5, 6]);
        let table = terminal.run(&["history", &key.id], "").stdout;
        assert_eq!(table.lines().count(), 7);
        assert!(table.contains("name: nightly import -> hourly"), "{table}");
    });
}

#[test]
fn keys_that_have_been_dead_for_long_are_purged_with_their_history() {
    over_standard(|terminal| {
        let [dead, alive] = [terminal.issue(&ACME), terminal.issue(&ACME)];
        terminal.document(&["revoke", &dead.id]);
        terminal.run(&["purge", "--older-than", "1h"], "").is(0, "purged 0\n", "");
        assert_eq!(terminal.document(&["purge", "--older-than", "0s"]), json!({ "purged": 1 }));
        terminal.run(&["history", &dead.id], "").is(4, "", "keyward: no such key\n");
        terminal.verify(&dead.secret, &[]).is_refused("unknown");
        terminal.verify(&alive.secret, &[]).is_accepted();
        terminal.run(&["purge"], "").has_failed(2, "--older-than is required");
    });
}
