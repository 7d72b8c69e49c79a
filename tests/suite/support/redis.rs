//! Redis for tests: one server for the whole process, with a prefix for each test, and servers of their own for tests that
//! stop or kill them.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use keyward::RedisStore;
use redis::aio::ConnectionManager;
use redis::{Client, FromRedisValue};

/// Names a server to test against. Without it, a throw-away one is started.
const VARIABLE: &str = "KEYWARD_TEST_REDIS_URL";

pub(crate) type Store = RedisStore<ConnectionManager>;

/// A server that lives until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    /// Holds the standard input whose end tells the server to go; the system closes it when this process ends.
    child: Child,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A cluster that consists of it.
    pub(crate) async fn cluster() -> Self {
        let server = Self::with(&["--cluster"]);
        server.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
        while !server.ask::<String>(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok") {
            tokio::task::yield_now().await;
        }
        server
    }

    fn with(arguments: &[&str]) -> Self {
        let mut child = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/redis"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        if url.is_empty() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("no Redis server to test against: run `tests/redis --install`; {said}");
        }
        Self { url: url.trim().to_owned(), child }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        ask(&self.url, command).await
    }

    /// Its process, to which signals are sent.
    pub(crate) async fn process(&self) -> Process {
        let info: String = self.ask(&["INFO", "server"]).await;
        let id = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
        Process(id.trim().to_owned())
    }

    /// A new server in its place, which remembers nothing.
    pub(crate) fn again(mut self) -> Self {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
        Self::with(&[&self.url])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It goes by itself; nobody is left to complain to.
        let _ = self.child.wait();
    }
}

pub(crate) struct Process(String);

impl Process {
    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0]).status().unwrap().success());
    }
}

/// The server that `KEYWARD_TEST_REDIS_URL` names, or else one that lives as long as this process.
pub(crate) fn url() -> &'static str {
    static SERVER: OnceLock<(String, Option<Server>)> = OnceLock::new();
    let start = || {
        let server = std::env::var(VARIABLE).is_err().then(Server::start);
        let url = server.as_ref().map(|server| server.url.clone());
        (url.unwrap_or_else(|| std::env::var(VARIABLE).unwrap()), server)
    };
    &SERVER.get_or_init(start).0
}

/// A prefix that no other test has.
pub(crate) fn prefix() -> String {
    format!("keyward_{:016x}", RandomState::new().hash_one(()))
}

/// A connection, which comes back by itself.
pub(crate) async fn connect(url: &str) -> ConnectionManager {
    Client::open(url).unwrap().get_connection_manager().await.unwrap()
}

pub(crate) async fn ask<T: FromRedisValue>(url: &str, command: &[&str]) -> T {
    let mut connection = Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.unwrap()
}

pub(crate) async fn store(url: &str, prefix: &str) -> Store {
    RedisStore::new(connect(url).await, prefix).unwrap()
}
