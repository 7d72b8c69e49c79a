//! What is recorded of a migration, and what a record says that this version does not know.

use keyward::SqlKeyStore;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::sql::MigrateError;
use keyward::store::{StoreError, Unfit};
use sha2::{Digest, Sha256};

use super::{all, migrate};
use crate::support::{Fixture, START, TestSchema, over, over_every_schema};

const NOTHING: [&str; 0] = [];

over_every_schema![every_engine:
    a_migration_that_was_applied_in_another_form_is_refused,
    a_record_of_a_newer_version_is_refused,
    the_time_and_a_checksum_that_covers_no_comments_are_recorded,
];

over![every_engine of Standard: a_newer_record_of_another_schema_is_none_of_ours];

async fn a_migration_that_was_applied_in_another_form_is_refused<S: TestSchema>(fixture: Fixture<S>) {
    let table = fixture.database().own_table("migrations");
    for migration in S::migrations() {
        let number = migration.version();
        let mark = |mark: &str| {
            format!("UPDATE {table} SET checksum = {mark} WHERE schema = '{}' AND version = {number}", S::NAME)
        };
        fixture.database().run(&mark("checksum || '0'")).await;
        let refused = migrate(fixture.sql()).await.unwrap_err();
        assert!(
            matches!(refused, MigrateError::Unfit(Unfit::Changed { schema, version, name })
                     if schema == S::NAME && version == number && name == migration.name()),
            "{number}: {refused:?}"
        );
        let refused = SqlKeyStore::open(fixture.database().engine().await, S::schema()).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Unfit(Unfit::Changed { schema, version, .. })
                     if schema == S::NAME && version == number),
            "{number}: {refused:?}"
        );
        let found = fixture.sql().check().await.unwrap();
        assert!(matches!(&found[..], [difference] if difference.breaking), "{found:?}");
        fixture.database().run(&mark("substr(checksum, 1, 64)")).await;
        assert_eq!(migrate(fixture.sql()).await.unwrap(), NOTHING);
    }
}

async fn a_record_of_a_newer_version_is_refused<S: TestSchema>(fixture: Fixture<S>) {
    record(&fixture, S::NAME, 99).await;
    let newest = u32::try_from(all::<S>().len()).unwrap();
    let refused = migrate(fixture.sql()).await.unwrap_err();
    assert!(
        matches!(refused, MigrateError::Unfit(Unfit::Newer { schema, found: 99, known }) if schema == S::NAME && known == newest),
        "{refused:?}"
    );
    let message = refused.to_string();
    assert!(message.contains("99") && message.contains(&newest.to_string()) && message.contains(S::NAME), "{message}");
    let refused = SqlKeyStore::open(fixture.database().engine().await, S::schema()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unfit(Unfit::Newer { schema, found: 99, known })
                 if schema == S::NAME && known == newest),
        "{refused:?}"
    );
    assert!(refused.is_outage());
    let found = fixture.sql().check().await.unwrap();
    let [difference] = &found[..] else { panic!("{found:?}") };
    assert!(difference.breaking && difference.object == fixture.database().own_table("migrations"), "{difference}");
}

async fn record<S: TestSchema>(fixture: &Fixture<S>, schema: &str, version: u32) {
    let table = fixture.database().own_table("migrations");
    let insert = format!(
        "INSERT INTO {table} (schema, version, name, checksum, applied_at)
         VALUES ('{schema}', {version}, 'later', 'unknown', '2040-01-01 00:00:00')"
    );
    fixture.database().run(&insert).await;
}

async fn a_newer_record_of_another_schema_is_none_of_ours(fixture: Fixture<Standard>) {
    record(&fixture, <Scraper as keyward::key::Schema>::NAME, 99).await;
    assert_eq!(migrate(fixture.sql()).await.unwrap(), NOTHING);
}

/// The checksum is worked out here by other means: comments cut off line by line, one space between words.
async fn the_time_and_a_checksum_that_covers_no_comments_are_recorded<S: TestSchema>(fixture: Fixture<S>) {
    let table = fixture.database().own_table("migrations");
    for migration in S::migrations() {
        let version = migration.version();
        let ask = |column: &str| {
            format!("SELECT CAST({column} AS text) FROM {table} WHERE schema = '{}' AND version = {version}", S::NAME)
        };
        let text = fixture.database().dialect(migration.postgres(), migration.sqlite());
        assert!(text.contains("--"), "the text has a comment to leave out");
        let without_comments = text
            .lines()
            .map(|line| line.split_once("--").map_or(line, |(code, _)| code))
            .collect::<Vec<_>>()
            .join("\n");
        let folded = without_comments.split_whitespace().collect::<Vec<_>>().join(" ");
        let checksum = fixture.database().text(&ask("checksum")).await.unwrap();
        assert_eq!(checksum, hex::encode(Sha256::digest(folded)), "{version}");
        assert_eq!(fixture.database().text(&ask("name")).await.unwrap(), migration.name());
        let applied_at = fixture.database().text(&ask("applied_at")).await;
        assert_eq!(applied_at.as_deref(), Some("2030-01-01 00:00:00.123456"), "{START}");
    }
}
