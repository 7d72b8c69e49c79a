//! The database that outlives the process which is killed.

use std::fmt;
use std::path::PathBuf;

use keyward::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use keyward::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use keyward::{Postgres, Sqlite, rusqlite};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// How a process finds the database: the path of a file, or a URL.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    File(PathBuf),
    Url(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

impl Address {
    pub(crate) fn read(text: &str) -> Self {
        if text.starts_with("postgres") { Self::Url(text.to_owned()) } else { Self::File(text.into()) }
    }

    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::File(_) => Engine::Sqlite,
            Self::Url(_) => Engine::Postgres,
        }
    }

    /// An engine with connections of its own.
    pub(crate) async fn open(&self) -> keyward::Engine {
        match self {
            Self::File(path) => Sqlite::open(path).expect("a SQLite file").into(),
            Self::Url(url) => {
                let pool = PgPoolOptions::new().max_connections(2).connect(url).await;
                Postgres::new(pool.expect("a PostgreSQL server")).into()
            }
        }
    }
}

/// A database that only one life knows, gone when it is dropped.
pub(crate) struct Place {
    pub(crate) address: Address,
    name: String,
    _directory: Option<TempDir>,
}

impl Place {
    pub(crate) async fn new(engine: Engine) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let name = directory.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let name = format!("keyward_kill_{}_{name}", std::process::id());
        match engine {
            Engine::Sqlite => {
                Self { address: Address::File(directory.path().join("keys.db")), name, _directory: Some(directory) }
            }
            Engine::Postgres => {
                administer(format!("CREATE DATABASE {name} TEMPLATE template0")).await.expect("a database");
                let url = server().database(&name).to_url_lossy().to_string();
                Self { address: Address::Url(url), name, _directory: None }
            }
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.address.engine() == Engine::Postgres
    }

    /// Runs plain SQL, several statements too.
    pub(crate) async fn run(&self, sql: &str) {
        match &self.address {
            Address::File(path) => {
                let connection = rusqlite::Connection::open(path).expect("a SQLite file");
                connection.execute_batch(sql).expect("a statement");
            }
            Address::Url(url) => {
                let mut connection = PgConnection::connect(url).await.expect("a PostgreSQL server");
                sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("a statement");
            }
        }
    }

    /// The first value of a query: a number, or nothing where there is no such table.
    pub(crate) async fn number(&self, sql: &str) -> Option<i64> {
        match &self.address {
            Address::File(path) => {
                let connection = rusqlite::Connection::open(path).expect("a SQLite file");
                connection.query_one(sql, [], |row| row.get(0)).ok()
            }
            Address::Url(url) => {
                let mut connection = PgConnection::connect(url).await.expect("a PostgreSQL server");
                sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.ok()
            }
        }
    }

    /// Waits until the server has noticed that the process is gone: until then its last transaction may still end
    /// either way. Says what SQLite says of the file.
    pub(crate) async fn settle(&self) {
        let others = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
            self.name
        );
        match &self.address {
            Address::File(path) => {
                let connection = rusqlite::Connection::open(path).expect("a SQLite file");
                let found: String =
                    connection.query_one("PRAGMA integrity_check", [], |row| row.get(0)).expect("a word");
                assert_eq!(found, "ok");
                let dangling = connection.prepare("PRAGMA foreign_key_check").and_then(|mut check| check.exists([]));
                assert_eq!(dangling, Ok(false), "a row refers to nothing");
            }
            Address::Url(_) => {
                while self.number(&others).await != Some(0) {
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
            }
        }
    }

    pub(crate) async fn remove(self) {
        if self.is_postgres() {
            administer(format!("DROP DATABASE {} WITH (FORCE)", self.name)).await.expect("the database");
        }
    }
}

fn server() -> PgConnectOptions {
    let url = std::env::var("KEYWARD_TEST_POSTGRES_URL");
    let url = url.expect("KEYWARD_TEST_POSTGRES_URL has to name a server: `tests/postgres` starts one");
    url.parse().expect("a PostgreSQL URL")
}

async fn administer(statement: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(&server()).await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await
}
