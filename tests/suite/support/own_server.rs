//! A PostgreSQL server of a test's own, which is stopped, stands still, and comes back.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Executor as _};

use super::postgres;

/// A server that lives until it is dropped.
#[derive(Debug)]
pub(crate) struct OwnServer {
    options: PgConnectOptions,
    /// Holds the standard input whose end tells the server to go; the system closes it when this process ends.
    child: Child,
}

/// How a server is stopped, by the names that `pg_ctl` has for it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// Its sessions are ended, and it shuts down.
    Fast,
    /// All its processes end on the spot, and it has to recover.
    Immediate,
}

impl OwnServer {
    /// One that forgets nothing of what it has committed, however it is stopped.
    pub(crate) async fn start() -> Self {
        let (url, child) = postgres::start(&[]).unwrap();
        let server = Self { options: url.trim().parse().unwrap(), child };
        let mut connection = server.connect().await;
        connection.execute("ALTER DATABASE postgres SET synchronous_commit = on").await.unwrap();
        connection.close().await.unwrap();
        server
    }

    /// A new pool of at most `most` connections to its only database.
    pub(crate) async fn pool(&self, most: u32) -> PgPool {
        PgPoolOptions::new().max_connections(most).connect_with(self.options.clone()).await.unwrap()
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect_with(&self.options).await.unwrap()
    }

    /// Returns when it is gone, and connections are refused.
    pub(crate) async fn stop(&self, mode: Mode) {
        let first = first_process(&mut self.connect().await).await;
        let signal = match mode {
            Mode::Fast => "-INT",
            Mode::Immediate => "-QUIT",
        };
        kill(signal, &[first]);
        while is_alive(first) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Begins to start it again.
    pub(crate) fn start_again(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"start\n").unwrap();
    }

    /// Has it stand still, see [`StandingStill`].
    pub(crate) async fn stand_still(&self) -> StandingStill {
        StandingStill::begin(&self.options).await
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It goes by itself; nobody is left to complain to.
        let _ = self.child.wait();
    }
}

/// The processes of a server while they stand still: connections are made, and nobody answers. They go on when it is
/// dropped.
#[derive(Debug)]
#[must_use = "they go on when it is dropped"]
pub(crate) struct StandingStill(Vec<i32>);

impl StandingStill {
    pub(super) async fn begin(server: &PgConnectOptions) -> Self {
        let mut connection = PgConnection::connect_with(server).await.unwrap();
        let own = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
        // It makes no more processes then.
        let mut still = Self(vec![first_process(&mut connection).await]);
        kill("-STOP", &still.0);
        loop {
            // What begins a session is not listed yet.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let listed: Vec<i32> =
                sqlx::query_scalar("SELECT pid FROM pg_stat_activity").fetch_all(&mut connection).await.unwrap();
            let others: Vec<_> = listed.into_iter().filter(|id| *id != own && !still.0.contains(id)).collect();
            if others.is_empty() {
                break;
            }
            kill("-STOP", &others);
            still.0.extend(others);
        }
        kill("-STOP", &[own]);
        still.0.push(own);
        still
    }
}

impl Drop for StandingStill {
    fn drop(&mut self) {
        kill("-CONT", &self.0);
    }
}

/// The process that has started all the others.
async fn first_process(connection: &mut PgConnection) -> i32 {
    let file: String = sqlx::query_scalar("SELECT pg_read_file('postmaster.pid')").fetch_one(connection).await.unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

fn kill(signal: &str, processes: &[i32]) {
    let processes = processes.iter().map(i32::to_string);
    // One of them may have ended by itself.
    let _ = Command::new("kill").arg(signal).args(processes).stderr(Stdio::null()).status().unwrap();
}

fn is_alive(process: i32) -> bool {
    Command::new("kill").args(["-0", &process.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}
