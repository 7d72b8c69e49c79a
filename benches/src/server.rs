//! The PostgreSQL server that is asked, and a database on it for one benchmark.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use keyward::sqlx::postgres::{PgConnectOptions, PgConnection};
use keyward::sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::runtime::Runtime;

/// The server that the environment names, or a throw-away one that ends with this value.
#[derive(Debug)]
pub struct Server {
    url: String,
    script: Option<Child>,
}

/// Runs `benchmark` in a database of its own, which is dropped afterwards.
///
/// # Errors
/// There is no server, or the benchmark fails.
pub fn in_database(
    name: &str,
    runtime: &Runtime,
    benchmark: impl FnOnce(PgConnectOptions) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let server = Server::reach()?;
    let options = server.options()?;
    let mut admin = runtime.block_on(PgConnection::connect_with(&options))?;
    let database = format!("keyward_bench_{name}");
    let drop = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
    // A run that was killed has left it behind.
    runtime.block_on(admin.execute(AssertSqlSafe(drop.clone())))?;
    runtime.block_on(admin.execute(AssertSqlSafe(format!("CREATE DATABASE {database}"))))?;
    let outcome = benchmark(options.database(&database));
    runtime.block_on(admin.execute(AssertSqlSafe(drop)))?;
    outcome
}

impl Server {
    fn reach() -> Result<Self, Box<dyn Error>> {
        if let Ok(url) = std::env::var("KEYWARD_TEST_POSTGRES_URL") {
            return Ok(Self { url, script: None });
        }
        Self::start(&[])
    }

    /// A throw-away one, by what `tests/postgres` is told.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(arguments: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/postgres"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        if let Some(output) = script.stdout.take() {
            BufReader::new(output).read_line(&mut url)?;
        }
        if url.is_empty() {
            return Err("tests/postgres started no server".into());
        }
        Ok(Self { url: url.trim_end().to_owned(), script: Some(script) })
    }

    /// A streaming replica of this one.
    ///
    /// # Errors
    /// It does not start.
    pub fn replica(&self) -> Result<Self, Box<dyn Error>> {
        Self::start(&["--replica-of", &self.url])
    }

    /// How to connect to it.
    ///
    /// # Errors
    /// None, as long as its URL is one.
    pub fn options(&self) -> Result<PgConnectOptions, Box<dyn Error>> {
        Ok(self.url.parse()?)
    }
}

impl Drop for Server {
    /// Closing its standard input ends the script, and waiting for it waits until it has cleaned up.
    fn drop(&mut self) {
        if let Some(mut script) = self.script.take() {
            drop(script.stdin.take());
            let _ = script.wait();
        }
    }
}
