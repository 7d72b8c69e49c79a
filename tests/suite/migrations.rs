//! Making the tables, once in all processes together, and telling in what a host's own tables differ from them.

use std::sync::Arc;
use std::time::Duration;

use keyward::key::{OwnerId, RefusalReason, RevocationReason};
use keyward::sql::migrate::MigrateError;
use keyward::store::{KeyStore, StoreError};
use keyward::{Keys, KeysError};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{
    Fixture, START, Store, draft, over_every_bare_table, over_every_empty_database, over_every_engine,
};

const MIGRATIONS: [&str; 2] = ["scraper_0001_api_keys", "0001_side_tables"];

const HOUR: Duration = Duration::from_hours(1);

over_every_empty_database![
    a_second_migration_does_nothing,
    concurrent_processes_apply_each_migration_once,
    concurrent_processes_open_a_new_database,
    a_migration_that_was_applied_in_another_form_is_refused,
    what_a_migration_did_is_recorded,
    a_database_without_tables_has_all_of_them_missing,
];

async fn a_second_migration_does_nothing(fixture: Fixture) {
    assert_eq!(fixture.database.migrate().await.unwrap(), MIGRATIONS);
    let before = fixture.another_process().await.issue(draft().into()).await.unwrap();
    assert_eq!(fixture.database.migrate().await.unwrap(), [""; 0]);
    fixture.keys.verify(before.secret.expose_secret()).await.unwrap();
}

async fn concurrent_processes_apply_each_migration_once(fixture: Fixture) {
    const PROCESSES: usize = 8;
    // Several rounds, because a collision takes luck; each begins only once everybody is connected.
    for _ in 0..5 {
        let start = Arc::new(Barrier::new(PROCESSES));
        let mut processes = JoinSet::new();
        for _ in 0..PROCESSES {
            let migrator = fixture.database.open_migrator().await.unwrap();
            let start = Arc::clone(&start);
            processes.spawn(async move {
                start.wait().await;
                migrator.migrate().await
            });
        }
        let mut applied: Vec<_> = processes.join_all().await.into_iter().flat_map(Result::unwrap).collect();
        applied.sort_unstable_by_key(|name| MIGRATIONS.iter().position(|migration| migration == name));
        assert_eq!(applied, MIGRATIONS);
        assert_eq!(fixture.database.check().await, []);
        for table in ["api_keys", "keyward_revocations", "keyward_rotations", "keyward_migrations"] {
            fixture.database.run(&format!("DROP TABLE {table}")).await;
        }
    }
}

/// Opening a file sets it up, which must not fail where several do it at once.
async fn concurrent_processes_open_a_new_database(fixture: Fixture) {
    let fixture = Arc::new(fixture);
    let mut processes = JoinSet::new();
    for _ in 0..8 {
        let fixture = Arc::clone(&fixture);
        processes.spawn(async move { fixture.database.migrate().await.map(|applied| applied.len()) });
    }
    let applied: usize = processes.join_all().await.into_iter().map(Result::unwrap).sum();
    assert_eq!(applied, MIGRATIONS.len());
}

async fn a_migration_that_was_applied_in_another_form_is_refused(fixture: Fixture) {
    fixture.database.migrate().await.unwrap();
    for changed in MIGRATIONS {
        let mark = |mark: &str| format!("UPDATE keyward_migrations SET checksum = {mark} WHERE name = '{changed}'");
        fixture.database.run(&mark("checksum || '0'")).await;
        let refused = fixture.database.migrate().await.unwrap_err();
        assert!(matches!(refused, MigrateError::Changed { name } if name == changed), "{changed}: {refused:?}");
        fixture.database.run(&mark("substr(checksum, 1, 64)")).await;
        assert_eq!(fixture.database.migrate().await.unwrap(), [""; 0]);
    }
}

async fn what_a_migration_did_is_recorded(fixture: Fixture) {
    fixture.database.migrate().await.unwrap();
    for name in MIGRATIONS {
        let ask = |column: &str| format!("SELECT CAST({column} AS text) FROM keyward_migrations WHERE name = '{name}'");
        let checksum = fixture.database.text(&ask("checksum")).await.unwrap();
        assert!(checksum.len() == 64 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit()), "{checksum}");
        let applied_at = fixture.database.text(&ask("applied_at")).await;
        assert_eq!(applied_at.as_deref(), Some("2030-01-01 00:00:00.123456"), "{START}");
    }
}

