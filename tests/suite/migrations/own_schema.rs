//! Where keyward's own tables live on PostgreSQL: in a schema of their own, out of the way of the host's tools and of
//! what the host calls by the same names.

use keyward::key::RefusalReason;
use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::schemas::standard::Standard;
use keyward::{KeysError, Postgres, SqlKeyStore};

use super::{assert_a_key_lives, differences, migrate};
use crate::support::{Database, START, TestSchema, keys};

type Fixture<S> = crate::support::Fixture<S>;

const NOTHING: [&str; 0] = [];

/// A store whose own tables are in `schema`.
async fn store_in<S: TestSchema>(database: &Database, schema: &str) -> SqlKeyStore<S> {
    let engine = Postgres::new(database.as_postgres().pool().await).own_tables_in(schema).unwrap();
    SqlKeyStore::open(engine, S::schema()).await.unwrap()
}

/// The tables in `schema`, in alphabetical order.
async fn tables(database: &Database, schema: &str) -> String {
    let query = format!(
        "SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM information_schema.tables
         WHERE table_schema = '{schema}'"
    );
    database.text(&query).await.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_looks_at_the_schema_public_sees_no_table_of_ours() {
    let fixture = Fixture::<Standard>::postgres().await;
    assert_eq!(tables(fixture.database(), "public").await, "");
    assert_eq!(tables(fixture.database(), "keyward").await, "key_history key_uses keys migrations");
    let scraper = Fixture::<Scraper>::postgres().await;
    assert_eq!(tables(scraper.database(), "public").await, "api_keys", "it is the host's");
    assert_eq!(tables(scraper.database(), "keyward").await, "migrations revocations rotations");
    let mesh = Fixture::<Mesh>::postgres().await;
    assert_eq!(tables(mesh.database(), "public").await, "user");
    let aggregator = Fixture::<Aggregator>::postgres().await;
    assert_eq!(tables(aggregator.database(), "public").await, "aggregators");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_in_one_database_do_not_see_each_others_keys() {
    let fixture = Fixture::<Standard>::empty_postgres().await;
    let database = fixture.database();
    let acme = store_in::<Standard>(database, "acme_keys").await;
    assert_eq!(migrate(&acme).await.unwrap(), ["keys"]);
    assert_eq!(tables(database, "acme_keys").await, "key_history key_uses keys migrations");
    assert_eq!(tables(database, "keyward").await, "", "nothing is made where the other service will be");
    assert_eq!(migrate(fixture.sql()).await.unwrap(), ["keys"], "each service has a record of its own");
    assert_eq!(differences(&acme).await, NOTHING);

    let acme = keys(std::sync::Arc::new(acme), &fixture.clock, 1);
    let ours = acme.issue(Standard::draft("customer")).await.unwrap();
    let theirs = fixture.issue("customer").await;
    for (keys, own, other) in [(&acme, &ours, &theirs), (&fixture.keys, &theirs, &ours)] {
        keys.verify(own.secret.expose_secret()).await.unwrap();
        let refusal = keys.verify(other.secret.expose_secret()).await.unwrap_err();
        assert_eq!(refusal.reason(), RefusalReason::Unknown);
        let (id, owner) = (&other.record.head.id, &other.record.head.owner);
        assert_eq!(keys.get(id).await.unwrap(), None);
        assert!(matches!(keys.revoke(id, None).await, Err(KeysError::NotFound)));
        assert_eq!(keys.of(owner).list(10, None).await.unwrap().keys, std::slice::from_ref(&own.record));
    }
    assert_eq!(acme.revoke_all(&ours.record.head.owner, None).await.unwrap().count, 1);
    fixture.keys.verify(theirs.secret.expose_secret()).await.unwrap();
}

/// Every statement of both kinds of schema finds its tables under another name, one that is a keyword too.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_life_of_a_key_passes_in_a_schema_of_another_name() {
    for schema in ["acme_keys", "user", "keyward2"] {
        let fixture = Fixture::<Standard>::empty_postgres().await;
        let store = store_in::<Standard>(fixture.database(), schema).await;
        store.migrate(START).await.unwrap();
        assert_a_key_lives(&store, "acme").await;

        let store = store_in::<Scraper>(fixture.database(), schema).await;
        store.migrate(START).await.unwrap();
        assert_a_key_lives(&store, "acme").await;
        let count = format!("SELECT count(*)::text FROM \"{schema}\".revocations");
        assert_eq!(fixture.database().text(&count).await.as_deref(), Some("2"));
        assert_eq!(tables(fixture.database(), "keyward").await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_the_host_with_the_names_of_ours_are_left_alone() {
    let fixture = Fixture::<Standard>::empty_postgres().await;
    let hosts = ["keys", "key_uses", "key_history", "migrations", "revocations", "rotations"];
    for table in hosts {
        let sql = format!("CREATE TABLE {table} (of_the_host boolean); INSERT INTO {table} VALUES (true)");
        fixture.database().run(&sql).await;
    }
    let scraper = SqlKeyStore::open(fixture.database().engine().await, Scraper::new()).await.unwrap();
    assert_eq!(migrate(fixture.sql()).await.unwrap(), ["keys"]);
    assert_eq!(migrate(&scraper).await.unwrap(), ["api_keys", "side_tables"]);
    assert_eq!(differences(fixture.sql()).await, NOTHING);
    assert_eq!(differences(&scraper).await, NOTHING);
    assert_a_key_lives(fixture.sql(), "acme").await;
    assert_a_key_lives(&scraper, "acme").await;
    for table in hosts {
        let rows = fixture.database().text(&format!("SELECT string_agg(t::text, ' ') FROM public.{table} t")).await;
        assert_eq!(rows.as_deref(), Some("(t)"), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_table_is_found_in_the_schema_that_the_search_path_names() {
    let fixture = Fixture::<Scraper>::empty_postgres().await;
    let name = fixture.database().text("SELECT current_database()::text").await.unwrap();
    fixture.database().run(&format!("CREATE SCHEMA hosts; ALTER DATABASE {name} SET search_path = hosts")).await;
    let store = SqlKeyStore::open(fixture.database().engine().await, Scraper::new()).await.unwrap();
    assert_eq!(migrate(&store).await.unwrap(), ["api_keys", "side_tables"]);
    assert_eq!(differences(&store).await, NOTHING);
    assert_eq!(tables(fixture.database(), "hosts").await, "api_keys");
    assert_eq!(tables(fixture.database(), "keyward").await, "migrations revocations rotations");
    let keys = fixture.another_process().await;
    let issued = keys.issue(ScraperKey::named("acme", "import").unwrap()).await.unwrap();
    keys.verify(issued.secret.expose_secret()).await.unwrap();
}
