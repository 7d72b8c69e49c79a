//! Keys of one owner whose rows somebody holds: all others are revoked at once, and what is left is named.

#![cfg(feature = "postgres")]

use std::time::Duration;

use keyward::key::{KeyId, RefusalReason};
use keyward::store::StoreError;
use tokio::time::timeout;

use super::locks::open;
use super::{Table, issue, owner, refusal, table};
use crate::support::{Fixture, TestSchema, over_schemas};
use crate::trouble::postgres::{impatient, small_pool};

over_schemas![
    on_postgres of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    all_keys_but_the_one_that_is_locked_are_revoked_and_that_one_is_named,
    a_row_that_is_let_go_of_in_time_is_revoked_with_the_others,
    an_outage_halfway_says_how_many_keys_were_revoked,
];
over_schemas![on_postgres of [scraper::Scraper]: a_key_that_was_revoked_long_ago_may_be_locked];

/// Longer than anything takes that waits for one lock.
const LIMIT: Duration = Duration::from_secs(30);

async fn all_keys_but_the_one_that_is_locked_are_revoked_and_that_one_is_named<S: TestSchema>(fixture: Fixture<S>) {
    let first = issue(&fixture, &["acme"]).await.remove(0);
    let table = table(&fixture);
    table.multiply(fixture.database(), 700).await;
    let locked = table.id_at(fixture.database(), 600).await;
    let Table { name, id, .. } = &table;
    let lock = format!("SELECT 1 FROM {name} WHERE {id}::text = '{locked}' FOR UPDATE");
    let (_pool, host) = open(&fixture, &lock).await;

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

async fn a_row_that_is_let_go_of_in_time_is_revoked_with_the_others<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme", "acme"]).await;
    let table = table(&fixture);
    let Table { name, id, live, .. } = &table;
    let lock = format!("SELECT 1 FROM {name} WHERE {id}::text = '{}' FOR UPDATE", issued[1].record.head.id);
    let (_pool, host) = open(&fixture, &lock).await;
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
async fn a_key_that_was_revoked_long_ago_may_be_locked<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, &["acme", "acme"]).await;
    let id = &issued[0].record.head.id;
    fixture.keys.revoke(id, None).await.unwrap();
    let Table { name, id: column, .. } = table(&fixture);
    let lock = format!("SELECT 1 FROM {name} WHERE {column} = '{id}' FOR UPDATE");
    let (_pool, host) = open(&fixture, &lock).await;
    let revoked = fixture.keys.revoke_all(&owner("acme"), None).await.unwrap();
    assert_eq!((revoked.count, &revoked.remaining[..]), (1, &[][..]));
    assert_eq!(refusal(&fixture.keys, &issued[1]).await, Some(RefusalReason::Revoked));
    host.rollback().await.unwrap();
}
