//! `keyward serve`, reached over TCP as clients, resource servers, proxies and supervisors reach it.

mod client;
mod flow;
mod health;
mod resource_servers;
mod start;
mod stop;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::super::terminal::{Terminal, over_new_databases};

const ISSUER: &str = "https://as.example";
const RESOURCE: &str = "https://api.example/notes";
const OTHER_RESOURCE: &str = "https://api.example/files";
const REQUIRED: [&str; 6] = ["--issuer", ISSUER, "--resource", RESOURCE, "--user-header", "x-user"];
const SCOPES: [&str; 4] = ["--scope", "read", "--scope", "write"];

/// Longer than the server gives the requests that have begun, and a busy machine time.
const STOPPED: Duration = Duration::from_secs(30);

/// A server that runs, killed when the test has ended before it has.
struct Server {
    child: Child,
    address: String,
    log: Option<JoinHandle<String>>,
}

impl Server {
    /// With what has to be said, and `more`.
    fn start(terminal: &Terminal, more: &[&str]) -> Self {
        Self::spawn(terminal.command(&[&["serve", "--listen", "127.0.0.1:0"], &REQUIRED[..], &SCOPES, more].concat()))
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let mut log = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        });
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim_end().strip_prefix("listening on http://").map(str::to_owned);
        let mut server = Self { child, address: String::new(), log: Some(log) };
        server.address = match address {
            Some(address) => address,
            None => panic!("it does not listen: {said}{}", server.end()),
        };
        server
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end, and says with which status and after how long.
    fn wait(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), start.elapsed());
            }
            assert!(start.elapsed() < STOPPED, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it, and says what it has logged.
    fn end(&mut self) -> String {
        drop(self.child.kill());
        self.child.wait().unwrap();
        self.log.take().map(|log| log.join().unwrap()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let log = self.end();
        // The test harness shows this for a test that fails.
        println!("{log}");
    }
}

/// Over a new database of each engine, which the server makes its tables in.
fn over_each_engine(script: impl Fn(&mut Terminal, &Terminal)) {
    over_new_databases("standard", |terminal| script(&mut terminal.apart(), terminal));
}

/// A folder for files that hold secrets.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;

        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}