async fn a_database_without_tables_has_all_of_them_missing(fixture: Fixture) {
    let missing = |table, breaking| (table, "a table", "none", breaking);
    let expected =
        [missing("api_keys", true), missing("keyward_revocations", false), missing("keyward_rotations", false)];
    assert_differences(&fixture, &expected).await;
    let store = fixture.keys.list(&OwnerId::new("acme").unwrap(), 1, None).await.unwrap_err();
    assert!(matches!(store, StoreError::Backend { .. }), "a missing table is no outage that passes: {store:?}");
}

over_every_bare_table![
    without_the_side_tables_keys_are_issued_accepted_listed_and_revoked,
    without_the_side_tables_a_rotation_has_a_grace_period,
    without_the_side_tables_one_of_many_rotations_wins,
    without_the_side_tables_a_reason_is_refused_and_nothing_revoked,
    migrating_adds_the_side_tables_to_a_table_in_use,
];

async fn without_the_side_tables_keys_are_issued_accepted_listed_and_revoked(fixture: Fixture) {
    let keys = &fixture.keys;
    let abilities = fixture.store().abilities();
    assert!(!abilities.revocation_reason && !abilities.revocation_time);
    let owner = OwnerId::new("acme").unwrap();
    let first = keys.issue(draft().into()).await.unwrap();
    let second = keys.issue(draft().into()).await.unwrap();
    assert_eq!(keys.verify(first.secret.expose_secret()).await.unwrap().into_record(), first.record);
    assert_eq!(keys.list(&owner, 10, None).await.unwrap().keys.len(), 2);

    keys.revoke(&first.record.head.id, None).await.unwrap();
    assert_refused(keys, first.secret.expose_secret(), RefusalReason::Inactive).await;
    keys.verify(second.secret.expose_secret()).await.unwrap();
    assert_eq!(keys.revoke_all(&owner, None).await.unwrap(), 1);
    assert_refused(keys, second.secret.expose_secret(), RefusalReason::Inactive).await;
}

async fn without_the_side_tables_a_rotation_has_a_grace_period(fixture: Fixture) {
    let keys = &fixture.keys;
    for draft in [draft(), draft().expires_at(START.saturating_add(100 * HOUR))] {
        let old = keys.issue(draft.into()).await.unwrap();
        let rotated = keys.rotate(&old.record.head.id, HOUR, None).await.unwrap();
        assert_eq!(rotated.accepted_until, keys.now().saturating_add(HOUR));
        keys.verify(old.secret.expose_secret()).await.unwrap();
        keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
        fixture.clock.advance(HOUR);
        assert_refused(keys, old.secret.expose_secret(), RefusalReason::Expired).await;
        keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    }
}

async fn without_the_side_tables_one_of_many_rotations_wins(fixture: Fixture) {
    // The harder case is the second, in which every rotation would leave the predecessor's own expiry as it is.
    for (expires_in, grace) in [(None, HOUR), (Some(HOUR), 2 * HOUR), (Some(3 * HOUR), HOUR)] {
        let mut draft = draft();
        if let Some(lifetime) = expires_in {
            draft = draft.expires_at(START.saturating_add(lifetime));
        }
        let predecessor = fixture.keys.issue(draft.into()).await.unwrap().record;
        let mut processes = JoinSet::new();
        for _ in 0..8 {
            let keys = fixture.another_process().await;
            let prepared = keys.prepare_rotation(predecessor.clone(), grace, None).unwrap();
            processes.spawn(async move { keys.store().rotate(prepared.rotation()).await });
        }
        let outcomes = processes.join_all().await;
        let winners = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(winners, 1, "{outcomes:?}");
        for lost in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(lost, StoreError::Conflict), "{lost:?}");
        }
    }
}

