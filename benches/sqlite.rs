//! Verifying over a SQLite file, against the one statement that it cannot do without on a connection in hand: how many
//! keys there are, how many tasks ask, whether lookups happen in place or apart, whether last use is noted, how long the
//! first answer takes, and what a busy writer does to it.

use std::cell::RefCell;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use keyward::key::KeyDigest;
use keyward::rusqlite::{self, Connection};
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::{Keys, Secret, SqlKeyStore, Sqlite};
use keyward_benches::batch::{async_step, step, tasks};
use keyward_benches::keys::{PRESENTED, in_turn, sizes};
use keyward_benches::suite::Suite;
use keyward_benches::tables::{Argument, Benched};
use tokio::runtime::{self, Runtime};

const RAW: &str = "the prepared SELECT alone";
const TASKS: u64 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("sqlite");
    verify_in::<Standard>(&mut suite)?;
    verify_in::<Scraper>(&mut suite)?;
    suite.finish()
}

/// What is presented, and what the table is asked for.
struct Asked<S: Benched> {
    path: PathBuf,
    keys: Keys<S>,
    /// The same, of which lookups happen on a thread of their own.
    apart: Keys<S>,
    secrets: Arc<[Secret]>,
    arguments: Arc<[Argument]>,
}

fn verify_in<S: Benched>(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("keys.db");
    let runtime = runtime::Builder::new_current_thread().build()?;
    let engine = Sqlite::open(&path)?;
    let store = runtime.block_on(SqlKeyStore::open(engine.clone(), S::value()?))?;
    let keys = Keys::builder(store.clone()).build();
    let apart = runtime.block_on(SqlKeyStore::open(engine.lookups_apart(), S::value()?))?;
    let apart = Keys::builder(apart).build();
    runtime.block_on(store.migrate(keys.now()))?;
    let secrets = issue(&store, &keys, &path)?;
    let arguments = secrets.iter().map(|secret| S::argument(&KeyDigest::of(secret.expose_secret()))).collect();
    let asked = Asked { path, keys, apart, secrets: secrets.into(), arguments };

    let host = Connection::open(&asked.path)?;
    let mut rows = PRESENTED;
    for (size, wanted) in sizes() {
        if wanted > rows {
            host.execute(S::SQLITE.fill, [rows, wanted])?;
        }
        rows = wanted;
        // What is still in the write-ahead log would be read from there, at a price that changes from run to run.
        host.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        let load = format!("{}, {size}", S::NAME);
        asked.one_after_the_other(suite, &load, &runtime)?;
        asked.many_tasks(suite, &format!("{load}, {TASKS} tasks"))?;
    }
    let load = format!("{}, {rows} keys", S::NAME);
    asked.first_answer(suite, &load, &runtime);
    asked.beside_a_writer(suite, &load, &runtime)
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

async fn verify<S: Benched>(keys: Keys<S>, secrets: Arc<[Secret]>, steps: u64) {
    for (_, key) in (0..steps).zip(in_turn(&secrets)) {
        assert!(keys.verify(key).await.is_ok());
    }
}

/// The one statement.
fn select<S: Benched>(host: &Connection, argument: Option<&Argument>) -> rusqlite::Result<String> {
    host.prepare_cached(S::SQLITE.select)?.query_row([argument], |row| row.get("id"))
}

impl<S: Benched> Asked<S> {
    fn one_after_the_other(&self, suite: &mut Suite, load: &str, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
        let host = Connection::open(&self.path)?;
        let mut wanted = self.arguments.iter().cycle();
        let mut raw = || select::<S>(&host, wanted.next());
        let forgetful = Keys::builder_over(self.keys.store().clone()).last_used_capacity(0).build();
        for (note, keys) in [("", &self.keys), (", last use not noted", &forgetful), (", apart", &self.apart)] {
            let mut presented = in_turn(&self.secrets);
            suite.compare(
                format!("verify, {load}{note}"),
                async_step(runtime, async || keys.verify(presented.next().unwrap_or_default()).await.is_ok()),
                RAW,
                step(&mut raw),
            );
        }
        Ok(())
    }

    /// Each thread has a connection in hand for whichever of the tasks runs on it.
    fn many_tasks(&self, suite: &mut Suite, load: &str) -> Result<(), Box<dyn Error>> {
        thread_local! {
            static IN_HAND: RefCell<Option<(PathBuf, Connection)>> = const { RefCell::new(None) };
        }
        fn in_hand<T>(path: &Path, work: impl FnOnce(&Connection) -> T) -> T {
            IN_HAND.with_borrow_mut(|held| {
                if held.as_ref().is_none_or(|(held, _)| held != path) {
                    *held = Connection::open(path).ok().map(|connection| (path.to_owned(), connection));
                }
                let (_, connection) = held.as_ref().expect("the file that was just filled opens");
                work(connection)
            })
        }

        let runtime = runtime::Builder::new_multi_thread().build()?;
        for (note, keys) in [("", &self.keys), (", apart", &self.apart)] {
            suite.compare(
                format!("verify, {load}{note}"),
                tasks(&runtime, TASKS, |steps| verify(keys.clone(), Arc::clone(&self.secrets), steps)),
                RAW,
                tasks(&runtime, TASKS, |steps| {
                    let (path, arguments) = (self.path.clone(), Arc::clone(&self.arguments));
                    async move {
                        for (_, argument) in (0..steps).zip(arguments.iter().cycle()) {
                            assert!(in_hand(&path, |host| select::<S>(host, Some(argument))).is_ok());
                        }
                    }
                }),
            );
        }
        Ok(())
    }

    fn first_answer(&self, suite: &mut Suite, load: &str, runtime: &Runtime) {
        let key = self.secrets[0].expose_secret();
        suite.compare(
            format!("open the file and verify once, {load}"),
            async_step(runtime, async || {
                let engine = Sqlite::open(&self.path).map_err(|_| "not opened")?;
                let schema = S::value().map_err(|_| "no schema")?;
                let store = SqlKeyStore::open(engine, schema).await.map_err(|_| "not opened")?;
                Keys::builder(store).build().verify(key).await.map_err(|_| "not verified")
            }),
            "opening it and the SELECT",
            step(|| select::<S>(&Connection::open(&self.path)?, self.arguments.first())),
        );
    }

    /// Another connection commits a change after the other meanwhile.
    fn beside_a_writer(&self, suite: &mut Suite, load: &str, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
        let host = Connection::open(&self.path)?;
        let writer = Connection::open(&self.path)?;
        writer.execute_batch("PRAGMA synchronous = NORMAL; CREATE TABLE written (at INTEGER)")?;
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let is_done = &is_done;
            scope.spawn(move || {
                while !is_done.load(Ordering::Relaxed) {
                    let _ = writer.execute("INSERT INTO written VALUES (1)", []);
                }
            });
            for (note, keys) in [("", &self.keys), (", apart", &self.apart)] {
                let (mut wanted, mut presented) = (self.arguments.iter().cycle(), in_turn(&self.secrets));
                suite.compare(
                    format!("verify beside a busy writer, {load}{note}"),
                    async_step(runtime, async || keys.verify(presented.next().unwrap_or_default()).await.is_ok()),
                    RAW,
                    step(|| select::<S>(&host, wanted.next())),
                );
            }
            is_done.store(true, Ordering::Relaxed);
        });
        Ok(())
    }
}
