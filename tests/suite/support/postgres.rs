//! PostgreSQL for tests: one server for the whole process, and a database of its own for each test.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

/// Names a server to test against. Without it, a throw-away one is started.
const VARIABLE: &str = "KEYWARD_TEST_POSTGRES_URL";

/// A database that only one test knows, gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Database {
    name: String,
    options: Box<PgConnectOptions>,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let name = format!("keyward_{:016x}", RandomState::new().hash_one(()));
        administer(format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
        Self { options: Box::new(server().clone().database(&name)), name }
    }

    pub(crate) fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// A new pool. sqlx sets the time zone of its sessions to UTC, whatever the server's is.
    pub(crate) async fn pool(&self) -> PgPool {
        self.connect(PgPoolOptions::new()).await
    }

    /// A new pool whose sessions are in the time zone `zone`, as a host may have set it.
    pub(crate) async fn pool_in_zone(&self, zone: &str) -> PgPool {
        let statement = format!("SET TIME ZONE '{zone}'");
        let options = PgPoolOptions::new().after_connect(move |connection, _| {
            let statement = AssertSqlSafe(statement.clone());
            Box::pin(async move { connection.execute(statement).await.map(|_| ()) })
        });
        self.connect(options).await
    }

    async fn connect(&self, options: PgPoolOptions) -> PgPool {
        options.max_connections(20).connect_with(self.options.as_ref().clone()).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A test ends inside its runtime, which cannot wait for another one on the same thread.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(administer(statement))
        });
        // What remains is in nobody's way, and a test that has failed already must not abort the others.
        let _ = dropped.join();
    }
}

async fn administer(statement: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(server()).await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await
}

/// The server that `KEYWARD_TEST_POSTGRES_URL` names, or else one that lives as long as this process.
fn server() -> &'static PgConnectOptions {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    match SERVER.get_or_init(Server::find) {
        Ok(server) => &server.options,
        Err(message) => panic!(
            "no PostgreSQL server to test against: set {VARIABLE}, or install the server programs \
             (`tests/postgres --install`, or `apt-get install postgresql`); {message}"
        ),
    }
}

struct Server {
    options: PgConnectOptions,
    /// Holds the standard input whose end tells the server to go; the system closes it when this process ends.
    _child: Option<Child>,
}

impl Server {
    fn find() -> Result<Self, String> {
        let (url, child) = match std::env::var(VARIABLE) {
            Ok(url) => (url, None),
            Err(_) => start().map(|(url, child)| (url, Some(child)))?,
        };
        let options = url.trim().parse().map_err(|error| format!("not a PostgreSQL URL: {error}"))?;
        Ok(Self { options, _child: child })
    }
}

fn start() -> Result<(String, Child), String> {
    let mut child = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("tests/postgres does not start: {error}"))?;
    let mut url = String::new();
    if let Some(output) = &mut child.stdout {
        BufReader::new(output).read_line(&mut url).map_err(|error| error.to_string())?;
    }
    if url.is_empty() {
        let mut complaint = String::new();
        if let Some(output) = &mut child.stderr {
            output.read_to_string(&mut complaint).map_err(|error| error.to_string())?;
        }
        return Err(complaint);
    }
    Ok((url, child))
}
