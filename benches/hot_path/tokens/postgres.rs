//! Over PostgreSQL, through the same pool.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use keyward::service::{Introspection, Tokens};
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use keyward::sqlx::{self, AssertSqlSafe, Connection as _, Executor as _};
use keyward::{Clock as _, Postgres, Secret, SystemClock};
use tokio::runtime::{self, Runtime};

use super::{ALONE, JOINED, asker, digest, fill, lookup, presented, server};
use crate::in_turn;
use crate::postgres::Server;
use crate::suite::Suite;

const TASKS: u32 = 8;

pub(crate) fn accept(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let server = Server::reach()?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let options: PgConnectOptions = server.url.parse()?;
    let mut admin = runtime.block_on(PgConnection::connect_with(&options))?;
    // A run that was killed has left it behind.
    runtime.block_on(admin.execute("DROP DATABASE IF EXISTS keyward_hot_path_tokens WITH (FORCE)"))?;
    runtime.block_on(admin.execute("CREATE DATABASE keyward_hot_path_tokens"))?;
    let outcome = accept_in(suite, &runtime, options.database("keyward_hot_path_tokens"));
    runtime.block_on(admin.execute("DROP DATABASE keyward_hot_path_tokens WITH (FORCE)"))?;
    outcome
}

fn accept_in(suite: &mut Suite, runtime: &Runtime, options: PgConnectOptions) -> Result<(), Box<dyn Error>> {
    let pool = runtime.block_on(PgPoolOptions::new().max_connections(TASKS).connect_with(options))?;
    let store = runtime.block_on(SqlGrantStore::open(Postgres::new(pool.clone()), BrokerTables::new()))?;
    runtime.block_on(store.migrate(SystemClock.now()))?;
    runtime.block_on(sqlx::raw_sql(AssertSqlSafe(fill("keyward."))).execute(&pool))?;
    runtime.block_on(pool.execute("VACUUM ANALYZE"))?;
    let secrets: Arc<[Secret]> = presented().into();
    let digests = secrets.iter().map(digest).collect();
    let bench = Bench { pool, tokens: server(store)?, secrets, digests };
    bench.compare(suite, runtime, 1)?;
    bench.compare(suite, runtime, TASKS)?;
    runtime.block_on(bench.pool.close());
    Ok(())
}

struct Bench {
    pool: PgPool,
    tokens: Tokens,
    secrets: Arc<[Secret]>,
    digests: Arc<[String]>,
}

impl Bench {
    fn compare(&self, suite: &mut Suite, runtime: &Runtime, tasks: u32) -> Result<(), Box<dyn Error>> {
        const GROUP: &str = "tokens_postgres";

        let load = format!("{tasks} at once");
        let tasks = u64::from(tasks);
        let joined_select = lookup()?.postgres;
        let alone = suite.time_tasks(GROUP, &format!("raw_select/{load}"), runtime, tasks, |steps| {
            self.select("SELECT * FROM access_tokens WHERE token_hash = $1", steps)
        });
        let joined = suite.time_tasks(GROUP, &format!("raw_select_joined/{load}"), runtime, tasks, |steps| {
            self.select(joined_select, steps)
        });
        let accepted =
            suite.time_tasks(GROUP, &format!("authenticate/{load}"), runtime, tasks, |steps| self.authenticate(steps));
        let introspected =
            suite.time_tasks(GROUP, &format!("introspect/{load}"), runtime, tasks, |steps| self.introspect(steps));
        for (what, best) in [("authenticate a bearer", accepted), ("introspect", introspected)] {
            let what = format!("{what} through PostgreSQL, {load}");
            suite.compare(what.clone(), best, ALONE, alone);
            suite.compare(what, best, JOINED, joined);
        }
        Ok(())
    }

    fn select(&self, statement: &'static str, steps: u64) -> impl Future<Output = ()> + Send + 'static {
        let (pool, digests) = (self.pool.clone(), Arc::clone(&self.digests));
        async move {
            for (_, digest) in (0..steps).zip(digests.iter().cycle()) {
                assert!(sqlx::query(statement).bind(digest.as_str()).fetch_one(&pool).await.is_ok());
            }
        }
    }

    fn authenticate(&self, steps: u64) -> impl Future<Output = ()> + Send + 'static {
        let resource =
            self.tokens.protect(self.tokens.policy().resources[0].clone()).expect("a resource of the server's own");
        let secrets = Arc::clone(&self.secrets);
        async move {
            for (_, token) in (0..steps).zip(in_turn(&secrets)) {
                assert!(resource.authenticate(token).await.is_ok());
            }
        }
    }

    fn introspect(&self, steps: u64) -> impl Future<Output = ()> + Send + 'static {
        let (tokens, secrets) = (self.tokens.clone(), Arc::clone(&self.secrets));
        async move {
            for (_, token) in (0..steps).zip(in_turn(&secrets)) {
                assert!(matches!(tokens.introspect(asker(), token).await, Ok(Introspection::Access(_))));
            }
        }
    }
}
