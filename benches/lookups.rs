//! How a key is found over PostgreSQL: by its whole digest, as keyward and two of the services do that it was made for;
//! by its first characters and a comparison, as a third does; and by its digest in a statement that also decrypts what
//! else is in the row, as the first does. Each against the statement by the digest alone, through the same pool.

use std::error::Error;
use std::sync::Arc;

use keyward::key::KeyDigest;
use keyward::schemas::scraper::Scraper;
use keyward::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use keyward::sqlx::{self, Executor as _, Row as _};
use keyward::{Keys, Postgres, Secret, SqlKeyStore};
use keyward_benches::batch::tasks;
use keyward_benches::keys::{MANY, PRESENTED, in_turn, scraper_key};
use keyward_benches::server::in_database;
use keyward_benches::suite::Suite;
use keyward_benches::tables::Benched as _;
use tokio::runtime::{self, Runtime};

const RAW: &str = "the prepared SELECT by digest";

/// Eight characters, which hardly two of 100,000 keys share.
const BY_PREFIX: &str = "SELECT * FROM others_keys WHERE prefix = $1";
const DECRYPTING: &str = "SELECT id, pgp_sym_decrypt(secret_1, 'the key of the database'),
    pgp_sym_decrypt(secret_2, 'the key of the database'), pgp_sym_decrypt(secret_3, 'the key of the database')
    FROM others_keys WHERE digest = $1";
const SET_UP: &str = "
    CREATE EXTENSION IF NOT EXISTS pgcrypto;
    CREATE TABLE others_keys (
        id bigserial PRIMARY KEY, prefix text NOT NULL, digest text NOT NULL UNIQUE,
        secret_1 bytea NOT NULL, secret_2 bytea NOT NULL, secret_3 bytea NOT NULL
    );
    CREATE INDEX ON others_keys (prefix);
    INSERT INTO others_keys (prefix, digest, secret_1, secret_2, secret_3)
    SELECT left(key_hash, 8), key_hash, secret, secret, secret FROM api_keys,
        (SELECT pgp_sym_encrypt(repeat('t', 64), 'the key of the database') AS secret) AS encrypted;
    ANALYZE";

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("lookups");
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    in_database("lookups", &runtime, |options| find(&mut suite, &runtime, options))?;
    suite.finish()
}

#[derive(Clone)]
struct Asked {
    pool: PgPool,
    keys: Keys<Scraper>,
    secrets: Arc<[Secret]>,
    digests: Arc<[String]>,
}

fn find(suite: &mut Suite, runtime: &Runtime, options: PgConnectOptions) -> Result<(), Box<dyn Error>> {
    let asked = runtime.block_on(set_up(options))?;
    for at_once in [1, 8] {
        let mut compare = |what: &str, ours: &mut dyn FnMut(u64) -> std::time::Duration| {
            suite.compare(
                format!("{what}, 100,000 keys, {at_once} at once"),
                ours,
                RAW,
                tasks(runtime, at_once, |steps| asked.clone().select(Scraper::POSTGRES.select, steps)),
            );
        };
        compare("keyward", &mut tasks(runtime, at_once, |steps| asked.clone().verify(steps)));
        compare("by prefix, then comparing", &mut tasks(runtime, at_once, |steps| asked.clone().compare(steps)));
        compare(
            "by digest, decrypting three secrets",
            &mut tasks(runtime, at_once, |steps| asked.clone().select(DECRYPTING, steps)),
        );
    }
    runtime.block_on(asked.pool.close());
    Ok(())
}

async fn set_up(options: PgConnectOptions) -> Result<Asked, Box<dyn Error>> {
    let pool = PgPoolOptions::new().max_connections(8).connect_with(options).await?;
    let store = SqlKeyStore::open(Postgres::new(pool.clone()), Scraper::new()).await?;
    let keys = Keys::builder(store.clone()).build();
    store.migrate(keys.now()).await?;
    let mut secrets = Vec::new();
    for number in 0..PRESENTED {
        let key = scraper_key(number)?;
        secrets.push(keys.issue(key).await?.secret);
    }
    sqlx::query(Scraper::POSTGRES.fill).bind(i64::from(PRESENTED)).bind(i64::from(MANY)).execute(&pool).await?;
    sqlx::raw_sql(SET_UP).execute(&pool).await?;
    pool.execute("VACUUM ANALYZE").await?;
    let digest = |secret: &Secret| KeyDigest::of(secret.expose_secret()).to_hex().as_str().to_owned();
    let digests = secrets.iter().map(digest).collect();
    Ok(Asked { pool, keys, secrets: secrets.into(), digests })
}

impl Asked {
    async fn verify(self, steps: u64) {
        for (_, key) in (0..steps).zip(in_turn(&self.secrets)) {
            assert!(self.keys.verify(key).await.is_ok());
        }
    }

    async fn select(self, statement: &'static str, steps: u64) {
        for (_, digest) in (0..steps).zip(self.digests.iter().cycle()) {
            assert!(sqlx::query(statement).bind(digest.as_str()).fetch_one(&self.pool).await.is_ok());
        }
    }

    async fn compare(self, steps: u64) {
        for (_, digest) in (0..steps).zip(self.digests.iter().cycle()) {
            let found = sqlx::query(BY_PREFIX).bind(&digest[..8]).fetch_all(&self.pool).await;
            let is_right =
                |row: &sqlx::postgres::PgRow| row.try_get::<&str, _>("digest").is_ok_and(|found| found == digest);
            assert!(found.is_ok_and(|rows| rows.iter().any(is_right)));
        }
    }
}
