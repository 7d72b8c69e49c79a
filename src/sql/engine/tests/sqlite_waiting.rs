//! What waits for a SQLite database, in which order it has its turn, and how it ends.

use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{both, count, statement};
use crate::sql::engine::{Engine, EngineError, Query, Reading, Row, Script, ScriptError, Sqlite, Step};

static ALL: Query = Query::new(both("SELECT id FROM things"), &["id"]);
static ONE: Query = Query::new(both("SELECT 1 AS one"), &["one"]);

const CREATE: &str = "CREATE TABLE things (id INTEGER PRIMARY KEY)";
const ADD: &str = "INSERT INTO things DEFAULT VALUES RETURNING id";

/// How many calls of a kind may wait.
const MOST_WAITING: usize = 4_096;

type Sent<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Begins a call, which waits from then on.
fn send<T>(call: impl Future<Output = T> + Send + 'static) -> Sent<T> {
    let mut call: Sent<T> = Box::pin(call);
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    call
}

fn add() -> Script<()> {
    Script::new([Step::run(statement(ADD))])
}

/// A database of each kind: with reads in place, on a thread of their own, and between the changes.
fn one_of_each(directory: &Path) -> [Sqlite; 3] {
    let rollback = directory.join("rollback.db");
    let connection = Connection::open(&rollback).unwrap();
    connection.execute_batch("CREATE TABLE unrelated (id INTEGER)").unwrap();
    let databases = [
        Sqlite::open(directory.join("wal.db")).unwrap(),
        Sqlite::open_existing(&rollback).unwrap(),
        Sqlite::in_memory().unwrap(),
    ];
    let readers = databases.each_ref().map(|sqlite| format!("{sqlite:?}"));
    assert!(readers[1].contains("readers: 1,") && readers[2].contains("readers: 0,"), "{readers:?}");
    databases
}

#[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
fn now() -> Instant {
    Instant::now()
}

/// In memory, where reads and changes wait for the same connection.
#[tokio::test]
async fn changes_go_first_and_no_number_of_reads_refuses_them() {
    let engine = Engine::from(Sqlite::in_memory().unwrap());
    engine.execute(statement(CREATE)).await.unwrap();
    let (release, released) = mpsc::channel::<()>();
    let (begin, started) = mpsc::channel();
    let same = engine.clone();
    let blocker = send(async move {
        let wait = move |_: &Row<'_>| {
            begin.send(()).unwrap();
            released.recv().unwrap();
        };
        same.read(&ONE, &[], wait).await
    });
    started.recv().unwrap();

    let done = Arc::new(AtomicUsize::new(0));
    let read = || {
        let (engine, done) = (engine.clone(), Arc::clone(&done));
        async move { engine.read(&ONE, &[], move |_| done.fetch_add(1, Ordering::SeqCst)).await }
    };
    let waiting: Vec<_> = (0..MOST_WAITING).map(|_| send(read())).collect();
    let refused = read().await;
    assert!(matches!(refused, Err(EngineError::Unavailable { .. })), "there is a limit to reads");
    let (same, seen) = (engine.clone(), Arc::clone(&done));
    let change = send(async move {
        same.run_and_read(add(), Reading::new(&ALL, [], move |_| seen.load(Ordering::SeqCst))).await.unwrap().1
    });
    drop(waiting);
    let kept = send(read());
    release.send(()).unwrap();
    blocker.await.unwrap();
    assert_eq!(change.await, [0], "the change came before each of the reads");
    kept.await.unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 1, "nobody waited for the others any more");
}

#[tokio::test]
async fn changes_wait_for_another_process_side_by_side() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    let sqlite = Sqlite::open(&path).unwrap().lock_timeout(Duration::from_secs(1));
    let engine = Engine::from(&sqlite);
    engine.execute(statement(CREATE)).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = now();
    let changes: Vec<_> = (0..20)
        .map(|_| {
            let engine = engine.clone();
            send(async move { engine.run(add()).await })
        })
        .collect();
    for change in changes {
        let outcome = change.await;
        assert!(matches!(outcome, Err(ScriptError::Engine(EngineError::Unavailable { .. }))), "{outcome:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(10), "each has waited for its turn and then for the other process");
    other.execute_batch("COMMIT").unwrap();
    engine.run(add()).await.unwrap();
    assert_eq!(count(&engine, &ALL).await, 1, "nothing was done behind the callers' backs");
}

#[test]
fn the_last_handle_does_not_wait_for_each_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    let sqlite = Sqlite::open(&path).unwrap().lock_timeout(Duration::from_secs(1));
    let other = Connection::open(&path).unwrap();
    other.execute_batch(CREATE).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let engine = Engine::from(sqlite);
    for _ in 0..20 {
        let engine = engine.clone();
        drop(send(async move { engine.run(add()).await }));
    }
    let start = now();
    drop(engine);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_call_that_panics_or_leaves_a_transaction_open_harms_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    for sqlite in one_of_each(directory.path()) {
        let engine = Engine::from(sqlite);
        engine.execute(statement(CREATE)).await.unwrap();
        let same = engine.clone();
        let panicking = send_to_task(async move {
            let _ = same.read(&ONE, &[], |_| -> () { panic!("on purpose") }).await;
        });
        let _ = panicking.await;
        let outcome = engine.run_and_read(add(), Reading::new(&ALL, [], |_| -> () { panic!("on purpose") })).await;
        assert!(matches!(outcome, Err(ScriptError::Engine(EngineError::Failed { .. }))));
        engine.execute(statement("BEGIN IMMEDIATE")).await.unwrap();
        engine.run(add()).await.unwrap();
        assert_eq!(count(&engine, &ALL).await, 1, "{engine:?}");
    }
}

/// A task, in which a panic stays.
fn send_to_task(work: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = bool> {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(work);
    async move { tasks.join_next().await.is_some_and(|ended| ended.is_ok()) }
}

#[tokio::test]
async fn every_commit_reaches_the_disk() {
    // 2 is FULL and 3 is EXTRA.
    static SYNCHRONOUS: Query = Query::new(both("SELECT 1 FROM pragma_synchronous WHERE synchronous >= 2"), &[]);

    let directory = tempfile::tempdir().unwrap();
    let careless = Connection::open(directory.path().join("hosts.db")).unwrap();
    careless.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let [first, second, third] = one_of_each(directory.path());
    for sqlite in [first, second, third, Sqlite::from_connection(careless).unwrap()] {
        let engine = Engine::from(sqlite);
        let (_, found) =
            engine.run_and_read(Script::<()>::new([]), Reading::new(&SYNCHRONOUS, [], |_| ())).await.unwrap();
        assert_eq!(found.len(), 1, "{engine:?}");
    }
}

#[tokio::test]
async fn a_connection_for_reading_does_not_write() {
    static SNEAKY: Query = Query::new(both(ADD), &["id"]);

    let directory = tempfile::tempdir().unwrap();
    let [in_place, apart, _] = one_of_each(directory.path());
    for sqlite in [in_place, apart] {
        let engine = Engine::from(sqlite);
        engine.execute(statement(CREATE)).await.unwrap();
        assert!(engine.read(&SNEAKY, &[], |_| ()).await.is_err(), "{engine:?}");
        assert_eq!(count(&engine, &ALL).await, 0, "{engine:?}");
    }
}
