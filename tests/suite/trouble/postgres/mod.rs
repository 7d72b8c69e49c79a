//! PostgreSQL under trouble: locks, changed tables, lost statements, calls that are given up, a pooler, and all at once.

mod advisory;
mod changed_tables;
mod gathered;
mod given_up;
mod host_transactions;
mod locks;
mod pooler;
mod standing_still;
mod storm;

use std::sync::Arc;
use std::time::Duration;

use keyward::key::{Issued, RefusalReason};
use keyward::{Keys, KeysError, Postgres, SqlKeyStore};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::{Fixture, TestSchema, keys};

/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(400);

/// What no call takes that has a limit, on a machine that does a lot beside it.
const LONG: Duration = Duration::from_secs(20);

/// What a verification says that had no answer.
const UNAVAILABLE: Option<&str> = Some(RefusalReason::StoreUnavailable.code());

/// The host's table, and a column of it that every verification reads.
fn table<S: TestSchema>() -> (&'static str, &'static str) {
    match S::NAME {
        "standard" => ("keyward.keys", "name"),
        "scraper" => ("api_keys", "name"),
        "mesh" => ("mesh.api_key", "label"),
        "aggregator" => ("aggregators", "api_key_prefix"),
        other => panic!("{other}"),
    }
}

/// Keys over an engine of their own, with limits that tests can wait for.
pub(super) async fn impatient<S: TestSchema>(fixture: &Fixture<S>, pool: &PgPool) -> Keys<S> {
    over(fixture, Postgres::new(pool.clone()).lock_timeout(SHORT).read_timeout(SHORT)).await
}

async fn over<S: TestSchema>(fixture: &Fixture<S>, engine: Postgres) -> Keys<S> {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 32);

    let store = SqlKeyStore::open(engine, S::schema()).await.unwrap();
    let seed = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    keys(Arc::new(store), &fixture.clock, seed)
}

pub(super) async fn small_pool<S: TestSchema>(fixture: &Fixture<S>, most: u32) -> PgPool {
    fixture.database().as_postgres().small_pool(most).await
}

/// Another session, such as a forgotten shell.
async fn session<S: TestSchema>(fixture: &Fixture<S>) -> PgConnection {
    PgConnection::connect(&fixture.database().as_postgres().url()).await.unwrap()
}

async fn run(session: &mut PgConnection, sql: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(session).await.unwrap();
}

async fn count(session: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(session).await.unwrap()
}

/// What a key is refused for; `None` when it is accepted.
async fn refusal<S: TestSchema>(keys: &Keys<S>, issued: &Issued<S>) -> Option<&'static str> {
    keys.verify(issued.secret.expose_secret()).await.err().map(|refusal| refusal.reason().code())
}

fn is_unavailable<T>(outcome: &Result<T, KeysError>) -> bool {
    use keyward::store::StoreError;

    matches!(outcome, Err(KeysError::Store(StoreError::Unavailable { .. })))
}

/// Waits until the pool has all of its connections to give.
async fn all_connections(pool: &PgPool, most: u32) {
    let all = async {
        let mut held = Vec::new();
        for _ in 0..most {
            held.push(pool.acquire().await.unwrap());
        }
    };
    tokio::time::timeout(LONG, all).await.expect("a connection was lost");
}

/// Waits until no session but this one is in a transaction, waits for anything or holds a lock.
async fn quiet(session: &mut PgConnection) {
    const BUSY: &str = "
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
          AND (state <> 'idle' OR EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_stat_activity.pid))";
    for _ in 0..400 {
        if count(session, BUSY).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} sessions are still busy", count(session, BUSY).await);
}
