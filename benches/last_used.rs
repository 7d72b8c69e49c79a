//! What it costs to know when a key was last used, over PostgreSQL and by the way in which it is noted: gathered and
//! written once a second, as keyward does, or with a statement for each request, as the services did that it was made
//! for. Each against the lookup alone, with the write-ahead log that it makes.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use keyward::key::KeyDigest;
use keyward::schemas::scraper::Scraper;
use keyward::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use keyward::sqlx::{self, Executor as _};
use keyward::{Keys, Postgres, Secret, SqlKeyStore};
use keyward_benches::batch::tasks;
use keyward_benches::keys::{MANY, PRESENTED, in_turn, scraper_key};
use keyward_benches::server::in_database;
use keyward_benches::suite::Suite;
use keyward_benches::tables::Benched as _;
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const RAW: &str = "the prepared SELECT alone";
const TASKS: u64 = 8;
const UPDATE: &str = "UPDATE api_keys SET last_used_at = now() WHERE key_hash = $1";
const UPDATE_RETURNING: &str = "UPDATE api_keys SET last_used_at = now() WHERE key_hash = $1 RETURNING *";

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("last_used");
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    in_database("last_used", &runtime, |options| note(&mut suite, &runtime, options))?;
    suite.finish()
}

/// The ways of noting it.
#[derive(Clone, Copy)]
enum Way {
    Gathered,
    Awaited,
    Detached,
    Returning,
}

impl Way {
    const ALL: [Self; 4] = [Self::Gathered, Self::Returning, Self::Awaited, Self::Detached];

    const fn name(self) -> &'static str {
        match self {
            Self::Gathered => "keyward: verify, and one statement a second",
            Self::Returning => "one UPDATE … RETURNING a request",
            Self::Awaited => "SELECT, then an UPDATE a request",
            Self::Detached => "SELECT, and a task with an UPDATE a request",
        }
    }
}

#[derive(Clone)]
struct Asked {
    pool: PgPool,
    keys: Keys<Scraper>,
    secrets: Arc<[Secret]>,
    digests: Arc<[String]>,
}

fn note(suite: &mut Suite, runtime: &Runtime, options: PgConnectOptions) -> Result<(), Box<dyn Error>> {
    let asked = runtime.block_on(set_up(options))?;
    let (stop, stopped) = oneshot::channel::<()>();
    let keys = asked.keys.clone();
    let writing = runtime.spawn(async move {
        keys.record_last_used(async {
            let _ = stopped.await;
        })
        .await;
    });
    for way in Way::ALL {
        suite.compare(
            way.name(),
            tasks(runtime, TASKS, |steps| asked.clone().verify(way, steps)),
            RAW,
            tasks(runtime, TASKS, |steps| asked.clone().select_all(steps)),
        );
    }
    drop(stop);
    runtime.block_on(writing)?;
    for way in Way::ALL {
        let bytes = runtime.block_on(asked.written(way))?;
        suite.note(format!("Write-ahead log, {}: {bytes:.0} bytes for each of 20,000 verifications.", way.name()));
    }
    runtime.block_on(asked.pool.close());
    Ok(())
}

async fn set_up(options: PgConnectOptions) -> Result<Asked, Box<dyn Error>> {
    let connections = u32::try_from(TASKS)?;
    let pool = PgPoolOptions::new().max_connections(connections).connect_with(options).await?;
    let store = SqlKeyStore::open(Postgres::new(pool.clone()), Scraper::new()).await?;
    let keys = Keys::builder(store.clone()).last_used_interval(Duration::from_secs(1)).build();
    store.migrate(keys.now()).await?;
    let mut secrets = Vec::new();
    for number in 0..PRESENTED {
        let key = scraper_key(number)?;
        secrets.push(keys.issue(key).await?.secret);
    }
    let fill = sqlx::query(Scraper::POSTGRES.fill).bind(i64::from(PRESENTED)).bind(i64::from(MANY));
    fill.execute(&pool).await?;
    pool.execute("VACUUM ANALYZE").await?;
    let digest = |secret: &Secret| KeyDigest::of(secret.expose_secret()).to_hex().as_str().to_owned();
    let digests = secrets.iter().map(digest).collect();
    Ok(Asked { pool, keys, secrets: secrets.into(), digests })
}

impl Asked {
    async fn verify(self, way: Way, steps: u64) {
        match way {
            Way::Gathered => {
                for (_, key) in (0..steps).zip(in_turn(&self.secrets)) {
                    assert!(self.keys.verify(key).await.is_ok());
                }
            }
            Way::Awaited => {
                for (_, digest) in (0..steps).zip(self.digests.iter().cycle()) {
                    self.select(digest).await;
                    update(self.pool.clone(), digest.clone()).await;
                }
            }
            Way::Detached => {
                let mut detached = JoinSet::new();
                for (_, digest) in (0..steps).zip(self.digests.iter().cycle()) {
                    self.select(digest).await;
                    detached.spawn(update(self.pool.clone(), digest.clone()));
                }
                // What was put off has to be done, too.
                detached.join_all().await;
            }
            Way::Returning => {
                for (_, digest) in (0..steps).zip(self.digests.iter().cycle()) {
                    assert!(sqlx::query(UPDATE_RETURNING).bind(digest.as_str()).fetch_one(&self.pool).await.is_ok());
                }
            }
        }
    }

    async fn select_all(self, steps: u64) {
        for (_, digest) in (0..steps).zip(self.digests.iter().cycle()) {
            self.select(digest).await;
        }
    }

    async fn select(&self, digest: &str) {
        assert!(sqlx::query(Scraper::POSTGRES.select).bind(digest).fetch_one(&self.pool).await.is_ok());
    }

    /// Bytes of the write-ahead log for each verification, behind a checkpoint and with what keyward writes at the end.
    async fn written(&self, way: Way) -> Result<f64, Box<dyn Error>> {
        const VERIFIED: u32 = 20_000;
        const POSITION: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint";

        self.pool.execute("CHECKPOINT").await?;
        let position = || sqlx::query_scalar::<_, i64>(POSITION);
        let before = position().fetch_one(&self.pool).await?;
        self.clone().verify(way, VERIFIED.into()).await;
        self.keys.flush_last_used().await?;
        let after = position().fetch_one(&self.pool).await?;
        Ok(f64::from(u32::try_from(after - before)?) / f64::from(VERIFIED))
    }
}

async fn update(pool: PgPool, digest: String) {
    assert!(sqlx::query(UPDATE).bind(digest).execute(&pool).await.is_ok());
}
