//! Verifying over a SQLite file against the one statement that it cannot do without.

use std::error::Error;
use std::path::Path;

use keyward::key::{HexDigest, KeyDigest};
use keyward::scraper::Scraper;
use keyward::{Keys, Secret, SqliteKeyStore};
use rusqlite::Connection;
use tokio::runtime;

use crate::suite::Suite;
use crate::{MANY, PRESENTED, in_turn, typical_key};

/// As a host that needed nothing but this lookup would write it.
const RAW_SELECT: &str = "SELECT * FROM api_keys WHERE key_hash = ?1";

const ADD_KEYS_OF_NOBODY: &str = "
    INSERT INTO api_keys (key_hash, key_prefix, name, client_id, scopes, expires_at)
    WITH RECURSIVE counted (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM counted WHERE number < ?1)
    SELECT lower(hex(randomblob(32))), 'riq_abcd', 'nightly import', 'client-' || number % 1000,
           '[\"jobs:read\",\"jobs:write\"]', '2099-12-31 23:59:59'
    FROM counted";

pub(crate) fn verify(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("keys.db");
    let runtime = runtime::Builder::new_current_thread().build()?;
    let store = runtime.block_on(SqliteKeyStore::<Scraper>::open(&path))?;
    let keys = Keys::builder(Scraper, store).build();
    runtime.block_on(keys.store().migrate(keys.now()))?;
    let secrets = issue(&keys, &path)?;

    compare(suite, "1,000 keys", &keys, &secrets, &path)?;
    let host = Connection::open(&path)?;
    host.execute(ADD_KEYS_OF_NOBODY, [MANY - PRESENTED])?;
    // What is still in the write-ahead log would be read from there, at a price that changes from run to run.
    host.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    compare(suite, "100,000 keys", &keys, &secrets, &path)
}

/// Issues the keys in one transaction of the host, because a thousand commits take their time.
fn issue(keys: &Keys<SqliteKeyStore<Scraper>>, path: &Path) -> Result<Vec<Secret>, Box<dyn Error>> {
    let mut host = Connection::open(path)?;
    let transaction = host.transaction()?;
    let mut secrets = Vec::new();
    for number in 0..PRESENTED {
        let prepared = keys.prepare(typical_key(number)?)?;
        secrets.push(keys.store().issue_in(&transaction, prepared)?.secret);
    }
    transaction.commit()?;
    Ok(secrets)
}

fn compare(
    suite: &mut Suite,
    size: &str,
    keys: &Keys<SqliteKeyStore<Scraper>>,
    secrets: &[Secret],
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    const GROUP: &str = "verify_sqlite";

    let host = Connection::open(path)?;
    let hashes: Vec<_> = secrets.iter().map(|secret| KeyDigest::of(secret.expose_secret()).to_hex()).collect();
    let mut wanted = hashes.iter().cycle();
    let raw = suite.time(GROUP, &format!("raw_select/{size}"), || {
        let hash = wanted.next().map(HexDigest::as_str);
        host.prepare_cached(RAW_SELECT)?.query_row([hash], |row| row.get::<_, bool>("is_active"))
    });

    let runtime = runtime::Builder::new_current_thread().build()?;
    let mut presented = in_turn(secrets);
    let verified = suite.time_async(GROUP, &format!("verify/{size}"), &runtime, async || {
        keys.verify(presented.next().unwrap_or_default()).await.is_ok()
    });
    suite.compare(format!("verify through SQLite, {size}"), verified, "the raw prepared SELECT", raw);
    Ok(())
}
