//! PostgreSQL for tests: one server for the whole process, a database of its own for each test, and a pooler in front of
//! it where a test wants one.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

/// Names a server to test against. Without it, a throw-away one is started.
const VARIABLE: &str = "KEYWARD_TEST_POSTGRES_URL";

/// A database that only one test knows, gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Database {
    name: String,
    server: &'static PgConnectOptions,
    options: Box<PgConnectOptions>,
}

impl Database {
    pub(crate) async fn new() -> Self {
        Self::on(server()).await
    }

    /// One on another server than that of all other tests.
    pub(super) async fn on(server: &'static PgConnectOptions) -> Self {
        let name = format!("keyward_{:016x}", RandomState::new().hash_one(()));
        administer(server, format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
        Self { options: Box::new(server.clone().database(&name)), server, name }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
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

    /// A new pool of at most `most` connections, which waits for one as long as sqlx does unless it is told otherwise.
    pub(crate) async fn small_pool(&self, most: u32) -> PgPool {
        PgPoolOptions::new().max_connections(most).connect_with(self.options.as_ref().clone()).await.unwrap()
    }

    async fn connect(&self, options: PgPoolOptions) -> PgPool {
        options.max_connections(20).connect_with(self.options.as_ref().clone()).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, statement) = (self.server, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // A test ends inside its runtime, which cannot wait for another one on the same thread.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(administer(server, statement))
        });
        // What remains is in nobody's way, and a test that has failed already must not abort the others.
        let _ = dropped.join();
    }
}

async fn administer(server: &PgConnectOptions, statement: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(server).await?;
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

pub(super) struct Server {
    pub(super) url: String,
    pub(super) options: PgConnectOptions,
    /// Holds the standard input whose end tells the server to go; the system closes it when this process ends.
    _child: Option<Child>,
}

impl Server {
    fn find() -> Result<Self, String> {
        let (url, child) = match std::env::var(VARIABLE) {
            Ok(url) => (url, None),
            Err(_) => start(&[]).map(|(url, child)| (url, Some(child)))?,
        };
        Self::at(&url, child)
    }

    /// A throw-away one, by what `tests/postgres` is told.
    pub(super) fn start(arguments: &[&str]) -> Result<Self, String> {
        let (url, child) = start(arguments)?;
        Self::at(&url, Some(child))
    }

    fn at(url: &str, child: Option<Child>) -> Result<Self, String> {
        let options = url.trim().parse().map_err(|error| format!("not a PostgreSQL URL: {error}"))?;
        Ok(Self { url: url.trim().to_owned(), options, _child: child })
    }
}

/// A server of its own, with its URL.
pub(super) fn start(arguments: &[&str]) -> Result<(String, Child), String> {
    let mut child = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres"))
        .args(arguments)
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

/// Who owns nothing, by the number that is the same everywhere.
const NOBODY: u32 = 65_534;

/// A pgbouncer of a test's own that hands the server's sessions from transaction to transaction.
#[derive(Debug)]
pub(crate) struct Pooler {
    directory: tempfile::TempDir,
    /// It refuses to run as root.
    is_root: bool,
    process: Option<Child>,
    options: PgConnectOptions,
}

impl Pooler {
    /// One with at most `sessions` on the server.
    pub(crate) fn start(database: &Database, sessions: u32) -> Self {
        Self::before(database.options(), sessions)
    }

    /// One before the database that `server` leads to.
    pub(super) fn before(server: &PgConnectOptions, sessions: u32) -> Self {
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let url = server.to_url_lossy();
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        let settings = format!(
            "[databases]
             * = host={host} port={server_port}
             [pgbouncer]
             listen_addr = 127.0.0.1
             listen_port = {port}
             unix_socket_dir =
             auth_type = {auth}
             auth_file = {users}
             pool_mode = transaction
             default_pool_size = {sessions}
             max_client_conn = 200
             ignore_startup_parameters = extra_float_digits
             logfile = {log}",
            host = server.get_host(),
            server_port = server.get_port(),
            auth = if password.is_empty() { "trust" } else { "md5" },
            users = directory.path().join("users.txt").display(),
            log = directory.path().join("log").display(),
        );
        let settings = settings.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        std::fs::write(directory.path().join("pgbouncer.ini"), settings).unwrap();
        std::fs::write(directory.path().join("users.txt"), format!("\"{user}\" \"{password}\"\n")).unwrap();
        let options = server.clone().host("127.0.0.1").port(port);
        let is_root = std::fs::metadata(directory.path()).unwrap().uid() == 0;
        if is_root {
            for path in [directory.path().to_owned(), directory.path().join("users.txt")] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let mut pooler = Self { directory, is_root, process: None, options };
        pooler.restart();
        pooler
    }

    /// Kills it, if it runs, and starts it again at the same place.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let installed = Path::new("/usr/sbin/pgbouncer");
        let program = if installed.exists() { installed } else { Path::new("pgbouncer") };
        let mut command = Command::new(program);
        command.arg("-q").arg(self.directory.path().join("pgbouncer.ini")).stdout(Stdio::null()).stderr(Stdio::null());
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        self.process = Some(command.spawn().expect("pgbouncer is missing: `tests/postgres --install` installs it"));
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.options.get_port())).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("pgbouncer does not start: {}", self.log());
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Stops it in its tracks, with every connection open, or lets it go on.
    pub(crate) fn signal(&self, signal: &str) {
        let process = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// A new pool of at most `most` connections to it.
    pub(crate) async fn pool(&self, most: u32) -> PgPool {
        PgPoolOptions::new().max_connections(most).connect_with(self.options.clone()).await.unwrap()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.kill();
    }
}
