//! Many keys of one owner: whatever keeps one of them, the others are revoked at once, and what is left is named.

use std::time::Duration;

use tokio::time::timeout;

use keyward::key::{KeyId, RefusalReason};
use keyward::store::StoreError;

use super::{Table, issue, owner, refusal, table};
use crate::support::{Database, Fixture, TestSchema, over_schemas};
#[cfg(feature = "postgres")]
use crate::trouble::postgres::{impatient, small_pool};

over_schemas![
    every_database of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    five_thousand_keys_of_an_owner_are_revoked_in_one_call,
    a_row_that_raises_among_many_is_the_only_one_left,
];
over_schemas![
    every_database of [scraper::Scraper, mesh::Mesh]:
    rows_without_an_identity_keep_no_other_key_from_its_turn,
];
#[cfg(feature = "postgres")]
over_schemas![
    on_postgres of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    all_keys_but_the_one_that_is_locked_are_revoked_and_that_one_is_named,
    a_row_that_is_let_go_of_in_time_is_revoked_with_the_others,
    an_outage_halfway_says_how_many_keys_were_revoked,
];
#[cfg(feature = "postgres")]
over_schemas![on_postgres of [scraper::Scraper]: a_key_that_was_revoked_long_ago_may_be_locked];

/// Longer than anything takes that waits for one lock.
const LIMIT: Duration = Duration::from_secs(30);

impl Table {
    /// Adds copies of the one key there is, with identities and digests of their own.
    async fn multiply(&self, database: &Database, copies: u32) {
        let Self { name, id, digest, .. } = self;
        let is_own = name.ends_with("keys") && name.contains("keyward");
        let (new_id, new_digest) = match (database.is_postgres(), is_own) {
            (true, true) => ("gen_random_uuid()::text", "sha256(random()::text::bytea)"),
            (true, false) if self.name == "api_keys" => {
                ("gen_random_uuid()", "encode(sha256(random()::text::bytea), 'hex')")
            }
            (true, false) => ("gen_random_uuid()::text", "encode(sha256(random()::text::bytea), 'hex')"),
            (false, true) => ("lower(hex(randomblob(16)))", "randomblob(32)"),
            (false, false) => ("lower(hex(randomblob(16)))", "lower(hex(randomblob(32)))"),
        };
        let numbers = format!(
            "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {copies})"
        );
        database
            .run(&format!(
                "CREATE TABLE copies AS {numbers} SELECT {name}.* FROM {name}, numbers;
                 UPDATE copies SET {id} = {new_id}, {digest} = {new_digest};
                 INSERT INTO {name} SELECT * FROM copies;
                 DROP TABLE copies"
            ))
            .await;
    }

    /// The identity that stands at this place, from 0, among those of the owner.
    async fn id_at(&self, database: &Database, place: u32) -> String {
        let Self { name, id, .. } = self;
        let text = database.dialect("::text", "");
        database.text(&format!("SELECT {id}{text} FROM {name} ORDER BY {id} LIMIT 1 OFFSET {place}")).await.unwrap()
    }
}

async fn five_thousand_keys_of_an_owner_are_revoked_in_one_call<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme"]).await.remove(0);
    table(&fixture).multiply(fixture.database(), 4_999).await;
    issue(&fixture, &["other"]).await;
    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (5_000, &[][..]));
    assert_eq!(table(&fixture).live(fixture.database(), "acme").await, "0");
    assert_eq!(table(&fixture).live(fixture.database(), "other").await, "1");
    assert!(refusal(&fixture.keys, &issued).await.is_some());
    assert_eq!(fixture.keys.revoke_all(&owner("acme"), None).await.unwrap().count, 0);
}

async fn a_row_that_raises_among_many_is_the_only_one_left<S: TestSchema>(fixture: Fixture<S>) {
    issue(&fixture, &["acme"]).await;
    let table = table(&fixture);
    table.multiply(fixture.database(), 1_200).await;
    let raising = table.id_at(fixture.database(), 700).await;
    let condition = format!("{} = '{raising}'", table.id);
    let (postgres, sqlite) = ("RAISE EXCEPTION 'not this one';", "SELECT RAISE(ABORT, 'not this one')");
    table.before_update(fixture.database(), &condition, postgres, sqlite).await;
    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (1_200, &[KeyId::from_stored(raising)][..]));
    assert_eq!(table.live(fixture.database(), "acme").await, "1");
}

