//! Verifying over PostgreSQL, against the one statement that it cannot do without through the same pool: how many keys
//! there are, how many tasks ask, whether last use is noted, and with readers that gather lookups; and beside `pgbench`.

use std::error::Error;
use std::fs;
use std::future::Future;
use std::process::Command;
use std::sync::Arc;

use keyward::key::KeyDigest;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use keyward::sqlx::{self, ConnectOptions as _, Executor as _};
use keyward::{Keys, Postgres, Secret, SqlKeyStore};
use keyward_benches::batch::tasks;
use keyward_benches::keys::{PRESENTED, in_turn, sizes};
use keyward_benches::server::in_database;
use keyward_benches::suite::Suite;
use keyward_benches::tables::{Argument, Benched};
use tokio::runtime::{self, Runtime};

const RAW: &str = "the prepared SELECT alone";
const TASKS: [u32; 3] = [1, 8, 32];
const MOST_CONNECTIONS: u32 = 8;
const READERS: u8 = 2;
/// How many verifications are set against `pgbench`.
const AT_ONCE: u32 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("postgres");
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    in_database("verify", &runtime, |options| {
        verify_in::<Standard>(&mut suite, &runtime, &options)?;
        verify_in::<Scraper>(&mut suite, &runtime, &options)
    })?;
    suite.finish()
}

fn verify_in<S: Benched>(
    suite: &mut Suite,
    runtime: &Runtime,
    options: &PgConnectOptions,
) -> Result<(), Box<dyn Error>> {
    let pool = PgPoolOptions::new().max_connections(MOST_CONNECTIONS).connect_with(options.clone());
    let pool = runtime.block_on(pool)?;
    let store = runtime.block_on(SqlKeyStore::open(Postgres::new(pool.clone()), S::value()?))?;
    let keys = Keys::builder(store.clone()).build();
    runtime.block_on(store.migrate(keys.now()))?;
    let secrets = runtime.block_on(issue(&store, &keys, &pool))?;
    let arguments = secrets.iter().map(|secret| S::argument(&KeyDigest::of(secret.expose_secret()))).collect();
    let readers = Postgres::new(pool.clone()).gathered_readers(READERS);
    let gathered = Keys::builder(runtime.block_on(SqlKeyStore::open(readers, S::value()?))?).build();
    let asked = Asked { runtime, pool, keys, secrets: secrets.into(), arguments };

    let mut rows = PRESENTED;
    for (size, wanted) in sizes() {
        let fill = sqlx::query(S::POSTGRES.fill).bind(i64::from(rows)).bind(i64::from(wanted));
        runtime.block_on(fill.execute(&asked.pool))?;
        rows = wanted;
        runtime.block_on(asked.pool.execute("VACUUM ANALYZE"))?;
        for tasks in TASKS {
            asked.compare(suite, &format!("{}, {size}, {tasks} at once", S::NAME), tasks, &asked.keys);
            asked.compare(suite, &format!("{}, {size}, {tasks} at once, gathered", S::NAME), tasks, &gathered);
        }
        let forgetful = Keys::builder_over(asked.keys.store().clone()).last_used_capacity(0).build();
        asked.compare(suite, &format!("{}, {size}, 1 at once, last use not noted", S::NAME), 1, &forgetful);
    }
    if let Some(rate) = pgbench(S::POSTGRES.select, options)? {
        for (how, keys) in [("", &asked.keys), (", gathered", &gathered)] {
            let mut verifying = tasks(runtime, 32, |steps| verify(keys.clone(), Arc::clone(&asked.secrets), steps));
            let own = f64::from(AT_ONCE) / verifying(AT_ONCE.into()).as_secs_f64();
            suite.note(format!(
                "{}, 32 at once{how}: {:.2} times as many verifications a second as `pgbench -M prepared -c 32` makes SELECTs.",
                S::NAME,
                own / rate
            ));
        }
    }
    runtime.block_on(asked.pool.close());
    Ok(())
}

/// How many of these statements a second PostgreSQL's own tool makes with 32 connections, each for a key of nobody; where
/// the tool is there, and digests are bytes.
fn pgbench(select: &str, options: &PgConnectOptions) -> Result<Option<f64>, Box<dyn Error>> {
    if !select.contains("digest = $1") {
        return Ok(None);
    }
    let script = std::env::temp_dir().join(format!("keyward-{}.sql", std::process::id()));
    let statement = select.replace("$1", "sha256(:number::text::bytea)");
    fs::write(&script, format!("\\set number random(2000, 90000)\n{statement};\n"))?;
    let mut run = Command::new("pgbench");
    run.args(["--no-vacuum", "--protocol=prepared", "--client=32", "--jobs=2", "--time=5", "--file"]).arg(&script);
    let output = run.arg(options.to_url_lossy().as_str().split('?').next().unwrap_or_default()).output();
    fs::remove_file(script)?;
    let Ok(output) = output else { return Ok(None) };
    let printed = String::from_utf8_lossy(&output.stdout);
    let rate = printed.split("tps = ").nth(1).and_then(|rest| rest.split(' ').next()).ok_or("pgbench names no rate")?;
    Ok(Some(rate.parse()?))
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

/// What is presented, and what the table is asked for.
struct Asked<'r, S: Benched> {
    runtime: &'r Runtime,
    pool: PgPool,
    keys: Keys<S>,
    secrets: Arc<[Secret]>,
    arguments: Arc<[Argument]>,
}

impl<S: Benched> Asked<'_, S> {
    fn compare(&self, suite: &mut Suite, load: &str, at_once: u32, keys: &Keys<S>) {
        suite.compare(
            format!("verify, {load}"),
            tasks(self.runtime, at_once.into(), |steps| verify(keys.clone(), Arc::clone(&self.secrets), steps)),
            RAW,
            tasks(self.runtime, at_once.into(), |steps| self.select(steps)),
        );
    }

    fn select(&self, steps: u64) -> impl Future<Output = ()> + Send + 'static {
        let (pool, arguments) = (self.pool.clone(), Arc::clone(&self.arguments));
        async move {
            for (_, argument) in (0..steps).zip(arguments.iter().cycle()) {
                let select = sqlx::query(S::POSTGRES.select);
                let select = match argument {
                    Argument::Bytes(bytes) => select.bind(&bytes[..]),
                    Argument::Hex(text) => select.bind(text.as_str()),
                    _ => return,
                };
                assert!(select.fetch_one(&pool).await.is_ok());
            }
        }
    }
}

async fn verify<S: Benched>(keys: Keys<S>, secrets: Arc<[Secret]>, steps: u64) {
    for (_, key) in (0..steps).zip(in_turn(&secrets)) {
        assert!(keys.verify(key).await.is_ok());
    }
}
