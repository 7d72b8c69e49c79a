//! What is particular to SQLite.

use rusqlite::Connection;

use super::{both, count, statement};
use crate::sql::engine::{
    ConnectError, Counts, Engine, EngineError, Query, Reading, Row, Script, ScriptError, Sqlite, Statement, Step, Value,
};

static ALL: Query = Query::new(both("SELECT id FROM things"), &["id"]);

const CREATE: &str = "CREATE TABLE things (id INTEGER PRIMARY KEY)";
const ADD: &str = "INSERT INTO things DEFAULT VALUES";

fn add_and<E>(last: Step<E>) -> Script<E> {
    Script::new([Step::run(statement(ADD)), last])
}

#[tokio::test]
async fn a_script_in_the_hosts_transaction_leaves_it_as_it_was_when_it_fails() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    let sqlite = Sqlite::open(&path).unwrap();
    let mut host = Connection::open(&path).unwrap();
    host.execute_batch(CREATE).unwrap();
    let transaction = host.transaction().unwrap();
    transaction.execute_batch(ADD).unwrap();

    let none = statement("SELECT 1 FROM things WHERE id = 99");
    let refused = add_and(Step::require(none, "mine"));
    let outcome = sqlite.run_within(&transaction, refused, None::<Reading<()>>);
    assert!(matches!(outcome, Err(ScriptError::Refused("mine"))));
    let broken = add_and::<()>(Step::batch(both("INSERT INTO nothing VALUES (1)")));
    let outcome = sqlite.run_within(&transaction, broken, None::<Reading<()>>);
    assert!(matches!(outcome, Err(ScriptError::Engine(EngineError::Failed { .. }))));

    let fine = Script::<()>::new([Step::run(statement(ADD))]);
    let read = Reading::new(&ALL, Vec::new(), |_| ());
    let (returned, rows) = sqlite.run_within(&transaction, fine, Some(read)).unwrap();
    assert_eq!((returned, rows.len()), (Counts::default(), 2));
    transaction.commit().unwrap();
    assert_eq!(count(&sqlite.into(), &ALL).await, 2);
}

#[tokio::test]
async fn only_lookups_happen_in_place_and_these_elsewhere_if_the_host_says_so() {
    static ONE: Query = Query::new(both("SELECT 1 AS one"), &["one"]);
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(directory.path().join("keys.db")).unwrap();
    let thread = |_: &Row<'_>| std::thread::current().id();
    let here = std::thread::current().id();

    let engine = Engine::from(&sqlite);
    assert_eq!(engine.look_up(&ONE, &[], thread).await.unwrap(), [here]);
    let [reader] = engine.read(&ONE, &[], thread).await.unwrap()[..] else { panic!("one row") };
    assert_ne!(reader, here);

    let apart = Engine::from(sqlite.clone().lookups_apart());
    assert_eq!(apart.look_up(&ONE, &[], thread).await.unwrap(), [reader]);
    assert_eq!(engine.look_up(&ONE, &[], thread).await.unwrap(), [here]);
}

#[test]
fn a_transaction_on_another_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    let sqlite = Sqlite::open(&path).unwrap();
    let run = |path: &std::path::Path| {
        let mut host = Connection::open(path).unwrap();
        let script = Script::<()>::new([Step::run(statement("SELECT 1"))]);
        sqlite.run_within(&host.transaction().unwrap(), script, None::<Reading<()>>)
    };
    assert!(run(&path).is_ok());
    #[cfg(unix)]
    {
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path(), &link).unwrap();
        assert!(run(&link.join("keys.db")).is_ok());
    }
    let error = run(&directory.path().join("other.db")).unwrap_err();
    assert!(matches!(error, ScriptError::Engine(EngineError::Unsupported(_))), "{error:?}");
}

#[tokio::test]
async fn a_missing_file_is_made_only_where_the_url_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/my%20keys.db", directory.path().display());
    let error = Engine::connect(&url).await.unwrap_err();
    assert!(matches!(error, ConnectError::MissingFile { .. }) && error.to_string().contains("?mode=rwc"), "{error}");
    drop(Engine::connect(&format!("{url}?mode=rwc")).await.unwrap());
    assert!(directory.path().join("my keys.db").exists());
    Engine::connect(&url).await.unwrap();
}

#[test]
fn a_connection_in_a_transaction_is_refused() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("BEGIN").unwrap();
    assert!(matches!(Sqlite::from_connection(connection), Err(ConnectError::Unavailable { .. })));
}

#[tokio::test]
async fn a_reader_does_not_write_and_every_connection_enforces_foreign_keys() {
    static SNEAKY: Query = Query::new(both("INSERT INTO things DEFAULT VALUES RETURNING id"), &["id"]);
    static ENFORCED: Query = Query::new(both("SELECT 1 FROM pragma_foreign_keys WHERE foreign_keys"), &[]);

    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::from(Sqlite::open(directory.path().join("keys.db")).unwrap());
    engine.execute(statement(CREATE)).await.unwrap();
    assert!(engine.read(&SNEAKY, &[], |_| ()).await.is_err());
    let script = Script::<()>::new([]);
    let (_, on_writer) = engine.run_and_read(script, Reading::new(&ENFORCED, [], |_| ())).await.unwrap();
    assert_eq!((count(&engine, &ENFORCED).await, on_writer.len()), (1, 1));
}

#[tokio::test]
async fn dropping_the_last_handle_finishes_what_was_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    let sqlite = Sqlite::open(&path).unwrap();
    sqlite.execute(statement(CREATE)).await.unwrap();
    let insert = |id: i64| {
        let statement =
            Statement::new(super::Sql { postgres: "", sqlite: "INSERT INTO things VALUES (?1)" }, [id.into()]);
        let engine = Engine::from(&sqlite);
        async move { engine.run(Script::<()>::new([Step::run(statement)])).await }
    };
    // Sent, and given up at once.
    for id in 0..50 {
        let mut sent = Box::pin(insert(id));
        let waker = std::task::Waker::noop();
        let _ = sent.as_mut().poll(&mut std::task::Context::from_waker(waker));
    }
    drop(sqlite);
    let kept: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM things", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 50);
}

#[test]
fn a_value_is_bound_in_the_form_that_its_column_keeps() {
    static TYPES: Query = Query::new(
        super::Sql { postgres: "", sqlite: "SELECT typeof(?1) || typeof(?2) || typeof(?3) || typeof(?4) AS types" },
        &["types"],
    );
    let sqlite = Sqlite::in_memory().unwrap();
    let arguments = [1.into(), "a".into(), Value::from(&b""[..]), crate::time::Timestamp::MAX.into()];
    let read = sqlite.read(&TYPES, &arguments, |row| row.cell(0).as_text() == Some("integertextblobtext"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(read).unwrap(), [true]);
}