/// One row raises, so that the others are revoked by their identities, of which there are more than a page.
async fn rows_without_an_identity_keep_no_other_key_from_its_turn<S: TestSchema>(fixture: Fixture<S>) {
    issue(&fixture, &["acme"]).await;
    let table = table(&fixture);
    table.loosen(fixture.database()).await;
    let Table { name, id, digest, .. } = &table;
    table.multiply(fixture.database(), 150).await;
    fixture.database().run(&format!("UPDATE {name} SET {id} = NULL")).await;
    // Each stands before the word by which a row without identity is named.
    fixture.database().run(&format!("CREATE TABLE named AS SELECT * FROM {name} LIMIT 1")).await;
    for number in 1..=121 {
        let new = format!("{id} = '{number:08x}-0000-0000-0000-000000000000', {digest} = '{number:064x}'");
        fixture.database().run(&format!("UPDATE named SET {new}; INSERT INTO {name} SELECT * FROM named")).await;
    }
    let raising = "00000003-0000-0000-0000-000000000000";
    let (postgres, sqlite) = ("RAISE EXCEPTION 'not this one';", "SELECT RAISE(ABORT, 'not this one')");
    table.before_update(fixture.database(), &format!("{id} = '{raising}'"), postgres, sqlite).await;

    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, revoked.remaining.len()), (120, 100));
    assert_eq!((revoked.remaining[0].as_str(), revoked.remaining[1].as_str()), (raising, "NULL"));
    assert_eq!(table.live(fixture.database(), "acme").await, "152");
}

#[cfg(feature = "postgres")]
async fn all_keys_but_the_one_that_is_locked_are_revoked_and_that_one_is_named<S: TestSchema>(fixture: Fixture<S>) {
    let first = issue(&fixture, &["acme"]).await.remove(0);
    let table = table(&fixture);
    table.multiply(fixture.database(), 700).await;
    let locked = table.id_at(fixture.database(), 600).await;
    let Table { name, id, .. } = &table;
    let lock = format!("SELECT 1 FROM {name} WHERE {id}::text = '{locked}' FOR UPDATE");
    let (_pool, host) = super::locks::open(&fixture, &lock).await;

    let acme = owner("acme");
    let pool = small_pool(&fixture, 2).await;
    let keys = impatient(&fixture, &pool).await;
    let revoked = timeout(LIMIT, keys.revoke_all(&acme, None)).await.expect("it waits once").unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (700, &[KeyId::from_stored(locked.clone())][..]));
    assert_eq!(table.live(fixture.database(), "acme").await, "1");
    if first.record.head.id.as_str() != locked {
        assert!(refusal(&fixture.keys, &first).await.is_some());
    }
    let again = keys.revoke_all(&acme, None).await;
    assert!(matches!(again, Err(StoreError::Unavailable { .. })), "nothing was changed: {again:?}");
    host.rollback().await.unwrap();
    assert_eq!(fixture.keys.revoke_all(&owner("acme"), None).await.unwrap().count, 1);
    assert_eq!(table.live(fixture.database(), "acme").await, "0");
}

#[cfg(feature = "postgres")]
async fn a_row_that_is_let_go_of_in_time_is_revoked_with_the_others<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme", "acme"]).await;
    let table = table(&fixture);
    let Table { name, id, live, .. } = &table;
    let lock = format!("SELECT 1 FROM {name} WHERE {id}::text = '{}' FOR UPDATE", issued[1].record.head.id);
    let (_pool, host) = super::locks::open(&fixture, &lock).await;
    // The other one is revoked while this one is still waited for.
    let one = format!("SELECT CAST(count(*) AS varchar(9)) FROM {name} WHERE {live}");
    let let_go = async {
        while fixture.database().text(&one).await.as_deref() != Some("1") {}
        host.rollback().await.unwrap();
    };
    let acme = owner("acme");
    let both = async { tokio::join!(fixture.keys.revoke_all(&acme, None), let_go) };
    let revoked = timeout(LIMIT, both).await.expect("both have an end").0.unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (2, &[][..]));
}

#[cfg(feature = "postgres")]
async fn an_outage_halfway_says_how_many_keys_were_revoked<S: TestSchema>(fixture: Fixture<S>) {
    issue(&fixture, &["acme"]).await;
    let table = table(&fixture);
    table.multiply(fixture.database(), 700).await;
    let condition = format!("{} = '{}'", table.id, table.id_at(fixture.database(), 600).await);
    let end = "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NEW;";
    table.before_update(fixture.database(), &condition, end, "").await;
    let failed = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap_err();
    assert!(failed.is_outage());
    let StoreError::Interrupted { revoked, source } = &failed else { panic!("{failed:?}") };
    assert!(matches!(**source, StoreError::Unavailable { .. }), "{source:?}");
    assert_eq!(table.live(fixture.database(), "acme").await, (701 - revoked).to_string());
    assert_eq!(*revoked, 500);
}

/// Only keys that are live are locked for it.
#[cfg(feature = "postgres")]
async fn a_key_that_was_revoked_long_ago_may_be_locked<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme", "acme"]).await;
    let id = &issued[0].record.head.id;
    fixture.keys.revoke(id, None).await.unwrap();
    let Table { name, id: column, .. } = table(&fixture);
    let lock = format!("SELECT 1 FROM {name} WHERE {column} = '{id}' FOR UPDATE");
    let (_pool, host) = super::locks::open(&fixture, &lock).await;
    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (1, &[][..]));
    assert_eq!(refusal(&fixture.keys, &issued[1]).await, Some(RefusalReason::Revoked));
    host.rollback().await.unwrap();
}
