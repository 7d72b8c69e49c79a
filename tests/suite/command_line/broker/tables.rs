//! `broker migrate` and `broker check`: making the tables, and naming what is different about those that are there.

use serde_json::json;

use super::super::terminal::{over_new_databases, wait_for};
use super::{REDIRECT, over_each_engine};

const SOUND: &str = "the tables are as expected\n";
const APPLIED: [&str; 5] =
    ["broker 1 clients", "broker 2 auth_codes", "broker 3 access_tokens", "broker 4 refresh_tokens", "broker 5 grants"];

#[test]
fn migrate_makes_the_tables_once_and_says_which() {
    over_new_databases("standard", |terminal| {
        let said = APPLIED.map(|applied| format!("applied {applied}\n")).concat();
        terminal.run(&["broker", "migrate"], "").is(0, &format!("{said}{SOUND}"), "");
        terminal.run(&["broker", "migrate"], "").is(0, SOUND, "");
        assert_eq!(terminal.document(&["broker", "migrate"]), json!({ "applied": [], "differences": [] }));
        terminal.run(&["broker", "check"], "").is(0, SOUND, "");
        // The keys' tables are others.
        assert_eq!(terminal.run(&["check"], "").status, 1);
    });
    over_new_databases("standard", |terminal| {
        assert_eq!(terminal.document(&["broker", "migrate"]), json!({ "applied": APPLIED, "differences": [] }));
    });
}

#[test]
fn what_is_missing_fails_check_and_is_made_again_by_migrate() {
    over_each_engine(|desk| {
        let codes = desk.table("grant_codes");
        desk.sql(&format!("DROP TABLE {codes}"));
        let said = format!("breaking: {codes}: expected a table, found none\n");
        desk.terminal.run(&["broker", "check"], "").is(1, &said, "");
        let check = desk.terminal.run(&["--json", "broker", "check"], "");
        assert_eq!((check.status, &check.json()["differences"][0]["object"]), (1, &json!(codes)));
        let client = desk.client();
        desk.terminal.run(&["broker", "migrate"], "").is(0, &format!("applied broker 5 grants\n{SOUND}"), "");
        assert_eq!(desk.document(&["clients"])["clients"][0]["client_id"], json!(client));
    });
}

#[test]
fn before_migrate_every_command_says_what_to_do() {
    over_new_databases("standard", |terminal| {
        let mut apart = terminal.apart();
        // A SQLite file that is there, with tables of somebody else.
        terminal.sql("CREATE TABLE of_the_host (id integer)");
        for command in [&["clients"][..], &["grants"], &["register", "--redirect-uri", REDIRECT], &["sweep"]] {
            let output = apart.run(&[&["broker"], command].concat(), "");
            output.has_failed(3, "`keyward broker migrate` makes it");
        }
    });
}

#[test]
fn tables_of_a_newer_version_are_refused() {
    over_each_engine(|desk| {
        let migrations = desk.table("migrations");
        desk.sql(&format!("UPDATE {migrations} SET version = 99 WHERE version = 5"));
        let said = "the tables of broker are at version 99, and this version of keyward knows 5";
        for command in
            [&["migrate"][..], &["check"], &["clients"], &["register", "--redirect-uri", REDIRECT], &["sweep"]]
        {
            for form in [&[][..], &["--json"]] {
                desk.terminal.run(&[form, &["broker"], command].concat(), "").has_failed(1, said);
            }
        }
    });
}

/// Whoever owns a table decides what it holds.
#[cfg(feature = "postgres")]
#[test]
fn tables_that_another_role_made_are_refused_unless_it_is_trusted() {
    use crate::support::Database;
    use crate::support::roles::Role;

    let database = wait_for(Database::postgres());
    let mut terminal = super::Terminal::at(database.as_postgres().url(), "standard");
    assert_eq!(terminal.run(&["broker", "migrate"], "").status, 0);
    let stranger = wait_for(Role::new(&database, "stranger"));
    wait_for(database.run(&format!("ALTER TABLE keyward.grants OWNER TO {}", stranger.name)));
    let commands = [
        &["clients"][..],
        &["grants"],
        &["register", "--redirect-uri", REDIRECT],
        &["sweep"],
        &["migrate"],
        &["check"],
    ];
    for command in commands {
        let output = terminal.run(&[&["broker"], command].concat(), "");
        output.has_failed(1, &stranger.name);
        let trusting = [&["--trust", &stranger.name, "broker"], command].concat();
        assert_eq!(terminal.run(&trusting, "").status, 0, "{command:?}");
    }
    wait_for(database.run(&format!("ALTER TABLE keyward.grants OWNER TO {}", "CURRENT_USER")));
    wait_for(stranger.drop());
}

#[test]
fn a_schema_of_own_tables_can_be_chosen_on_postgresql_alone() {
    over_new_databases("standard", |terminal| {
        let mut apart = terminal.apart();
        let migrate = ["--postgres-schema", "of_acme", "broker", "migrate"];
        if terminal.is_postgres() {
            assert_eq!(apart.run(&migrate, "").status, 0);
            terminal.sql("SELECT id FROM of_acme.grants");
            assert_eq!(apart.run(&["--postgres-schema", "of_acme", "broker", "check"], "").status, 0);
            assert_eq!(apart.run(&["broker", "check"], "").status, 1);
        } else {
            apart.run(&migrate, "").has_failed(2, "--postgres-schema is for postgres:// databases");
        }
    });
}
