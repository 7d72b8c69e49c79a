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
        assert!(output.stdout.starts_with("applied scraper 1 api_keys\n") && output.stdout.ends_with(SOUND));
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
        assert!(document["applied"].as_array().unwrap().contains(&json!("scraper 1 api_keys")));
        assert_eq!(document["differences"], json!([]));
    });
}

#[test]
fn a_column_that_is_missing_fails_check_and_is_added_by_migrate() {
    over_both_engines(SCRAPER, |terminal| {
        terminal.sql("ALTER TABLE api_keys DROP COLUMN last_used_at");
        let said = "breaking: api_keys.last_used_at: expected a column, found none\n";
        terminal.run(&["check"], "").is(1, said, "");
        let output = terminal.run(&["--json", "check"], "");
        assert_eq!(output.status, 1);
        let difference = json!({
            "object": "api_keys.last_used_at", "expected": "a column", "found": "none", "breaking": true,
        });
        assert_eq!(output.json()["differences"], json!([difference]));

        terminal.run(&["migrate"], "").is(0, &format!("applied scraper 1 api_keys\n{SOUND}"), "");
        terminal.run(&["check"], "").is(0, SOUND, "");
    });
}

#[test]
fn what_migrate_cannot_add_is_named_and_nothing_is_changed() {
    over_both_engines(SCRAPER, |terminal| {
        terminal.sql("ALTER TABLE api_keys DROP COLUMN name; ALTER TABLE api_keys DROP COLUMN last_used_at");
        let [name, used] =
            ["name", "last_used_at"].map(|name| format!("api_keys.{name}: expected a column, found none"));
        terminal.run(&["migrate"], "").has_failed(1, &name);
        terminal.run(&["--json", "migrate"], "").has_failed(1, &name);
        terminal.run(&["check"], "").is(1, &format!("breaking: {name}\nbreaking: {used}\n"), "");
    });
}

#[test]
fn migrate_refuses_a_database_that_a_newer_version_has_changed() {
    over_both_engines(SCRAPER, |terminal| {
        let migrations = terminal.own_table("migrations");
        terminal.sql(&format!("UPDATE {migrations} SET version = 99 WHERE version = 1"));
        let said = "the tables of scraper are at version 99, and this version of keyward knows 2";
        terminal.run(&["migrate"], "").has_failed(1, said);
    });
}

#[test]
fn a_dropped_column_makes_the_store_unavailable() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&["--owner", "acme", "--name", "nightly import"]);
        terminal.sql("ALTER TABLE api_keys DROP COLUMN last_used_at");
        // In words of the engine's own, so on a terminal of its own.
        let mut apart = terminal.apart();
        for command in [&["verify"][..], &["--json", "verify"], &["get", &key.id], &["list", "--owner", "acme"]] {
            apart.run(command, &key.secret).has_failed(3, "last_used_at");
        }
    });
}

#[test]
fn what_keyward_can_live_with_is_named_and_no_failure() {
    over_both_engines(SCRAPER, |terminal| {
        terminal.sql("ALTER TABLE api_keys ADD COLUMN note text");
        let said = "harmless: api_keys.note: expected no column, found a column\n";
        terminal.run(&["check"], "").is(0, said, "");
        assert_eq!(terminal.document(&["check"])["differences"].as_array().unwrap().len(), 1);
    });
}

/// Revocations stood in it: what goes on without it would accept what it should refuse.
#[test]
fn a_side_table_that_was_dropped_fails_check_and_is_made_again_by_migrate() {
    over_both_engines(SCRAPER, |terminal| {
        let key = terminal.issue(&["--owner", "acme", "--name", "nightly import"]);
        let revocations = terminal.own_table("revocations");
        terminal.sql(&format!("DROP TABLE {revocations}"));
        let said = format!("breaking: {revocations}: expected a table, found none\n");
        terminal.run(&["check"], "").is(1, &said, "");
        // In words of the engine's own, so on a terminal of its own.
        let mut apart = terminal.apart();
        apart.run(&["revoke", &key.id], "").has_failed(3, "`keyward migrate` makes it");
        terminal.run(&["migrate"], "").is(0, &format!("applied scraper 2 side_tables\n{SOUND}"), "");
        terminal.run(&["check"], "").is(0, SOUND, "");
        assert_eq!(terminal.run(&["revoke", &key.id, "--reason", "leaked"], "").status, 0);
    });
}

/// The journal mode is a property of the host's file.
#[cfg(feature = "sqlite")]
#[test]
fn migrate_leaves_the_journal_mode_of_a_file_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.db");
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE of_the_host (id)").unwrap();
    let mut terminal = super::terminal::Terminal::at(format!("sqlite:{}", file.display()), SCRAPER);
    assert_eq!(terminal.run(&["migrate"], "").status, 0);
    let connection = rusqlite::Connection::open(&file).unwrap();
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
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
        terminal.sql(&format!("UPDATE {} SET checksum = 'another'", terminal.own_table("migrations")));
        terminal.run(&["migrate"], "").has_failed(1, "was applied in another form before");
        terminal.run(&["--json", "migrate"], "").has_failed(1, "was applied in another form before");
    });
}

/// Another schema of keyward's own tables has its name in the statements, and a role's name is quoted.
#[cfg(feature = "postgres")]
#[test]
fn grants_prints_the_rights_of_each_role_without_a_database() {
    let mut terminal = super::terminal::Terminal::at("", SCRAPER);
    terminal.db = None;
    let output = terminal.run(&["grants", "--role", "verifier"], "");
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let (where_it_is_there, statements): (Vec<_>, Vec<_>) =
        output.stdout.lines().filter(|line| !line.starts_with("--")).partition(|line| line.starts_with("DO "));
    let expected = [
        r#"GRANT SELECT ON TABLE "api_keys" TO "keyward_verifier";"#,
        r#"GRANT USAGE ON SCHEMA "keyward" TO "keyward_verifier";"#,
        r#"GRANT SELECT ON TABLE "keyward"."revocations" TO "keyward_verifier";"#,
        r#"GRANT SELECT ON TABLE "keyward"."rotations" TO "keyward_verifier";"#,
        r#"GRANT SELECT ON TABLE "keyward"."migrations" TO "keyward_verifier";"#,
    ];
    assert_eq!(statements, expected);
    // Changes are noted only if an operator wants it.
    let [changes] = where_it_is_there[..] else { panic!("{where_it_is_there:?}") };
    assert!(changes.contains(r#"GRANT SELECT ON TABLE "keyward"."changes" TO "keyward_verifier";"#), "{changes}");
    let named = ["grants", "--role", "operator", "--to", "a\"b", "--postgres-schema", "acme_keys"];
    let output = terminal.run(&named, "");
    assert!(output.stdout.contains(r#"ON TABLE "acme_keys"."revocations" TO "a""b";"#), "{}", output.stdout);
    terminal
        .run(&["grants", "--role", "operator", "--postgres-schema", "Keys"], "")
        .has_failed(2, "--postgres-schema: ");
    terminal.run(&["grants"], "").has_failed(2, "--role");
}

#[test]
fn migrate_has_changes_noted_when_it_is_asked_to() {
    over_both_engines(SCRAPER, |terminal| {
        for _ in 0..2 {
            terminal.run(&["migrate", "--note-changes"], "").is(0, SOUND, "");
            terminal.run(&["check"], "").is(0, SOUND, "");
        }
    });
}