async fn without_the_side_tables_a_reason_is_refused_and_nothing_revoked(fixture: Fixture) {
    let keys = &fixture.keys;
    let issued = keys.issue(draft().into()).await.unwrap();
    let reason = RevocationReason::new("leaked").unwrap();
    let one = keys.revoke(&issued.record.head.id, Some(reason.clone())).await;
    assert!(matches!(one, Err(KeysError::Store(StoreError::Unsupported(_)))), "{one:?}");
    let all = keys.revoke_all(&issued.record.head.owner, Some(reason)).await;
    assert!(matches!(all, Err(StoreError::Unsupported(_))), "{all:?}");
    keys.verify(issued.secret.expose_secret()).await.unwrap();
}

async fn migrating_adds_the_side_tables_to_a_table_in_use(fixture: Fixture) {
    let issued = fixture.keys.issue(draft().into()).await.unwrap();
    // The bare SQLite table was migrated once; what a host drops by hand, it has to forget by hand.
    fixture.database.run("DROP TABLE IF EXISTS keyward_migrations").await;
    assert_eq!(fixture.database.migrate().await.unwrap(), ["0001_side_tables"]);
    let keys = fixture.another_process().await;
    keys.verify(issued.secret.expose_secret()).await.unwrap();
    keys.revoke(&issued.record.head.id, Some(RevocationReason::new("leaked").unwrap())).await.unwrap();
    assert_refused(&keys, issued.secret.expose_secret(), RefusalReason::Revoked).await;
    // Whoever opened the table before the migration still does what can be done without it.
    assert_refused(&fixture.keys, issued.secret.expose_secret(), RefusalReason::Inactive).await;
}

