//! In what a host's own tables differ from those that keyward expects, and which differences break something.

use std::time::Duration;

use keyward::key::Draft;
use keyward::schemas::scraper::Scraper;

use crate::support::{START, TestSchema as _, over};

type Fixture = crate::support::Fixture<Scraper>;

const HOUR: Duration = Duration::from_hours(1);

fn draft() -> Draft<Scraper> {
    Scraper::draft("acme")
}

over![every_engine of Scraper:
    a_missing_table_is_named,
    a_side_table_that_is_gone_is_breaking,
    a_missing_column_is_named,
    an_extra_column_that_may_stay_empty_is_not_breaking,
    an_extra_column_with_a_default_is_not_breaking,
    an_extra_column_that_has_to_be_filled_is_named,
    a_column_of_another_type_is_named,
    a_column_that_must_not_be_null_but_should_be_is_named,
    a_column_that_may_be_null_but_should_not_is_not_breaking,
    a_missing_unique_is_named,
    a_missing_primary_key_is_named,
    a_primary_key_of_another_column_is_named,
    a_missing_index_is_not_breaking,
    an_extra_index_is_not_breaking,
    another_default_is_not_breaking,
    an_extra_unique_is_named,
    a_unique_among_the_active_keys_of_a_client_is_named,
    a_unique_that_is_narrower_by_an_expression_is_not_taken_for_ours,
];

/// Object, expected, found, and whether it is breaking.
type Expected<'e> = (&'e str, &'e str, &'e str, bool);

