//! Every statement of system C, and of the seam that runs it, prepared on both engines: none has more or fewer
//! parameters than it is given arguments, and the reads bring exactly the columns that `decode` takes.

#[cfg(feature = "postgres")]
#[allow(dead_code, clippy::allow_attributes, reason = "the integration tests use all of it")]
#[path = "../../../tests/suite/support/postgres.rs"]
mod postgres;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use crate::scraper::{Scraper, ScraperKey};
use crate::sql::{Cell, Driver, Row, Rows, Schema, Script, Sql, SqlKeyStore, Statement, Step};
use crate::store::{KeyStore, StoreError};
use crate::{Keys, Timestamp};

/// A driver that remembers what it was asked to run.
#[derive(Debug)]
struct Recorder<D> {
    driver: Arc<D>,
    statements: Arc<Mutex<Vec<Statement>>>,
}

impl<D> Recorder<D> {
    fn over(driver: D) -> Self {
        Self { driver: Arc::new(driver), statements: Arc::default() }
    }

    fn record(&self, statement: &Statement) {
        self.statements.lock().unwrap().push(statement.clone());
    }
}

impl<D> Clone for Recorder<D> {
    fn clone(&self) -> Self {
        Self { driver: Arc::clone(&self.driver), statements: Arc::clone(&self.statements) }
    }
}

#[async_trait]
impl<D: Driver> Driver for Recorder<D> {
    fn dialect(sql: Sql) -> &'static str {
        D::dialect(sql)
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<Vec<Cell>>, StoreError> {
        self.record(&statement);
        self.driver.rows(statement).await
    }

    async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        self.record(&statement);
        self.driver.execute(statement).await
    }

    async fn script(&self, script: Script) -> Result<Rows, StoreError> {
        for step in &script.steps {
            if let Step::Rows { statement, .. } = step {
                self.record(statement);
            }
        }
        self.driver.script(script).await
    }
}

/// Does everything that a store can do, with and without the side tables, and returns what was run for it.
async fn everything_that_is_run<D: Driver>(driver: D) -> Vec<Statement> {
    let recorder = Recorder::over(driver);
    // Opened before the side tables are there, it goes on without them.
    let bare = SqlKeyStore::<_, Scraper>::with_driver(recorder.clone()).await.unwrap();
    let migrated = SqlKeyStore::<_, Scraper>::with_driver(recorder.clone()).await.unwrap();
    for _ in 0..2 {
        migrated.migrate(Timestamp::from_micros(0)).await.unwrap();
    }
    assert_eq!(migrated.check().await.unwrap(), []);
    for store in [bare, migrated] {
        let draft = || ScraperKey::named("acme", "import").unwrap().scope("jobs:read").unwrap();
        let keys = Keys::builder(Scraper, store).build();
        let issued = keys.issue(draft().metadata(serde_json::json!({})).unwrap().into()).await.unwrap();
        let head = &issued.record.head;
        keys.issue(draft().into()).await.unwrap();
        assert_eq!(keys.verify(issued.secret.expose_secret()).await.unwrap().into_record(), issued.record);
        assert_eq!(keys.flush_last_used().await.unwrap(), 1);
        keys.show(&head.id).await.unwrap().unwrap();
        assert_eq!(keys.store().starting_with(&head.owner, head.prefix.as_str(), 9).await.unwrap().len(), 1);
        assert!(keys.store().owner_exists(&head.owner).await.unwrap());
        let first = keys.list(&head.owner, 1, None).await.unwrap();
        assert_eq!(keys.list(&head.owner, 1, first.next.as_ref()).await.unwrap().keys.len(), 1);
        keys.rotate(&head.id, Duration::ZERO, None).await.unwrap();
        keys.revoke(&head.id, None).await.unwrap();
        assert_eq!(keys.revoke_all(&head.owner, None).await.unwrap(), 2);
    }
    let statements = std::mem::take(&mut *recorder.statements.lock().unwrap());
    assert!(statements.len() > 40, "hardly anything was recorded: {statements:#?}");
    statements
}

