//! All schemas in one database: they share the side tables and the record, and disturb each other in nothing.

use keyward::SqlKeyStore;
use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;

use super::{assert_a_key_lives, differences, migrate};
use crate::support::{Fixture, TestSchema, over};

over![every_empty_database of Standard:
    every_schema_can_live_in_one_database,
    every_schema_can_be_migrated_at_once_by_several_processes,
];

const NOTHING: [&str; 0] = [];
const OWNER: &str = "did:plc:acme";

async fn store<S: TestSchema>(fixture: &Fixture<Standard>) -> SqlKeyStore<S> {
    SqlKeyStore::open(fixture.database().engine().await, S::schema()).await.unwrap()
}

async fn make_parents(fixture: &Fixture<Standard>) {
    let database = fixture.database();
    database.run(Mesh::parents(database.is_postgres())).await;
}

async fn add_owners(fixture: &Fixture<Standard>) {
    let database = fixture.database();
    for sql in [Mesh::owner(OWNER, database.is_postgres()), Aggregator::owner(OWNER, database.is_postgres())] {
        database.run(&sql).await;
    }
}

/// Each record as `schema version name`.
async fn recorded(fixture: &Fixture<Standard>) -> String {
    let database = fixture.database();
    let rows = format!(
        "(SELECT schema || ' ' || version || ' ' || name AS line FROM {} ORDER BY schema, version) recorded",
        database.own_table("migrations")
    );
    let lines = database.dialect("string_agg(line, ', ')", "group_concat(line, ', ')");
    database.text(&format!("SELECT {lines} FROM {rows}")).await.unwrap()
}

const ALL: &str = "aggregator 1 aggregators, aggregator 2 side_tables, mesh 1 api_key, mesh 2 side_tables, \
                   scraper 1 api_keys, scraper 2 side_tables, standard 1 keys";

async fn every_schema_can_live_in_one_database(fixture: Fixture<Standard>) {
    make_parents(&fixture).await;
    let (scraper, mesh) = (store::<Scraper>(&fixture).await, store::<Mesh>(&fixture).await);
    let aggregator = store::<Aggregator>(&fixture).await;
    assert_eq!(migrate(fixture.sql()).await.unwrap(), ["keys"]);
    assert_eq!(migrate(&scraper).await.unwrap(), ["api_keys", "side_tables"]);
    // The side tables are there by now.
    assert_eq!(migrate(&mesh).await.unwrap(), ["api_key"]);
    assert_eq!(migrate(&aggregator).await.unwrap(), ["aggregators"]);
    assert_eq!(recorded(&fixture).await, ALL);
    for found in [
        differences(fixture.sql()).await,
        differences(&scraper).await,
        differences(&mesh).await,
        differences(&aggregator).await,
    ] {
        assert_eq!(found, NOTHING);
    }

    add_owners(&fixture).await;
    assert_a_key_lives(fixture.sql(), OWNER).await;
    assert_a_key_lives(&scraper, OWNER).await;
    assert_a_key_lives(&mesh, OWNER).await;
    assert_a_key_lives(&aggregator, OWNER).await;
}

async fn every_schema_can_be_migrated_at_once_by_several_processes(fixture: Fixture<Standard>) {
    make_parents(&fixture).await;
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let standard = store::<Standard>(&fixture).await;
        let (scraper, mesh) = (store::<Scraper>(&fixture).await, store::<Mesh>(&fixture).await);
        let aggregator = store::<Aggregator>(&fixture).await;
        processes.spawn(async move { migrate(&standard).await });
        processes.spawn(async move { migrate(&scraper).await });
        processes.spawn(async move { migrate(&mesh).await });
        processes.spawn(async move { migrate(&aggregator).await });
    }
    let mut applied: Vec<_> = processes.join_all().await.into_iter().flat_map(Result::unwrap).collect();
    applied.sort_unstable();
    assert_eq!(applied, ["aggregators", "api_key", "api_keys", "keys", "side_tables"]);
    assert_eq!(recorded(&fixture).await, ALL);
}
