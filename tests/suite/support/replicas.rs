//! A PostgreSQL server with two streaming replicas, for tests that stop them.

use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::sync::{Mutex, MutexGuard};

use super::own_server::StandingStill;
use super::postgres::{Database, Pooler, Server};

pub(crate) struct Cluster {
    primary: Server,
    pub(crate) replicas: [Replica; 2],
}

/// A server that follows the primary.
pub(crate) struct Replica(Server);

impl Cluster {
    /// The one of this process, for one test at a time, with both replicas at work.
    pub(crate) async fn get() -> MutexGuard<'static, Self> {
        static CLUSTER: OnceLock<Mutex<Cluster>> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(|| Mutex::new(Self::start())).lock().await;
        cluster.resume().await;
        cluster
    }

    fn start() -> Self {
        let primary = Server::start(&[]).unwrap();
        let replica = || Replica::of(&primary);
        let replicas = [replica(), replica()];
        Self { primary, replicas }
    }

    /// One more replica, which nobody else has.
    pub(crate) fn another(&self) -> Replica {
        Replica::of(&self.primary)
    }

    pub(crate) async fn database(&self) -> Database {
        // The cluster lives as long as the process.
        let primary: &'static PgConnectOptions = Box::leak(Box::new(self.primary.options.clone()));
        Database::on(primary).await
    }

    /// Has both replicas stand still where they are, and answer on.
    pub(crate) async fn pause(&self) {
        for replica in &self.replicas {
            replica.pause().await;
        }
    }

    pub(crate) async fn resume(&self) {
        for replica in &self.replicas {
            replica.resume().await;
        }
    }

    pub(crate) async fn primary_stands_still(&self) -> StandingStill {
        StandingStill::begin(&self.primary.options).await
    }

    /// Has the primary begin a new file of its log, without anything in it yet.
    pub(crate) async fn new_file_of_the_log(&self) {
        ask(&self.primary.options, "SELECT pg_switch_wal()::text").await;
    }

    /// Waits until both replicas have what was done so far.
    pub(crate) async fn in_step(&self) {
        let place = ask(&self.primary.options, "SELECT pg_current_wal_flush_lsn()::text").await;
        for replica in &self.replicas {
            replica.reaches(&place).await;
        }
    }
}

impl Replica {
    fn of(primary: &Server) -> Self {
        Self(Server::start(&["--replica-of", &primary.url]).unwrap())
    }

    /// A pool of connections to the same database on this server.
    pub(crate) fn pool(&self, database: &Database) -> PgPool {
        PgPoolOptions::new().max_connections(8).connect_lazy_with(self.options(database))
    }

    /// A transaction pooler before the same database on this server.
    pub(crate) fn pooler(&self, database: &Database) -> Pooler {
        Pooler::before(&self.options(database), 2)
    }

    fn options(&self, database: &Database) -> PgConnectOptions {
        self.0.options.clone().database(database.name())
    }

    /// Ends all sessions but the one that does so. How many those were.
    pub(crate) async fn end_sessions(&self) -> u32 {
        const END: &str = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        ask(&self.0.options, END).await.parse().unwrap()
    }

    /// Has it stand still where it is, and answer on.
    pub(crate) async fn pause(&self) {
        run(&self.0.options, "SELECT pg_wal_replay_pause()").await;
        while ask(&self.0.options, "SELECT pg_get_wal_replay_pause_state()").await != "paused" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn resume(&self) {
        if ask(&self.0.options, "SELECT pg_is_in_recovery()::text").await == "true" {
            run(&self.0.options, "SELECT pg_wal_replay_resume()").await;
        }
    }

    pub(crate) async fn promote(&self) {
        assert_eq!(ask(&self.0.options, "SELECT pg_promote()::text").await, "true");
    }

    /// How many of its sessions run a statement, or wait in one.
    pub(crate) async fn busy(&self) -> u32 {
        const BUSY: &str = "SELECT count(*)::text FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid()";
        ask(&self.0.options, BUSY).await.parse().unwrap()
    }

    /// Has every process of it stand still, with all connections open.
    pub(crate) async fn stand_still(&self) -> StandingStill {
        StandingStill::begin(&self.0.options).await
    }

    async fn reaches(&self, place: &str) {
        let question = format!("SELECT (pg_last_wal_replay_lsn() >= '{place}'::pg_lsn)::text");
        while ask(&self.0.options, &question).await != "true" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn run(server: &PgConnectOptions, statement: &'static str) {
    let mut connection = PgConnection::connect_with(server).await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

async fn ask(server: &PgConnectOptions, question: &str) -> String {
    let mut connection = PgConnection::connect_with(server).await.unwrap();
    let question = sqlx::query_scalar(AssertSqlSafe(question.to_owned()));
    let answer = question.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    answer
}
