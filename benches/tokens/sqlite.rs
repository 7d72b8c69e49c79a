//! Over a SQLite file.

use std::error::Error;

use keyward::rusqlite::Connection;
use keyward::rusqlite::types::Value;
use keyward::service::Introspection;
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::{Clock as _, Sqlite, SystemClock};
use tokio::runtime;

use super::{ALONE, asker, digest, fill, presented, server};
use keyward_benches::batch::{async_step, step};
use keyward_benches::keys::in_turn;
use keyward_benches::suite::Suite;

pub(crate) fn accept(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("broker.db");
    let runtime = runtime::Builder::new_current_thread().build()?;
    let store = runtime.block_on(SqlGrantStore::open(Sqlite::open(&path)?, BrokerTables::new()))?;
    runtime.block_on(store.migrate(SystemClock.now()))?;
    let tokens = server(store)?;
    let host = Connection::open(&path)?;
    host.execute_batch(&format!("BEGIN; {} COMMIT;", fill("keyward_")))?;
    // What is still in the write-ahead log would be read from there, at a price that changes from run to run.
    host.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;

    let secrets = presented();
    let digests: Vec<_> = secrets.iter().map(digest).collect();
    let mut wanted = digests.iter().cycle();
    let mut select = |statement: &str| {
        // The whole row is read, as whoever wants to know what it says does.
        let found = host.prepare_cached(statement).and_then(|mut select| {
            let columns = select.column_count();
            select.query_row([wanted.next()], |row| {
                (0..columns).map(|column| row.get::<_, Value>(column)).collect::<Result<Vec<_>, _>>()
            })
        });
        assert!(found.is_ok());
        found
    };
    let mut alone = || select("SELECT * FROM access_tokens WHERE token_hash = ?1");
    let resource = tokens.protect(tokens.policy().resources[0].clone())?;
    let mut presented = in_turn(&secrets);
    suite.compare(
        "authenticate a bearer through SQLite, 100,000 tokens",
        async_step(&runtime, async || {
            assert!(resource.authenticate(presented.next().unwrap_or_default()).await.is_ok());
        }),
        ALONE,
        step(&mut alone),
    );
    let mut presented = in_turn(&secrets);
    suite.compare(
        "introspect through SQLite, 100,000 tokens",
        async_step(&runtime, async || {
            let meaning = tokens.introspect(asker(), presented.next().unwrap_or_default()).await;
            assert!(matches!(meaning, Ok(Introspection::Access(_))));
        }),
        ALONE,
        step(&mut alone),
    );
    Ok(())
}
