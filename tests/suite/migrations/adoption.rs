//! A host's own table is taken as it is: what it lacks is added where that can be done, and named where it cannot.

use std::sync::Arc;

use keyward::SqlKeyStore;
use keyward::schemas::aggregator::{Aggregator, AggregatorKey};
use keyward::schemas::scraper::Scraper;
use keyward::sql::MigrateError;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{columns, differences, migrate};
use crate::support::{Database, Fixture, TestSchema as _, over};

over![every_empty_database of Aggregator:
    aggregators_without_key_columns_get_them_and_keep_their_rows,
    aggregators_that_lack_one_key_column_get_that_one,
    concurrent_processes_add_each_column_once,
    aggregators_without_an_identity_are_refused_and_nothing_is_changed,
];

over![every_empty_database of Scraper:
    a_key_table_without_its_younger_columns_gets_them_and_its_keys_stay_good,
    a_key_table_without_digests_is_refused_and_nothing_is_changed,
];

const NOTHING: [&str; 0] = [];

/// The host's table before anybody thought of keys.
async fn without_keys(database: &Database) {
    let table = "
        CREATE TABLE aggregators (
            did text PRIMARY KEY NOT NULL,
            display_name text NOT NULL,
            record_uri text NOT NULL UNIQUE,
            record_cid text NOT NULL
        );
        CREATE INDEX idx_aggregators_display_name ON aggregators (display_name);
        INSERT INTO aggregators VALUES
            ('did:plc:one', 'One', 'at://one', 'bafy1'), ('did:plc:two', 'Two', 'at://two', 'bafy2')";
    database.run(table).await;
}

async fn rows(database: &Database) -> String {
    let row = "did || ' ' || display_name || ' ' || record_uri || ' ' || record_cid";
    let list = database.dialect("string_agg(line, ', ' ORDER BY line)", "group_concat(line, ', ' ORDER BY line)");
    database.text(&format!("SELECT {list} FROM (SELECT {row} AS line FROM aggregators) lines")).await.unwrap()
}

async fn aggregators_without_key_columns_get_them_and_keep_their_rows(fixture: Fixture<Aggregator>) {
    let database = fixture.database();
    without_keys(database).await;
    assert!(fixture.sql().check().await.unwrap().iter().any(|difference| difference.breaking));
    assert_eq!(migrate(fixture.sql()).await.unwrap(), ["aggregators", "side_tables"]);
    assert_eq!(differences(fixture.sql()).await, NOTHING);
    assert_eq!(migrate(fixture.sql()).await.unwrap(), NOTHING);
    assert_eq!(
        columns(database, "aggregators").await,
        "did display_name record_uri record_cid api_key_prefix api_key_hash api_key_created_at api_key_revoked_at \
         api_key_last_used_at"
    );
    assert_eq!(rows(database).await, "did:plc:one One at://one bafy1, did:plc:two Two at://two bafy2");

    for did in ["did:plc:one", "did:plc:two"] {
        let issued = fixture.keys.issue_only(AggregatorKey::of(did).unwrap()).await.unwrap();
        assert_eq!(fixture.keys.verify(issued.secret.expose_secret()).await.unwrap().owner().as_str(), did);
    }
    let twice = "UPDATE aggregators SET api_key_hash = (SELECT max(api_key_hash) FROM aggregators)";
    database.try_run(twice).await.expect_err("a digest stands there once");
}

async fn aggregators_that_lack_one_key_column_get_that_one(fixture: Fixture<Aggregator>) {
    let database = fixture.database();
    without_keys(database).await;
    migrate(fixture.sql()).await.unwrap();
    let issued = fixture.keys.issue_only(AggregatorKey::of("did:plc:one").unwrap()).await.unwrap();
    let before = columns(database, "aggregators").await;
    database.run("ALTER TABLE aggregators DROP COLUMN api_key_last_used_at").await;
    assert_ne!(columns(database, "aggregators").await, before);

    let store = SqlKeyStore::open(database.engine().await, Aggregator::new()).await.unwrap();
    assert_eq!(migrate(&store).await.unwrap(), ["aggregators"]);
    assert_eq!(columns(database, "aggregators").await, before);
    assert_eq!(differences(&store).await, NOTHING);
    let keys = fixture.another_process().await;
    keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(keys.flush_last_used().await.unwrap(), 1);
}

