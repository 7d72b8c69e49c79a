//! Verifying over PostgreSQL against the one statement that it cannot do without, through the same pool.

use std::error::Error;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use keyward::key::{HexDigest, KeyDigest};
use keyward::scraper::Scraper;
use keyward::{Keys, PostgresKeyStore, Secret};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor};
use tokio::runtime::{self, Runtime};

use crate::suite::Suite;
use crate::{MANY, PRESENTED, in_turn, typical_key};

const TASKS: u64 = 8;

/// As a host that needed nothing but this lookup would write it.
const RAW_SELECT: &str = "SELECT * FROM api_keys WHERE key_hash = $1";

const ADD_KEYS_OF_NOBODY: &str = "
    INSERT INTO api_keys (key_hash, key_prefix, name, client_id, scopes, expires_at)
    SELECT encode(sha256(number::text::bytea), 'hex'), 'riq_abcd', 'nightly import', 'client-' || number % 1000,
           '{jobs:read,jobs:write}', '2099-12-31 23:59:59'
    FROM generate_series(1, $1) AS number";

pub(crate) fn verify(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let server = Server::reach()?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let options: PgConnectOptions = server.url.parse()?;
    let mut admin = runtime.block_on(PgConnection::connect_with(&options))?;
    // A run that was killed has left it behind.
    runtime.block_on(admin.execute("DROP DATABASE IF EXISTS keyward_hot_path WITH (FORCE)"))?;
    runtime.block_on(admin.execute("CREATE DATABASE keyward_hot_path"))?;
    let outcome = verify_in(suite, &runtime, options.database("keyward_hot_path"));
    runtime.block_on(admin.execute("DROP DATABASE keyward_hot_path WITH (FORCE)"))?;
    outcome
}

fn verify_in(suite: &mut Suite, runtime: &Runtime, options: PgConnectOptions) -> Result<(), Box<dyn Error>> {
    let tasks = u32::try_from(TASKS)?;
    let pool = runtime.block_on(PgPoolOptions::new().max_connections(tasks).connect_with(options))?;
    let keys = Keys::builder(Scraper, runtime.block_on(PostgresKeyStore::<Scraper>::open(pool.clone()))?).build();
    runtime.block_on(keys.store().migrate(keys.now()))?;
    let secrets = runtime.block_on(issue(&keys, &pool))?;
    let hashes = secrets.iter().map(|secret| KeyDigest::of(secret.expose_secret()).to_hex()).collect();
    let bench = Bench { runtime, pool, keys, secrets: secrets.into(), hashes };

    bench.compare(suite, "1,000 keys", 1);
    let add_keys = sqlx::query(ADD_KEYS_OF_NOBODY).bind(i64::from(MANY - PRESENTED));
    runtime.block_on(add_keys.execute(&bench.pool))?;
    runtime.block_on(bench.pool.execute("VACUUM ANALYZE"))?;
    bench.compare(suite, "100,000 keys", 1);
    bench.compare(suite, "100,000 keys", TASKS);
    runtime.block_on(bench.pool.close());
    Ok(())
}

/// Issues the keys in one transaction of the host.
async fn issue(keys: &Keys<PostgresKeyStore<Scraper>>, pool: &PgPool) -> Result<Vec<Secret>, Box<dyn Error>> {
    let mut transaction = pool.begin().await?;
    let mut secrets = Vec::new();
    for number in 0..PRESENTED {
        let prepared = keys.prepare(typical_key(number)?)?;
        secrets.push(keys.store().issue_in(&mut transaction, prepared).await?.secret);
    }
    transaction.commit().await?;
    Ok(secrets)
}

struct Bench<'r> {
    runtime: &'r Runtime,
    pool: PgPool,
    keys: Keys<PostgresKeyStore<Scraper>>,
    secrets: Arc<[Secret]>,
    hashes: Arc<[HexDigest]>,
}

impl Bench<'_> {
    fn compare(&self, suite: &mut Suite, size: &str, tasks: u64) {
        const GROUP: &str = "verify_postgres";

        let load = format!("{size}, {tasks} at once");
        let raw =
            suite.time_tasks(GROUP, &format!("raw_select/{load}"), self.runtime, tasks, |steps| self.select(steps));
        let verified =
            suite.time_tasks(GROUP, &format!("verify/{load}"), self.runtime, tasks, |steps| self.verify(steps));
        suite.compare(format!("verify through PostgreSQL, {load}"), verified, "the raw prepared SELECT", raw);
    }

    fn select(&self, steps: u64) -> impl Future<Output = ()> + Send + 'static {
        let (pool, hashes) = (self.pool.clone(), Arc::clone(&self.hashes));
        async move {
            for (_, hash) in (0..steps).zip(hashes.iter().cycle()) {
                let row = sqlx::query(RAW_SELECT).bind(hash.as_str()).fetch_one(&pool).await;
                assert!(row.is_ok());
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
struct Server {
    url: String,
    script: Option<Child>,
}

impl Server {
    fn reach() -> Result<Self, Box<dyn Error>> {
        if let Ok(url) = std::env::var("KEYWARD_TEST_POSTGRES_URL") {
            return Ok(Self { url, script: None });
        }
        let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres"))
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
