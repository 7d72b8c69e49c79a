//! What is particular to PostgreSQL. Without a server in `KEYWARD_TEST_POSTGRES_URL` these tests do nothing.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection as _, PgConnection};

use super::{both, count, statement};
use crate::sql::engine::migrate::{Change, Migration};
use crate::sql::engine::{
    Cell, ConnectError, Counts, Engine, EngineError, Postgres, Query, Reading, Script, ScriptError, Sql, Step,
};
use crate::time::Timestamp;

static ALL: Query = Query::new(both("SELECT id FROM things"), &["id"]);

const ADD: &str = "INSERT INTO things SELECT coalesce(max(id), 0) + 1 FROM things";

/// Runs `test` with the URL of an empty database that is dropped afterwards.
pub(super) async fn on_own_database<F: Future<Output = ()> + Send>(test: impl FnOnce(String) -> F + Send) {
    static NEXT: AtomicU32 = AtomicU32::new(0);

    let Ok(server) = std::env::var("KEYWARD_TEST_POSTGRES_URL") else { return };
    let name = format!("keyward_engine_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(&server).await.unwrap();
    let run = |sql: String| sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    run(format!("CREATE DATABASE {name}")).execute(&mut admin).await.unwrap();
    let (start, _) = server.rsplit_once('/').unwrap();
    test(format!("{start}/{name}")).await;
    run(format!("DROP DATABASE {name} WITH (FORCE)")).execute(&mut admin).await.unwrap();
}

async fn connect(url: &str) -> (Postgres, PgConnection) {
    let postgres = Postgres::connect(url).await.unwrap();
    let mut host = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE things (id bigint PRIMARY KEY)").execute(&mut host).await.unwrap();
    (postgres, host)
}

#[tokio::test]
async fn a_script_in_the_hosts_transaction_leaves_it_as_it_was_when_it_fails() {
    on_own_database(|url| async move {
        let (postgres, mut host) = connect(&url).await;
        let script = |last| Script::new([Step::run(statement(ADD)), last]);
        let outside = postgres.run_within(&mut host, script(Step::run(statement("SELECT 1"))), None::<Reading<()>>);
        let outcome: Result<_, ScriptError<&str>> = outside.await;
        assert!(matches!(outcome, Err(ScriptError::Engine(EngineError::Unsupported(_)))));

        let mut transaction = host.begin().await.unwrap();
        sqlx::raw_sql(ADD).execute(&mut *transaction).await.unwrap();
        let none = Step::require(statement("SELECT 1 FROM things WHERE id = 99"), "mine");
        let outcome = postgres.run_within(&mut transaction, script(none), None::<Reading<()>>).await;
        assert!(matches!(outcome, Err(ScriptError::Refused("mine"))));
        let broken = Step::batch(both("INSERT INTO nothing VALUES (1)"));
        let outcome = postgres.run_within(&mut transaction, script(broken), None::<Reading<()>>).await;
        assert!(matches!(outcome, Err(ScriptError::Engine(EngineError::Failed { .. }))));

        let fine = Script::<()>::new([Step::run(statement(ADD))]);
        let read = Reading::new(&ALL, Vec::new(), |_| ());
        let (returned, rows) = postgres.run_within(&mut transaction, fine, Some(read)).await.unwrap();
        assert_eq!((returned, rows.len()), (Counts::default(), 2));
        transaction.commit().await.unwrap();
        assert_eq!(count(&postgres.into(), &ALL).await, 2);
    })
    .await;
}

#[tokio::test]
async fn only_read_committed_sees_what_was_committed_since() {
    on_own_database(|url| async move {
        let mut host = PgConnection::connect(&url).await.unwrap();
        for (begin, is_fine) in [("BEGIN", true), ("BEGIN ISOLATION LEVEL REPEATABLE READ", false)] {
            let mut transaction = host.begin_with(begin).await.unwrap();
            let outcome = Postgres::require_read_committed(&mut transaction).await;
            assert_eq!(outcome.is_ok(), is_fine, "{begin}");
        }
    })
    .await;
}

#[tokio::test]
async fn own_tables_live_in_the_schema_that_the_host_names() {
    static OWN: Query = Query::new(
        Sql { postgres: "SELECT 'keyward' AS word, note FROM keyward.notes", sqlite: "" },
        &["note", "word"],
    );
    let create = "CREATE TABLE IF NOT EXISTS keyward.notes (note text)";
    let change = Change::Run { sql: Sql { postgres: create, sqlite: "" }, makes: &["notes"] };
    let migrations = [Migration::new(1, "notes", change)];

    on_own_database(|url| async move {
        let postgres = Postgres::connect(&url).await.unwrap();
        assert!(postgres.clone().own_tables_in("pg_keys").is_err());
        // A word that has to be quoted in a statement.
        let elsewhere = Engine::from(postgres.clone().own_tables_in("user").unwrap());
        let usual = Engine::from(postgres.own_tables_in("keyward").unwrap());
        for (engine, table) in [(elsewhere, "user.notes"), (usual, "keyward.notes")] {
            assert_eq!(engine.own_table("notes"), table);
            assert_eq!(engine.apply("test", &migrations, &[], Timestamp::MIN).await.unwrap().len(), 1);
            assert_eq!(engine.apply("test", &migrations, &[], Timestamp::MIN).await.unwrap(), []);
            let add = Sql { postgres: "INSERT INTO keyward.notes VALUES ('a')", sqlite: "" };
            for _ in 0..2 {
                engine.execute(super::Statement::new(add, [])).await.unwrap();
            }
            let is_right =
                |row: &super::super::Row<'_>| row.cell(0) == Cell::Text("a") && row.cell(1) == Cell::Text("keyward");
            assert_eq!(engine.read(&OWN, &[], is_right).await.unwrap(), [true, true]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_role_without_rights_passes_where_all_is_there() {
    let create = "CREATE TABLE IF NOT EXISTS keyward.notes (note text)";
    let change = Change::Run { sql: Sql { postgres: create, sqlite: "" }, makes: &["notes"] };
    let migrations = [Migration::new(1, "notes", change)];

    on_own_database(|url| async move {
        let owner = Engine::connect(&url).await.unwrap();
        owner.apply("test", &migrations, &[], Timestamp::MIN).await.unwrap();
        let role = format!("reader_{}", url.rsplit('/').next().unwrap());
        let mut admin = PgConnection::connect(&url).await.unwrap();
        let grant = format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'guest'; GRANT USAGE ON SCHEMA keyward TO {role};
             GRANT SELECT ON keyward.migrations TO {role}"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(grant)).execute(&mut admin).await.unwrap();
        let (_, address) = url.split_once('@').unwrap();
        let guest = Engine::connect(&format!("postgres://{role}:guest@{address}")).await.unwrap();
        assert_eq!(guest.apply("test", &migrations, &[], Timestamp::MIN).await.unwrap(), []);
        // There, though not under this name: it cannot be recorded, and need not be.
        assert_eq!(guest.apply("other", &migrations, &[], Timestamp::MIN).await.unwrap(), []);
        let drop = format!("DROP OWNED BY {role}; DROP ROLE {role}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_failure_to_connect_says_why_and_not_the_password() {
    for url in
        ["postgres://keys:s3cret@127.0.0.1:1/keys", "postgres://keys:s3cret@[::1/keys", "postgres://keys:s3cret@h:x/k"]
    {
        let error = Engine::connect(url).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(matches!(error, ConnectError::Unavailable { .. } | ConnectError::InvalidUrl { .. }), "{shown}");
    }
}

#[tokio::test]
async fn a_uuid_reads_as_text_and_debug_shows_no_pool() {
    static UUID: Query =
        Query::new(Sql { postgres: "SELECT '01234567-89AB-cdef-0123-456789abcdef'::uuid AS id", sqlite: "" }, &["id"]);
    on_own_database(|url| async move {
        let engine = Engine::connect(&url).await.unwrap();
        let is_right =
            |row: &super::super::Row<'_>| row.cell(0).as_text() == Some("01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(engine.read(&UUID, &[], is_right).await.unwrap(), [true]);
        assert_eq!(format!("{engine:?}"), "Postgres(Postgres { own_schema: \"keyward\", .. })");
    })
    .await;
}