async fn concurrent_processes_add_each_column_once(fixture: Fixture<Aggregator>) {
    const PROCESSES: usize = 8;
    for _ in 0..3 {
        without_keys(fixture.database()).await;
        let start = Arc::new(Barrier::new(PROCESSES));
        let mut processes = JoinSet::new();
        for _ in 0..PROCESSES {
            let store = SqlKeyStore::open(fixture.database().engine().await, Aggregator::new()).await.unwrap();
            let start = Arc::clone(&start);
            processes.spawn(async move {
                start.wait().await;
                migrate(&store).await
            });
        }
        let applied: Vec<_> = processes.join_all().await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(applied.iter().filter(|name| **name == "aggregators").count(), 1, "{applied:?}");
        assert_eq!(differences(fixture.sql()).await, NOTHING);
        assert_eq!(rows(fixture.database()).await, "did:plc:one One at://one bafy1, did:plc:two Two at://two bafy2");
        fixture.database().run("DROP TABLE aggregators").await;
    }
}

async fn has_own_tables(database: &Database) -> bool {
    let count = database.dialect(
        "SELECT count(*)::text FROM pg_namespace WHERE nspname = 'keyward'",
        "SELECT CAST(count(*) AS TEXT) FROM sqlite_schema WHERE name LIKE 'keyward%'",
    );
    database.text(count).await.unwrap() != "0"
}

async fn aggregators_without_an_identity_are_refused_and_nothing_is_changed(fixture: Fixture<Aggregator>) {
    let database = fixture.database();
    database.run("CREATE TABLE aggregators (number integer PRIMARY KEY NOT NULL, display_name text NOT NULL)").await;
    let refused = migrate(fixture.sql()).await.unwrap_err();
    let message = refused.to_string();
    let MigrateError::Incompatible { table, missing, .. } = refused else { panic!("{message}") };
    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(table, "aggregators");
    let expected =
        ["aggregators.did: expected a column, found none", "aggregators: expected primary key (did), found number"];
    assert_eq!(missing, expected);
    assert!(message.contains("aggregators.did"), "{message}");
    assert_eq!(columns(database, "aggregators").await, "number display_name");
    assert!(!has_own_tables(database).await);
}

/// The columns that a key cannot be without.
const OLD_KEYS: &str = "
    CREATE TABLE api_keys (
        id uuid PRIMARY KEY NOT NULL,
        key_hash varchar(64) NOT NULL UNIQUE,
        key_prefix varchar(8) NOT NULL,
        name varchar(255) NOT NULL,
        client_id varchar(255) NOT NULL,
        created_at timestamp DEFAULT CURRENT_TIMESTAMP
    );
    INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id)
    VALUES ('0f9619ff-8b86-4011-b42d-00c04fc964ff', '9bc1b884d7ad56a2e9b811b20d8fedec4dbf83bcba0273172437242711e7f38c',
            'riq_abc1', 'Production', 'acme')";

async fn a_key_table_without_its_younger_columns_gets_them_and_its_keys_stay_good(fixture: Fixture<Scraper>) {
    let database = fixture.database();
    database.run(OLD_KEYS).await;
    assert_eq!(migrate(fixture.sql()).await.unwrap(), ["api_keys", "side_tables"]);
    assert_eq!(migrate(fixture.sql()).await.unwrap(), NOTHING);
    assert_eq!(
        columns(database, "api_keys").await,
        "id key_hash key_prefix name client_id created_at scopes rate_limit_rpm is_active last_used_at expires_at \
         metadata"
    );
    assert!(fixture.sql().check().await.unwrap().iter().all(|difference| !difference.breaking));
    let accepted = fixture.keys.verify("riq_abc123xyz").await.unwrap();
    assert_eq!(accepted.owner().as_str(), "acme");
    assert_eq!(accepted.details().rate_limit.to_stored(), Some(60));
    let issued = fixture.keys.issue(Scraper::draft("acme")).await.unwrap();
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
}

/// Beside a column that cannot be added, none that could be is.
async fn a_key_table_without_digests_is_refused_and_nothing_is_changed(fixture: Fixture<Scraper>) {
    let database = fixture.database();
    let table = "CREATE TABLE api_keys (id uuid PRIMARY KEY NOT NULL, key_prefix varchar(8) NOT NULL,
                     name varchar(255) NOT NULL, client_id varchar(255) NOT NULL, created_at timestamp)";
    database.run(table).await;
    let refused = migrate(fixture.sql()).await.unwrap_err();
    let message = refused.to_string();
    let MigrateError::Incompatible { table, missing, .. } = refused else { panic!("{message}") };
    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(table, "api_keys");
    let expected =
        ["api_keys.key_hash: expected a column, found none", "api_keys: expected unique (key_hash), found none"];
    assert_eq!(missing, expected);
    assert_eq!(columns(database, "api_keys").await, "id key_prefix name client_id created_at");
    assert!(!has_own_tables(database).await);
}