/// The reads whose rows `decode` takes.
fn reads() -> impl Iterator<Item = Sql> {
    [Scraper::FIND, Scraper::GET, Scraper::LIST, Scraper::STARTING_WITH]
        .into_iter()
        .flat_map(|read| [read.form(true), read.form(false)])
}

/// How many columns `decode` takes: with one less than that, it finds the last one spoiled.
fn decoded_columns() -> usize {
    let text = |text: &str| Cell::Text(text.to_owned());
    let cells = [
        text("0f9619ff-8b86-4011-b42d-00c04fc964ff"),
        text("acme"),
        text("riq_abcd"),
        text("a digest"),
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Integer(1),
        Cell::Null,
        Cell::Null,
        text("import"),
        text("[]"),
        Cell::Integer(60),
        text("{}"),
    ];
    let defect = |count: usize| Scraper::decode(Row::new("api_keys", cells[..count].to_vec())).head.defect;
    assert_eq!(defect(cells.len()), None);
    assert_eq!(defect(cells.len() - 1).map(|defect| defect.column), Some("metadata"));
    cells.len()
}

#[cfg(feature = "sqlite")]
async fn memory() -> crate::sql::Sqlite {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    crate::SqliteKeyStore::<Scraper>::from_connection(connection).await.unwrap().driver
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn every_statement_has_as_many_parameters_as_arguments_on_sqlite() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    for migration in Scraper::MIGRATIONS {
        connection.execute_batch(migration.sqlite()).unwrap();
    }
    connection.execute_batch("CREATE TABLE keyward_migrations (name PRIMARY KEY, checksum, applied_at)").unwrap();
    for Statement { sql, arguments } in everything_that_is_run(memory().await).await {
        let prepared = connection.prepare(sql.sqlite).unwrap_or_else(|error| panic!("{error}: {}", sql.sqlite));
        assert_eq!(prepared.parameter_count(), arguments.len(), "{}", sql.sqlite);
    }
    for sql in reads() {
        assert_eq!(connection.prepare(sql.sqlite).unwrap().column_count(), decoded_columns(), "{}", sql.sqlite);
    }
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn every_statement_has_as_many_parameters_as_arguments_on_postgresql() {
    use sqlx::{Either, Executor, Statement as _};

    let database = postgres::Database::new().await;
    let driver = crate::PostgresKeyStore::<Scraper>::open(database.pool().await).await.unwrap().driver;
    // A connection that has run nothing yet: one that has would answer with the arguments that it was given.
    let pool = database.pool().await;
    for Statement { sql, arguments } in everything_that_is_run(driver).await {
        let prepared = (&pool).prepare(sqlx::SqlStr::from_static(sql.postgres)).await;
        let prepared = prepared.unwrap_or_else(|error| panic!("{error}: {}", sql.postgres));
        let count = match prepared.parameters() {
            Some(Either::Left(types)) => types.len(),
            Some(Either::Right(count)) => count,
            None => panic!("PostgreSQL knows no parameters of {}", sql.postgres),
        };
        assert_eq!(count, arguments.len(), "{}", sql.postgres);
    }
    for sql in reads() {
        let prepared = (&pool).prepare(sqlx::SqlStr::from_static(sql.postgres)).await.unwrap();
        assert_eq!(prepared.columns().len(), decoded_columns(), "{}", sql.postgres);
    }
}

/// Each engine runs its own text, so what one of them was asked is prepared by the other too.
#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[tokio::test(flavor = "multi_thread")]
async fn both_engines_are_asked_the_same() {
    let database = postgres::Database::new().await;
    let driver = crate::PostgresKeyStore::<Scraper>::open(database.pool().await).await.unwrap().driver;
    let texts = |statements: Vec<Statement>| {
        let texts = statements.into_iter().map(|Statement { sql, arguments }| (sql.sqlite, arguments.len()));
        texts.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(texts(everything_that_is_run(driver).await), texts(everything_that_is_run(memory().await).await));
}
