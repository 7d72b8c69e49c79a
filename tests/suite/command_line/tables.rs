//! `migrate` and `check`: making the tables, and naming what is different about those that are there.

use serde_json::json;

use super::terminal::{over_both_engines, over_new_databases};

const SCRAPER: &str = "scraper";
const SOUND: &str = "the tables are as expected\n";

#[test]
fn migrate_makes_the_tables_once() {
    over_new_databases(SCRAPER, |terminal| {
        let output = terminal.run(&["migrate"], "");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        assert!(output.stdout.contains("applied scraper_0001_api_keys\n") && output.stdout.ends_with(SOUND));
        terminal.run(&["migrate"], "").is(0, SOUND, "");
        assert_eq!(terminal.document(&["migrate"]), json!({ "applied": [], "differences": [] }));
        terminal.run(&["check"], "").is(0, SOUND, "");
        assert_eq!(terminal.document(&["check"]), json!({ "differences": [] }));
    });
}

#[test]
fn migrate_names_what_it_applies_in_a_document() {
    over_new_databases(SCRAPER, |terminal| {
        let document = terminal.document(&["migrate"]);
        assert!(document["applied"].as_array().unwrap().contains(&json!("scraper_0001_api_keys")));
        assert_eq!(document["differences"], json!([]));
    });
}

#[test]
fn a_dropped_column_fails_check_and_migrate() {
    over_both_engines(SCRAPER, |terminal| {
        terminal.sql("ALTER TABLE api_keys DROP COLUMN last_used_at");
        let told = "breaking: api_keys.last_used_at: expected a column, found none\n";
        for command in ["check", "migrate"] {
            terminal.run(&[command], "").is(1, told, "");
            let output = terminal.run(&["--json", command], "");
            assert_eq!(output.status, 1);
            let difference = json!({
                "object": "api_keys.last_used_at", "expected": "a column", "found": "none", "breaking": true,
            });
            assert_eq!(output.json()["differences"], json!([difference]));
        }
    });
}

#[test]
fn a_dropped_column_makes_the_store_unavailable() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&["--owner", "acme", "--name", "nightly import"]);
        terminal.sql("ALTER TABLE api_keys DROP COLUMN last_used_at");
        // In words of the engine's own, so on a terminal of its own.
        let mut apart = terminal.apart();
        for command in [&["verify"][..], &["--json", "verify"], &["show", &key.id], &["list", "--owner", "acme"]] {
            apart.run(command, &key.secret).has_failed(3, "last_used_at");
        }
    });
}

#[test]
fn what_keyward_can_live_with_is_told_and_no_failure() {
    over_both_engines(SCRAPER, |terminal| {
        terminal.sql("ALTER TABLE api_keys ADD COLUMN note text");
        terminal.sql("DROP TABLE keyward_revocations");
        let told = "harmless: api_keys.note: expected no column, found a column\n\
                    harmless: keyward_revocations: expected a table, found none\n";
        terminal.run(&["check"], "").is(0, told, "");
        assert_eq!(terminal.document(&["check"])["differences"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn check_names_the_tables_that_are_not_made_yet() {
    over_new_databases(SCRAPER, |terminal| {
        terminal.sql("CREATE TABLE unrelated (id integer)");
        let output = terminal.run(&["check"], "");
        assert_eq!((output.status, output.stderr.as_str()), (1, ""));
        assert!(output.stdout.contains("breaking: api_keys: expected a table, found none\n"));
        // It has only looked.
        terminal.run(&["check"], "").is(1, &output.stdout, "");
    });
}

#[test]
fn migrate_refuses_a_database_that_another_version_has_changed() {
    over_both_engines(SCRAPER, |terminal| {
        terminal.sql("UPDATE keyward_migrations SET checksum = 'another'");
        terminal.run(&["migrate"], "").has_failed(1, "was applied in another form before");
        terminal.run(&["--json", "migrate"], "").has_failed(1, "was applied in another form before");
    });
}
