//! One SQLite file under two stores and a host's transactions: one thread writes for both stores, and nobody is turned
//! away.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::{Engine, Keys, SqlKeyStore, Sqlite};
use tokio::task::JoinSet;

use crate::support::concurrency::{Abandon, abandon};
use crate::support::{START, TestSchema, sqlite};

/// Says that a test runs in a process of its own, where no other one has writers.
const ALONE: &str = "KEYWARD_TEST_ALONE";

/// Whether this is that process; otherwise, `test` of this module is run in one, and has to pass.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let this = std::env::current_exe().unwrap();
    let run = Command::new(this).args([&format!("{module}::{test}"), "--exact"]).env(ALONE, "1").output().unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && output.contains("1 passed"), "{output}{}", String::from_utf8_lossy(&run.stderr));
    false
}

/// How many threads of this process have the name of a SQLite writer. A thread that has ended may still be shown for a
/// moment.
fn writers(expected: usize) -> usize {
    let count = || {
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let tasks = fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
        tasks.map(name).filter(|name| name.trim_end() == "keyward-sqlite").count()
    };
    for _ in 0..100 {
        if count() == expected {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    count()
}

async fn store<S: TestSchema>(engine: impl Into<Engine>) -> SqlKeyStore<S> {
    let store = SqlKeyStore::open(engine, S::schema()).await.unwrap();
    store.migrate(START).await.unwrap();
    store
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn stores_on_one_engine_and_all_their_clones_have_one_writer() {
    if !is_alone("stores_on_one_engine_and_all_their_clones_have_one_writer") {
        return;
    }
    let file = sqlite::Database::new();
    assert_eq!(writers(0), 0);
    let engine = Sqlite::open(file.path()).unwrap();
    let standard = store::<Standard>(&engine).await;
    let scraper = store::<Scraper>(engine.clone()).await;
    let chosen = Engine::from(&engine);
    let again = store::<Standard>(&chosen).await;
    let clones = (standard.clone(), scraper.clone(), chosen.clone(), standard.engine().clone());
    let keys = Keys::builder(standard.clone()).build();
    let issued = keys.issue(Standard::draft("acme")).await.unwrap();
    Keys::builder(again.clone()).build().verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(writers(1), 1);

    // Were there no such thread, or had it another name, the test would prove nothing.
    let other = Sqlite::open(file.path()).unwrap();
    assert_eq!(writers(2), 2);
    drop(other);
    assert_eq!(writers(1), 1);
    drop((engine, standard, scraper, chosen, again, keys));
    assert_eq!(writers(1), 1, "clones hold it");
    drop(clones);
    assert_eq!(writers(0), 0);
    let mut log = file.path().as_os_str().to_owned();
    log.push("-wal");
    assert!(!std::path::Path::new(&log).exists(), "the log is gone once the last connection is closed");
}

/// Everybody writes at once: two stores, and a host that issues keys in its own transactions.
#[tokio::test(flavor = "multi_thread")]
async fn under_load_from_two_stores_and_a_host_nobody_finds_the_database_busy() {
    const EACH: u64 = 40;
    const WRITERS: u64 = 4;

    let file = sqlite::Database::new();
    let engine = Sqlite::open(file.path()).unwrap();
    let standard = store::<Standard>(&engine).await;
    let scraper = store::<Scraper>(&engine).await;
    file.connection().execute_batch("CREATE TABLE customers (number INTEGER PRIMARY KEY)").unwrap();

    let verified = Arc::new(AtomicU64::new(0));
    let mut load = JoinSet::new();
    for _ in 0..WRITERS {
        load.spawn(write(Keys::builder(standard.clone()).build(), EACH, Arc::clone(&verified)));
        load.spawn(write(Keys::builder(scraper.clone()).build(), EACH, Arc::clone(&verified)));
    }
    let (mut connection, keys) = (file.connection(), Keys::builder(standard.clone()).build());
    load.spawn_blocking(move || {
        for number in 0..EACH {
            let transaction = connection.transaction().unwrap();
            transaction.execute("INSERT INTO customers VALUES (?1)", [number.cast_signed()]).unwrap();
            let prepared = keys.prepare(Standard::draft("the host's")).unwrap();
            let receipt = standard.within(&transaction).issue(prepared).unwrap();
            transaction.commit().unwrap();
            let _ = keys.committed(receipt);
        }
    });
    load.join_all().await;

    assert_eq!(verified.load(Ordering::Relaxed), 2 * WRITERS * EACH * 2);
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        file.connection().query_one(&sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
    };
    assert_eq!(count("customers"), EACH);
    assert_eq!(count("keyward_keys"), WRITERS * EACH * 2 + EACH);
    assert_eq!(count("api_keys"), WRITERS * EACH * 2);
}

/// Issues, verifies, rotates, verifies and revokes; any error ends the test.
async fn write<S: TestSchema>(keys: Keys<S>, times: u64, verified: Arc<AtomicU64>) {
    for _ in 0..times {
        let issued = keys.issue(S::draft("acme")).await.unwrap();
        keys.verify(issued.secret.expose_secret()).await.unwrap();
        let rotated = keys.rotate(&issued.record.head.id, Duration::from_hours(1), None).await.unwrap();
        keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
        verified.fetch_add(2, Ordering::Relaxed);
        keys.flush_last_used().await.unwrap();
        keys.revoke(&issued.record.head.id, None).await.unwrap();
        keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    }
}

/// A revocation that was sent is carried out, whether or not somebody waits for it, before the last handle is gone.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_handle_waits_for_the_revocations_that_were_sent() {
    let file = sqlite::Database::new();
    let standard = store::<Standard>(Sqlite::open(file.path()).unwrap()).await;
    let keys = Keys::builder(standard).build();
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(keys.issue(Standard::draft("acme")).await.unwrap().record.head.id);
    }
    for id in &ids {
        // Given up as soon as the job is on its way.
        let revocation = keys.revoke(id, None);
        assert!(abandon(revocation, Abandon::After(1)).await.is_none_or(|done| done.is_ok()));
    }
    drop(keys);
    let revoked = "SELECT count(*) FROM keyward_keys WHERE revoked_at IS NOT NULL";
    let count: i64 = file.connection().query_one(revoked, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 20);
}
