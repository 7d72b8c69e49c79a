//! Verifying over PostgreSQL against the one statement that it cannot do without, through the same pool.

use std::error::Error;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use keyward::key::KeyDigest;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use keyward::sqlx::{self, Connection, Executor};
use keyward::{Keys, Postgres, Secret, SqlKeyStore};
use tokio::runtime::{self, Runtime};

use crate::suite::Suite;
use crate::tables::{Argument, Benched};
use crate::{MANY, PRESENTED, in_turn};

const TASKS: u64 = 8;

pub(crate) fn verify(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let server = Server::reach()?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let options: PgConnectOptions = server.url.parse()?;
    let mut admin = runtime.block_on(PgConnection::connect_with(&options))?;
    // A run that was killed has left it behind.
    runtime.block_on(admin.execute("DROP DATABASE IF EXISTS keyward_hot_path WITH (FORCE)"))?;
    runtime.block_on(admin.execute("CREATE DATABASE keyward_hot_path"))?;
    let options = options.database("keyward_hot_path");
    let outcome = verify_in::<Standard>(suite, &runtime, options.clone())
        .and_then(|()| verify_in::<Scraper>(suite, &runtime, options));
    runtime.block_on(admin.execute("DROP DATABASE keyward_hot_path WITH (FORCE)"))?;
    outcome
}

fn verify_in<S: Benched>(
    suite: &mut Suite,
    runtime: &Runtime,
    options: PgConnectOptions,
) -> Result<(), Box<dyn Error>> {
    let tasks = u32::try_from(TASKS)?;
    let pool = runtime.block_on(PgPoolOptions::new().max_connections(tasks).connect_with(options))?;
    let store = runtime.block_on(SqlKeyStore::open(Postgres::new(pool.clone()), S::value()?))?;
    let keys = Keys::builder(store.clone()).build();
    runtime.block_on(store.migrate(keys.now()))?;
    let secrets = runtime.block_on(issue(&store, &keys, &pool))?;
    let arguments = secrets.iter().map(|secret| S::argument(&KeyDigest::of(secret.expose_secret()))).collect();
    let bench = Bench { runtime, pool, keys, secrets: secrets.into(), arguments };

    bench.compare(suite, "1,000 keys", 1);
    let fill = sqlx::query(S::POSTGRES.fill).bind(i64::from(MANY - PRESENTED));
    runtime.block_on(fill.execute(&bench.pool))?;
    runtime.block_on(bench.pool.execute("VACUUM ANALYZE"))?;
    bench.compare(suite, "100,000 keys", 1);
    bench.compare(suite, "100,000 keys", TASKS);
    runtime.block_on(bench.pool.close());
    Ok(())
}

/// Issues the keys in one transaction of the host.
async fn issue<S: Benched>(
    store: &SqlKeyStore<S>,
    keys: &Keys<S>,
    pool: &PgPool,
) -> Result<Vec<Secret>, Box<dyn Error>> {
    let mut transaction = pool.begin().await?;
    let mut receipts = Vec::new();
    for number in 0..PRESENTED {
        let prepared = keys.prepare(S::typical_key(number)?)?;
        receipts.push(store.within(&mut transaction).issue(prepared).await?);
    }
    transaction.commit().await?;
    Ok(receipts.into_iter().map(|receipt| keys.committed(receipt).secret).collect())
}

struct Bench<'r, S: Benched> {
    runtime: &'r Runtime,
    pool: PgPool,
    keys: Keys<S>,
    secrets: Arc<[Secret]>,
    arguments: Arc<[Argument]>,
}

impl<S: Benched> Bench<'_, S> {
    fn compare(&self, suite: &mut Suite, size: &str, tasks: u64) {
        const GROUP: &str = "verify_postgres";

        let load = format!("{}, {size}, {tasks} at once", S::NAME);
        let raw =
            suite.time_tasks(GROUP, &format!("raw_select/{load}"), self.runtime, tasks, |steps| self.select(steps));
        let verified =
            suite.time_tasks(GROUP, &format!("verify/{load}"), self.runtime, tasks, |steps| self.verify(steps));
        suite.compare(format!("verify through PostgreSQL, {load}"), verified, "the prepared SELECT alone", raw);
    }

    fn select(&self, steps: u64) -> impl Future<Output = ()> + Send + 'static {
        let (pool, arguments) = (self.pool.clone(), Arc::clone(&self.arguments));
        async move {
            for (_, argument) in (0..steps).zip(arguments.iter().cycle()) {
                let select = sqlx::query(S::POSTGRES.select);
                let select = match argument {
                    Argument::Bytes(bytes) => select.bind(&bytes[..]),
                    Argument::Hex(text) => select.bind(text.as_str()),
                };
                assert!(select.fetch_one(&pool).await.is_ok());
            }
        }
    }

    fn verify(&self, steps: u64) -> impl Future<Output = ()> + Send + 'static {
        let (keys, secrets) = (self.keys.clone(), Arc::clone(&self.secrets));
        async move {
            for (_, key) in (0..steps).zip(in_turn(&secrets)) {
                assert!(keys.verify(key).await.is_ok());
            }
        }
    }
}

/// The server that the environment names, or else a throw-away one that ends with this value.
pub(crate) struct Server {
    pub(crate) url: String,
    script: Option<Child>,
}

impl Server {
    pub(crate) fn reach() -> Result<Self, Box<dyn Error>> {
        if let Ok(url) = std::env::var("KEYWARD_TEST_POSTGRES_URL") {
            return Ok(Self { url, script: None });
        }
        let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/postgres"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        if let Some(output) = script.stdout.take() {
            BufReader::new(output).read_line(&mut url)?;
        }
        if url.is_empty() {
            return Err("tests/postgres started no server".into());
        }
        Ok(Self { url: url.trim_end().to_owned(), script: Some(script) })
    }
}

impl Drop for Server {
    /// Closing its standard input ends the script, and waiting for it waits until it has cleaned up.
    fn drop(&mut self) {
        if let Some(mut script) = self.script.take() {
            drop(script.stdin.take());
            let _ = script.wait();
        }
    }
}