pub(super) async fn assert_differences(fixture: &Fixture, expected: &[Expected<'_>]) {
    let found = fixture.sql().check().await.unwrap();
    let found: Vec<Expected> = found
        .iter()
        .map(|difference| {
            let (expected, found) = (difference.expected.as_str(), difference.found.as_str());
            (difference.object.as_str(), expected, found, difference.breaking)
        })
        .collect();
    assert_eq!(found, expected);
}

/// Alters the keys' table: on PostgreSQL by a statement, on SQLite, which alters little, by another text of its DDL.
async fn alter(fixture: &Fixture, postgres: &str, (from, to): (&str, &str)) {
    let database = fixture.database();
    if database.dialect("postgres", "sqlite") == "postgres" {
        return database.run(postgres).await;
    }
    let made = "SELECT group_concat(sql, ';') FROM sqlite_schema WHERE tbl_name = 'api_keys'";
    let made = database.text(made).await.unwrap();
    assert!(made.contains(from), "there is no {from:?} in {made}");
    database.run(&format!("DROP TABLE api_keys; {}", made.replace(from, to))).await;
}

async fn a_missing_table_is_named(fixture: Fixture) {
    fixture.database().run("DROP TABLE api_keys").await;
    assert_differences(&fixture, &[("api_keys", "a table", "none", true)]).await;
}

async fn a_side_table_that_is_gone_is_breaking(fixture: Fixture) {
    let table = fixture.database().own_table("rotations");
    fixture.database().run(&format!("DROP TABLE {table}")).await;
    assert_differences(&fixture, &[(&table, "a table", "none", true)]).await;
    let issued = fixture.another_process().await.issue(draft()).await.unwrap();
    // What would be forgotten is not done.
    fixture.another_process().await.rotate(&issued.record.head.id, HOUR, None).await.unwrap_err();
    fixture.sql().migrate(START).await.unwrap();
    assert_differences(&fixture, &[]).await;
    fixture.another_process().await.rotate(&issued.record.head.id, HOUR, None).await.unwrap();
}

async fn a_missing_column_is_named(fixture: Fixture) {
    for column in ["metadata", "last_used_at"] {
        fixture.database().run(&format!("ALTER TABLE api_keys DROP COLUMN {column}")).await;
    }
    let expected =
        [("api_keys.last_used_at", "a column", "none", true), ("api_keys.metadata", "a column", "none", true)];
    assert_differences(&fixture, &expected).await;
}

async fn an_extra_column_that_may_stay_empty_is_not_breaking(fixture: Fixture) {
    fixture.database().run("ALTER TABLE api_keys ADD COLUMN note text").await;
    assert_differences(&fixture, &[("api_keys.note", "no column", "a column", false)]).await;
    fixture.keys.issue(draft()).await.unwrap();
}

async fn an_extra_column_with_a_default_is_not_breaking(fixture: Fixture) {
    fixture.database().run("ALTER TABLE api_keys ADD COLUMN note text NOT NULL DEFAULT 'none'").await;
    assert_differences(&fixture, &[("api_keys.note", "no column", "a column", false)]).await;
    fixture.keys.issue(draft()).await.unwrap();
}

async fn an_extra_column_that_has_to_be_filled_is_named(fixture: Fixture) {
    let column = "ALTER TABLE api_keys ADD COLUMN note text NOT NULL";
    alter(&fixture, column, ("last_used_at", "note text NOT NULL, last_used_at")).await;
    assert_differences(&fixture, &[("api_keys.note", "no column", "a column that has to be filled", true)]).await;
    fixture.keys.issue(draft()).await.unwrap_err();
}

async fn a_column_of_another_type_is_named(fixture: Fixture) {
    let zoned = "ALTER TABLE api_keys ALTER COLUMN expires_at TYPE timestamptz";
    alter(&fixture, zoned, ("expires_at TIMESTAMP", "expires_at REAL")).await;
    let database = fixture.database();
    let expected = database.dialect("timestamp without time zone", "TIMESTAMP");
    let found = database.dialect("timestamp with time zone", "REAL");
    // SQLite has a type for each value, whatever the column says.
    let breaking = database.dialect("breaking", "") == "breaking";
    assert_differences(&fixture, &[("api_keys.expires_at", expected, found, breaking)]).await;
}

async fn a_column_that_must_not_be_null_but_should_be_is_named(fixture: Fixture) {
    let filled = "ALTER TABLE api_keys ALTER COLUMN expires_at SET NOT NULL";
    alter(&fixture, filled, ("expires_at TIMESTAMP", "expires_at TIMESTAMP NOT NULL")).await;
    assert_differences(&fixture, &[("api_keys.expires_at", "NULL allowed", "NOT NULL", true)]).await;
    fixture.keys.issue(draft()).await.unwrap_err();
}

async fn a_column_that_may_be_null_but_should_not_is_not_breaking(fixture: Fixture) {
    let relaxed = "ALTER TABLE api_keys ALTER COLUMN client_id DROP NOT NULL";
    alter(&fixture, relaxed, ("client_id VARCHAR(255) NOT NULL", "client_id VARCHAR(255)")).await;
    assert_differences(&fixture, &[("api_keys.client_id", "NOT NULL", "NULL allowed", false)]).await;
    fixture.keys.issue(draft()).await.unwrap();
}

async fn a_missing_unique_is_named(fixture: Fixture) {
    let dropped = "ALTER TABLE api_keys DROP CONSTRAINT api_keys_key_hash_key";
    alter(&fixture, dropped, ("NOT NULL UNIQUE", "NOT NULL")).await;
    assert_differences(&fixture, &[("api_keys", "unique (key_hash)", "none", true)]).await;
}

async fn a_missing_primary_key_is_named(fixture: Fixture) {
    let dropped = "ALTER TABLE api_keys DROP CONSTRAINT api_keys_pkey";
    alter(&fixture, dropped, ("id TEXT PRIMARY KEY NOT NULL", "id TEXT NOT NULL")).await;
    assert_differences(&fixture, &[("api_keys", "primary key (id)", "none", true)]).await;
}

async fn a_primary_key_of_another_column_is_named(fixture: Fixture) {
    let moved = "ALTER TABLE api_keys DROP CONSTRAINT api_keys_pkey, ADD PRIMARY KEY (name)";
    alter(&fixture, moved, ("id TEXT PRIMARY KEY NOT NULL", "id TEXT NOT NULL")).await;
    if fixture.database().dialect("", "sqlite") == "sqlite" {
        alter(&fixture, "", ("name VARCHAR(255)", "name VARCHAR(255) PRIMARY KEY")).await;
    }
    assert_differences(&fixture, &[("api_keys", "primary key (id)", "name", true)]).await;
}

async fn a_missing_index_is_not_breaking(fixture: Fixture) {
    fixture.database().run("DROP INDEX idx_api_keys_client_id").await;
    assert_differences(&fixture, &[("api_keys", "index (client_id)", "none", false)]).await;
    // The index on the digest repeats the one behind its UNIQUE, which serves as well.
    fixture.database().run("DROP INDEX idx_api_keys_key_hash").await;
    assert_differences(&fixture, &[("api_keys", "index (client_id)", "none", false)]).await;
}

async fn an_extra_index_is_not_breaking(fixture: Fixture) {
    fixture.database().run("CREATE INDEX by_name ON api_keys (name, client_id)").await;
    assert_differences(&fixture, &[("api_keys", "no index (name,client_id)", "one", false)]).await;
}

async fn another_default_is_not_breaking(fixture: Fixture) {
    let lowered = "ALTER TABLE api_keys ALTER COLUMN rate_limit_rpm SET DEFAULT 30";
    alter(&fixture, lowered, ("INTEGER DEFAULT 60", "INTEGER DEFAULT 30")).await;
    assert_differences(&fixture, &[("api_keys.rate_limit_rpm", "default 60", "default 30", false)]).await;
}

async fn an_extra_unique_is_named(fixture: Fixture) {
    fixture.database().run("CREATE UNIQUE INDEX one_name ON api_keys (name)").await;
    assert_differences(&fixture, &[("api_keys", "no unique (name)", "one", true)]).await;
}

/// A partial index forbids the second key of a client as well as a whole one does.
async fn a_unique_among_the_active_keys_of_a_client_is_named(fixture: Fixture) {
    fixture.database().run("CREATE UNIQUE INDEX one_key ON api_keys (client_id) WHERE is_active").await;
    let found = fixture.sql().check().await.unwrap();
    let breaking: Vec<_> = found.iter().filter(|difference| difference.breaking).collect();
    fixture.keys.issue(draft()).await.unwrap();
    fixture.keys.issue(draft()).await.unwrap_err();
    assert!(matches!(breaking[..], [one] if one.to_string().contains("client_id")), "{found:?}");
}

async fn a_unique_that_is_narrower_by_an_expression_is_not_taken_for_ours(fixture: Fixture) {
    let dropped = "ALTER TABLE api_keys DROP CONSTRAINT api_keys_key_hash_key";
    alter(&fixture, dropped, ("NOT NULL UNIQUE", "NOT NULL")).await;
    fixture.database().run("CREATE UNIQUE INDEX weak ON api_keys (key_hash, (lower(name)))").await;
    let found = fixture.sql().check().await.unwrap();
    let is_named = found.iter().any(|difference| difference.expected == "unique (key_hash)" && difference.breaking);
    assert!(is_named, "one digest may stand there twice: {found:?}");
}
