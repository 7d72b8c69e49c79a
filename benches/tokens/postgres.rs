//! Over PostgreSQL, through the same pool.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use keyward::service::{Introspection, Tokens};
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use keyward::sqlx::{self, AssertSqlSafe, Executor as _};
use keyward::{Clock as _, Postgres, Secret, SystemClock};
use tokio::runtime::{self, Runtime};

use super::{ALONE, JOINED, asker, digest, fill, lookup, presented, server};
use keyward_benches::batch::tasks;
use keyward_benches::keys::in_turn;
use keyward_benches::server::in_database;
use keyward_benches::suite::Suite;

const TASKS: u32 = 8;

pub(crate) fn accept(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    in_database("tokens", &runtime, |options| accept_in(suite, &runtime, options))
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
    bench.compare(suite, runtime, TASKS.into())?;
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
    fn compare(&self, suite: &mut Suite, runtime: &Runtime, at_once: u64) -> Result<(), Box<dyn Error>> {
        let load = format!("through PostgreSQL, 100,000 tokens, {at_once} at once");
        let select_joined = lookup()?.postgres;
        let select_alone = "SELECT * FROM access_tokens WHERE token_hash = $1";
        for (name, select) in [(ALONE, select_alone), (JOINED, select_joined)] {
            suite.compare(
                format!("authenticate a bearer {load}"),
                tasks(runtime, at_once, |steps| self.authenticate(steps)),
                name,
                tasks(runtime, at_once, |steps| self.select(select, steps)),
            );
            suite.compare(
                format!("introspect {load}"),
                tasks(runtime, at_once, |steps| self.introspect(steps)),
                name,
                tasks(runtime, at_once, |steps| self.select(select, steps)),
            );
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
