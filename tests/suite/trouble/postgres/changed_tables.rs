//! The host changes its table, or takes the prepared statements away, while keys are verified.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::Executor as _;
use sqlx::postgres::PgPool;
use tokio::task::JoinSet;

use super::{all_connections, over, refusal, run, session, small_pool, table};
use crate::support::{Fixture, TestSchema, over_every_schema};
use keyward::Postgres;

over_every_schema![
    on_postgres:
    no_verification_and_no_change_fails_when_the_table_changes,
    no_verification_and_no_change_fails_when_statements_are_discarded,
    verifications_under_way_survive_changes_of_the_table,
];

/// Two rounds for each connection of the pool, both kinds of call.
async fn serves<S: TestSchema>(fixture: &Fixture<S>, keys: &keyward::Keys<S>, owner: &str, after: &str) {
    fixture.add_owner(owner).await;
    let issued = keys.issue(S::draft(owner)).await.unwrap_or_else(|error| panic!("{after}: {error:?}"));
    for _ in 0..3 {
        let both = tokio::join!(refusal(keys, &issued), refusal(keys, &issued));
        assert_eq!(both, (None, None), "{after}");
    }
    keys.revoke(&issued.record.head.id, None).await.unwrap_or_else(|error| panic!("{after}: {error:?}"));
    assert_eq!(refusal(keys, &issued).await, Some("revoked"), "{after}");
}

async fn no_verification_and_no_change_fails_when_the_table_changes<S: TestSchema>(fixture: Fixture<S>) {
    let pool = small_pool(&fixture, 2).await;
    let keys = over(&fixture, Postgres::new(pool.clone())).await;
    serves(&fixture, &keys, "did:example:first", "before").await;
    let mut shell = session(&fixture).await;
    let (table, column) = table::<S>();
    for (round, change) in [
        format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar(300)"),
        format!("ALTER TABLE {table} ADD COLUMN added integer DEFAULT 7"),
        format!("REINDEX TABLE {table}"),
        format!("ALTER TABLE {table} DROP COLUMN added"),
        format!("CREATE DOMAIN label AS varchar(300); ALTER TABLE {table} ALTER COLUMN {column} TYPE label"),
        format!("CREATE EXTENSION citext; ALTER TABLE {table} ALTER COLUMN {column} TYPE citext"),
        format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE text"),
    ]
    .into_iter()
    .enumerate()
    {
        run(&mut shell, change.clone()).await;
        serves(&fixture, &keys, &format!("did:example:owner-{round}"), &change).await;
    }
    all_connections(&pool, 2).await;
}

async fn on_every_connection(pool: &PgPool, sql: &'static str) {
    let (mut one, mut other) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    one.execute(sqlx::raw_sql(sql)).await.unwrap();
    other.execute(sqlx::raw_sql(sql)).await.unwrap();
}

async fn no_verification_and_no_change_fails_when_statements_are_discarded<S: TestSchema>(fixture: Fixture<S>) {
    let pool = small_pool(&fixture, 2).await;
    let keys = over(&fixture, Postgres::new(pool.clone())).await;
    serves(&fixture, &keys, "did:example:first", "before").await;
    // More often than statements may get lost until none is prepared under a name.
    for round in 0..12 {
        let discard = if round % 2 == 0 { "DISCARD ALL" } else { "DEALLOCATE ALL" };
        on_every_connection(&pool, discard).await;
        serves(&fixture, &keys, &format!("did:example:owner-{round}"), discard).await;
    }
    all_connections(&pool, 2).await;
}

async fn verifications_under_way_survive_changes_of_the_table<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner("did:example:acme").await;
    let issued = Arc::new(fixture.issue("did:example:acme").await);
    let pool = small_pool(&fixture, 2).await;
    let keys = over(&fixture, Postgres::new(pool.clone())).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let (keys, issued, is_over) = (keys.clone(), Arc::clone(&issued), Arc::clone(&is_over));
        tasks.spawn(async move {
            let mut refused = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                refused.extend(refusal(&keys, &issued).await);
            }
            refused
        });
    }
    let mut shell = session(&fixture).await;
    let (table, column) = table::<S>();
    for round in 0..20 {
        let kind = if round % 2 == 0 { "varchar(300)" } else { "text" };
        run(&mut shell, format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")).await;
    }
    is_over.store(true, Ordering::Relaxed);
    assert_eq!(tasks.join_all().await.concat(), Vec::<&str>::new());
    all_connections(&pool, 2).await;
}
