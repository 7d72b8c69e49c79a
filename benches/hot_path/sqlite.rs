//! Verifying over a SQLite file against the one statement that it cannot do without.

use std::error::Error;
use std::path::Path;

use keyward::key::KeyDigest;
use keyward::rusqlite::types::{ToSqlOutput, ValueRef};
use keyward::rusqlite::{self, Connection, ToSql};
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::{Keys, Secret, SqlKeyStore, Sqlite};
use tokio::runtime;

use crate::suite::Suite;
use crate::tables::{Argument, Benched};
use crate::{MANY, PRESENTED, in_turn};

pub(crate) fn verify(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    verify_in::<Standard>(suite)?;
    verify_in::<Scraper>(suite)
}

fn verify_in<S: Benched>(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("keys.db");
    let runtime = runtime::Builder::new_current_thread().build()?;
    let store = runtime.block_on(SqlKeyStore::open(Sqlite::open(&path)?, S::value()?))?;
    let keys = Keys::builder(store.clone()).build();
    runtime.block_on(store.migrate(keys.now()))?;
    let secrets = issue(&store, &keys, &path)?;

    compare(suite, "1,000 keys", &keys, &secrets, &path)?;
    let host = Connection::open(&path)?;
    host.execute(S::SQLITE.fill, [MANY - PRESENTED])?;
    // What is still in the write-ahead log would be read from there, at a price that changes from run to run.
    host.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    compare(suite, "100,000 keys", &keys, &secrets, &path)
}

/// Issues the keys in one transaction of the host, because a thousand commits take their time.
fn issue<S: Benched>(store: &SqlKeyStore<S>, keys: &Keys<S>, path: &Path) -> Result<Vec<Secret>, Box<dyn Error>> {
    let mut host = Connection::open(path)?;
    let transaction = host.transaction()?;
    let mut receipts = Vec::new();
    for number in 0..PRESENTED {
        let prepared = keys.prepare(S::typical_key(number)?)?;
        receipts.push(store.within(&transaction).issue(prepared)?);
    }
    transaction.commit()?;
    Ok(receipts.into_iter().map(|receipt| keys.committed(receipt).secret).collect())
}

fn compare<S: Benched>(
    suite: &mut Suite,
    size: &str,
    keys: &Keys<S>,
    secrets: &[Secret],
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    const GROUP: &str = "verify_sqlite";

    let load = format!("{}, {size}", S::NAME);
    let host = Connection::open(path)?;
    let arguments: Vec<_> = secrets.iter().map(|secret| S::argument(&KeyDigest::of(secret.expose_secret()))).collect();
    let mut wanted = arguments.iter().cycle();
    let raw = suite.time(GROUP, &format!("raw_select/{load}"), || {
        host.prepare_cached(S::SQLITE.select)?.query_row([wanted.next()], |row| row.get::<_, String>("id"))
    });

    let runtime = runtime::Builder::new_current_thread().build()?;
    let mut presented = in_turn(secrets);
    let verified = suite.time_async(GROUP, &format!("verify/{load}"), &runtime, async || {
        keys.verify(presented.next().unwrap_or_default()).await.is_ok()
    });
    suite.compare(format!("verify through SQLite, {load}"), verified, "the prepared SELECT alone", raw);
    Ok(())
}

impl ToSql for Argument {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Hex(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}