over_every_engine![
    our_own_tables_do_not_differ,
    a_missing_table_is_named,
    a_missing_side_table_is_named_and_not_breaking,
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

async fn assert_differences(fixture: &Fixture, expected: &[Expected<'_>]) {
    let found = fixture.database.check().await;
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
    let database = &fixture.database;
    if database.dialect("postgres", "sqlite") == "postgres" {
        return database.run(postgres).await;
    }
    let made = "SELECT group_concat(sql, ';') FROM sqlite_schema WHERE tbl_name = 'api_keys'";
    let made = database.text(made).await.unwrap();
    assert!(made.contains(from), "there is no {from:?} in {made}");
    database.run(&format!("DROP TABLE api_keys; {}", made.replace(from, to))).await;
}

async fn our_own_tables_do_not_differ(fixture: Fixture) {
    assert_differences(&fixture, &[]).await;
}

async fn a_missing_table_is_named(fixture: Fixture) {
    fixture.database.run("DROP TABLE api_keys").await;
    assert_differences(&fixture, &[("api_keys", "a table", "none", true)]).await;
}

async fn a_missing_side_table_is_named_and_not_breaking(fixture: Fixture) {
    fixture.database.run("DROP TABLE keyward_rotations").await;
    assert_differences(&fixture, &[("keyward_rotations", "a table", "none", false)]).await;
    let issued = fixture.another_process().await.issue(draft().into()).await.unwrap();
    fixture.another_process().await.rotate(&issued.record.head.id, HOUR, None).await.unwrap();
}

async fn a_missing_column_is_named(fixture: Fixture) {
    for column in ["metadata", "last_used_at"] {
        fixture.database.run(&format!("ALTER TABLE api_keys DROP COLUMN {column}")).await;
    }
    let expected =
        [("api_keys.last_used_at", "a column", "none", true), ("api_keys.metadata", "a column", "none", true)];
    assert_differences(&fixture, &expected).await;
}

async fn an_extra_column_that_may_stay_empty_is_not_breaking(fixture: Fixture) {
    fixture.database.run("ALTER TABLE api_keys ADD COLUMN note text").await;
    assert_differences(&fixture, &[("api_keys.note", "no column", "a column", false)]).await;
    fixture.keys.issue(draft().into()).await.unwrap();
}

async fn an_extra_column_with_a_default_is_not_breaking(fixture: Fixture) {
    fixture.database.run("ALTER TABLE api_keys ADD COLUMN note text NOT NULL DEFAULT 'none'").await;
    assert_differences(&fixture, &[("api_keys.note", "no column", "a column", false)]).await;
    fixture.keys.issue(draft().into()).await.unwrap();
}

async fn an_extra_column_that_has_to_be_filled_is_named(fixture: Fixture) {
    let column = "ALTER TABLE api_keys ADD COLUMN note text NOT NULL";
    alter(&fixture, column, ("last_used_at", "note text NOT NULL, last_used_at")).await;
    assert_differences(&fixture, &[("api_keys.note", "no column", "a column that has to be filled", true)]).await;
    fixture.keys.issue(draft().into()).await.unwrap_err();
}

async fn a_column_of_another_type_is_named(fixture: Fixture) {
    let zoned = "ALTER TABLE api_keys ALTER COLUMN expires_at TYPE timestamptz";
    alter(&fixture, zoned, ("expires_at TIMESTAMP", "expires_at REAL")).await;
    let database = &fixture.database;
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
    fixture.keys.issue(draft().into()).await.unwrap_err();
}

async fn a_column_that_may_be_null_but_should_not_is_not_breaking(fixture: Fixture) {
    let relaxed = "ALTER TABLE api_keys ALTER COLUMN client_id DROP NOT NULL";
    alter(&fixture, relaxed, ("client_id VARCHAR(255) NOT NULL", "client_id VARCHAR(255)")).await;
    assert_differences(&fixture, &[("api_keys.client_id", "NOT NULL", "NULL allowed", false)]).await;
    fixture.keys.issue(draft().into()).await.unwrap();
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
    if fixture.database.dialect("", "sqlite") == "sqlite" {
        alter(&fixture, "", ("name VARCHAR(255)", "name VARCHAR(255) PRIMARY KEY")).await;
    }
    assert_differences(&fixture, &[("api_keys", "primary key (id)", "name", true)]).await;
}

async fn a_missing_index_is_not_breaking(fixture: Fixture) {
    fixture.database.run("DROP INDEX idx_api_keys_client_id").await;
    assert_differences(&fixture, &[("api_keys", "index (client_id)", "none", false)]).await;
    // The index on the digest repeats the one behind its UNIQUE, which serves as well.
    fixture.database.run("DROP INDEX idx_api_keys_key_hash").await;
    assert_differences(&fixture, &[("api_keys", "index (client_id)", "none", false)]).await;
}

async fn an_extra_index_is_not_breaking(fixture: Fixture) {
    fixture.database.run("CREATE INDEX by_name ON api_keys (name, client_id)").await;
    assert_differences(&fixture, &[("api_keys", "no index (name,client_id)", "one", false)]).await;
}

async fn another_default_is_not_breaking(fixture: Fixture) {
    let lowered = "ALTER TABLE api_keys ALTER COLUMN rate_limit_rpm SET DEFAULT 30";
    alter(&fixture, lowered, ("INTEGER DEFAULT 60", "INTEGER DEFAULT 30")).await;
    assert_differences(&fixture, &[("api_keys.rate_limit_rpm", "default 60", "default 30", false)]).await;
}

async fn an_extra_unique_is_named(fixture: Fixture) {
    fixture.database.run("CREATE UNIQUE INDEX one_name ON api_keys (name)").await;
    assert_differences(&fixture, &[("api_keys", "no unique (name)", "one", true)]).await;
}

/// A partial index forbids the second key of a client as well as a whole one does.
async fn a_unique_among_the_active_keys_of_a_client_is_named(fixture: Fixture) {
    fixture.database.run("CREATE UNIQUE INDEX one_key ON api_keys (client_id) WHERE is_active").await;
    let found = fixture.database.check().await;
    let breaking: Vec<_> = found.iter().filter(|difference| difference.breaking).collect();
    fixture.keys.issue(draft().into()).await.unwrap();
    fixture.keys.issue(draft().into()).await.unwrap_err();
    assert!(matches!(breaking[..], [one] if one.to_string().contains("client_id")), "{found:?}");
}

async fn a_unique_that_is_narrower_by_an_expression_is_not_taken_for_ours(fixture: Fixture) {
    let dropped = "ALTER TABLE api_keys DROP CONSTRAINT api_keys_key_hash_key";
    alter(&fixture, dropped, ("NOT NULL UNIQUE", "NOT NULL")).await;
    fixture.database.run("CREATE UNIQUE INDEX weak ON api_keys (key_hash, (lower(name)))").await;
    let found = fixture.database.check().await;
    let is_named = found.iter().any(|difference| difference.expected == "unique (key_hash)" && difference.breaking);
    assert!(is_named, "one digest may stand there twice: {found:?}");
}

async fn assert_refused(keys: &Keys<Store>, key: &str, reason: RefusalReason) {
    let refusal = keys.verify(key).await.unwrap_err();
    assert_eq!(refusal.reason(), reason);
}

/// What only PostgreSQL can be altered to.
#[cfg(feature = "postgres")]
mod postgres {
    use super::{Fixture, assert_differences, draft};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_table_that_the_system_itself_made_does_not_differ() {
        let fixture = Fixture::bare_postgres().await;
        let missing = |table| (table, "a table", "none", false);
        assert_differences(&fixture, &[missing("keyward_revocations"), missing("keyward_rotations")]).await;
        fixture.database.migrate().await.unwrap();
        assert_differences(&fixture, &[]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_text_of_another_length_is_not_breaking() {
        let fixture = Fixture::postgres().await;
        fixture.database.run("ALTER TABLE api_keys ALTER COLUMN name TYPE text").await;
        let (expected, found) = ("character varying(255)", "text");
        assert_differences(&fixture, &[("api_keys.name", expected, found, false)]).await;
        fixture.keys.issue(draft().into()).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_text_that_is_too_short_for_its_values_is_named() {
        let fixture = Fixture::postgres().await;
        fixture.database.run("ALTER TABLE api_keys ALTER COLUMN key_hash TYPE varchar(32)").await;
        let (expected, found) = ("character varying(64)", "character varying(32)");
        fixture.keys.issue(draft().into()).await.unwrap_err();
        assert_differences(&fixture, &[("api_keys.key_hash", expected, found, true)]).await;
    }

    /// The server pads what is shorter; what was written is read all the same.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_text_of_fixed_length_is_read_without_its_padding() {
        let fixture = Fixture::postgres().await;
        fixture.database.run("ALTER TABLE api_keys ALTER COLUMN client_id TYPE char(255)").await;
        let (expected, found) = ("character varying(255)", "character(255)");
        let issued = fixture.keys.issue(draft().into()).await.unwrap();
        let accepted = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(accepted.head().owner.as_str(), "acme");
        assert_eq!(fixture.keys.list(&accepted.head().owner, 5, None).await.unwrap().keys.len(), 1);
        assert_differences(&fixture, &[("api_keys.client_id", expected, found, false)]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_extra_column_that_numbers_itself_is_not_breaking() {
        let fixture = Fixture::postgres().await;
        fixture.database.run("ALTER TABLE api_keys ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY").await;
        fixture.keys.issue(draft().into()).await.unwrap();
        assert_differences(&fixture, &[("api_keys.number", "no column", "a column", false)]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_unique_that_carries_another_column_along_is_the_same_unique() {
        let fixture = Fixture::postgres().await;
        let covering = "ALTER TABLE api_keys DROP CONSTRAINT api_keys_key_hash_key, \
                        ADD UNIQUE (key_hash) INCLUDE (client_id)";
        fixture.database.run(covering).await;
        assert_differences(&fixture, &[]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_tables_are_found_in_the_schema_that_the_search_path_names() {
        let fixture = Fixture::empty_postgres().await;
        let database = fixture.database.text("SELECT current_database()::text").await.unwrap();
        fixture.database.run(&format!("CREATE SCHEMA keys; ALTER DATABASE {database} SET search_path = keys")).await;
        fixture.database.migrate().await.unwrap();
        assert_differences(&fixture, &[]).await;
        let schema = fixture.database.text("SELECT schemaname::text FROM pg_tables WHERE tablename = 'api_keys'").await;
        assert_eq!(schema.as_deref(), Some("keys"));
        let keys = fixture.another_process().await;
        let issued = keys.issue(draft().into()).await.unwrap();
        keys.verify(issued.secret.expose_secret()).await.unwrap();
    }
}
