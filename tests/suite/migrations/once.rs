//! Each migration is applied once, however often and by however many processes it is asked for.

use std::sync::Arc;

use keyward::SqlKeyStore;
use keyward::key::OwnerId;
use keyward::schemas::scraper::Scraper;
use keyward::store::{KeyStore as _, StoreError};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{all, differences, migrate};
use crate::support::{Database, Fixture, TestSchema, over, over_every_schema, over_schemas};

const NOTHING: [&str; 0] = [];

over_schemas![every_empty_database of [standard::Standard, scraper::Scraper, aggregator::Aggregator]:
    an_empty_database_gets_every_table_once,
    concurrent_processes_apply_each_migration_once,
    concurrent_processes_open_a_new_database,
];

over_every_schema![every_engine:
    a_migration_that_was_applied_before_does_nothing,
    tables_of_keywards_own_making_do_not_differ,
];

over![every_empty_database of Scraper: a_database_without_tables_has_all_of_them_missing];

over![every_engine of Scraper: a_dropped_side_table_is_made_again];

async fn an_empty_database_gets_every_table_once<S: TestSchema>(fixture: Fixture<S>) {
    assert_eq!(migrate(fixture.sql()).await.unwrap(), all::<S>());
    assert_eq!(differences(fixture.sql()).await, NOTHING);
    fixture.add_owner("did:plc:acme").await;
    let before = fixture.another_process().await.issue(S::draft("did:plc:acme")).await.unwrap();
    assert_eq!(migrate(fixture.sql()).await.unwrap(), NOTHING);
    fixture.keys.verify(before.secret.expose_secret()).await.unwrap();
}

async fn concurrent_processes_apply_each_migration_once<S: TestSchema>(fixture: Fixture<S>) {
    const PROCESSES: usize = 8;
    // Several rounds, because a collision takes luck; each begins only once everybody is connected.
    for _ in 0..5 {
        let start = Arc::new(Barrier::new(PROCESSES));
        let mut processes = JoinSet::new();
        for _ in 0..PROCESSES {
            let store = SqlKeyStore::open(fixture.database().engine().await, S::schema()).await.unwrap();
            let start = Arc::clone(&start);
            processes.spawn(async move {
                start.wait().await;
                migrate(&store).await
            });
        }
        let mut applied: Vec<_> = processes.join_all().await.into_iter().flat_map(Result::unwrap).collect();
        applied.sort_unstable_by_key(|name| all::<S>().iter().position(|migration| migration == name));
        assert_eq!(applied, all::<S>());
        assert_eq!(differences(fixture.sql()).await, NOTHING);
        drop_everything(fixture.database()).await;
        assert_ne!(differences(fixture.sql()).await, NOTHING, "the next round makes the tables anew");
    }
}

async fn drop_everything(database: &Database) {
    if database.is_postgres() {
        return database.run("DROP SCHEMA keyward CASCADE; DROP TABLE IF EXISTS api_keys, aggregators").await;
    }
    let tables = "SELECT group_concat('DROP TABLE ' || name, ';')
                  FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid DESC)";
    let drop = database.text(tables).await.unwrap();
    database.run(&drop).await;
}

/// Opening a file sets it up, which must not fail where several do it at once.
async fn concurrent_processes_open_a_new_database<S: TestSchema>(fixture: Fixture<S>) {
    let fixture = Arc::new(fixture);
    let mut processes = JoinSet::new();
    for _ in 0..8 {
        let fixture = Arc::clone(&fixture);
        processes.spawn(async move {
            let store = SqlKeyStore::open(fixture.database().engine().await, S::schema()).await.unwrap();
            migrate(&store).await.unwrap().len()
        });
    }
    let applied: usize = processes.join_all().await.into_iter().sum();
    assert_eq!(applied, all::<S>().len());
}

async fn a_migration_that_was_applied_before_does_nothing<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner("did:plc:acme").await;
    let before = fixture.issue("did:plc:acme").await;
    assert_eq!(migrate(fixture.sql()).await.unwrap(), NOTHING);
    fixture.keys.verify(before.secret.expose_secret()).await.unwrap();
}

async fn tables_of_keywards_own_making_do_not_differ<S: TestSchema>(fixture: Fixture<S>) {
    assert_eq!(differences(fixture.sql()).await, NOTHING);
}

async fn a_database_without_tables_has_all_of_them_missing(fixture: Fixture<Scraper>) {
    let database = fixture.database();
    let missing = ["api_keys", &database.own_table("revocations"), &database.own_table("rotations")]
        .map(|table| format!("{table}: expected a table, found none"));
    assert_eq!(differences(fixture.sql()).await, missing);
    let breaking =
        fixture.sql().check().await.unwrap().iter().map(|difference| difference.breaking).collect::<Vec<_>>();
    assert_eq!(breaking, [true, false, false]);
    let store = fixture.keys.of(&OwnerId::new("acme").unwrap()).list(1, None).await.unwrap_err();
    assert!(matches!(store, StoreError::Backend { .. }), "a missing table is no outage that passes: {store:?}");
}

async fn a_dropped_side_table_is_made_again(fixture: Fixture<Scraper>) {
    let issued = fixture.issue("acme").await;
    for table in ["revocations", "rotations"] {
        let dropped = fixture.database().own_table(table);
        fixture.database().run(&format!("DROP TABLE {dropped}")).await;
        // It is as much there as it was recorded to be: nothing is done without it that would need it.
        let keys = fixture.another_process().await;
        assert!(keys.store().abilities().revocation_reason, "without {table}");
        keys.get(&issued.record.head.id).await.unwrap_err();
        assert_eq!(migrate(fixture.sql()).await.unwrap(), ["side_tables"]);
        assert_eq!(differences(fixture.sql()).await, NOTHING);
    }
    assert!(fixture.sql().abilities().revocation_reason);
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
}
