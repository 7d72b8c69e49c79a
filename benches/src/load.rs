//! What a database server does for what is asked of it.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;

use keyward::sqlx::postgres::PgConnection;
use keyward::sqlx::{self, Connection as _};

use crate::report::put_into_readme;
use crate::server::Server;

/// Since the server was started, or between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Transactions, and so statements, as those that are counted have no transaction around them.
    transactions: f64,
    /// In milliseconds, of all its processes.
    cpu: f64,
    /// In bytes.
    log: f64,
}

impl Load {
    /// What came since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            transactions: self.transactions - earlier.transactions,
            cpu: self.cpu - earlier.cpu,
            log: self.log - earlier.log,
        }
    }

    /// That of two servers.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            transactions: self.transactions + other.transactions,
            cpu: self.cpu + other.cpu,
            log: self.log + other.log,
        }
    }

    /// Of a thousand, where this is of `many`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 verifications")]
    pub fn per_thousand(self, many: u64) -> Self {
        let share = 1_000.0 / many as f64;
        Self { transactions: self.transactions * share, cpu: self.cpu * share, log: self.log * share }
    }
}

impl Server {
    /// What it has done so far. Sessions count once they have ended.
    ///
    /// # Errors
    /// It does not answer, or this is no Linux.
    pub async fn load(&self) -> Result<Load, Box<dyn Error>> {
        const COUNTED: &str = "
            SELECT pg_backend_pid(),
                   (SELECT sum(xact_commit + xact_rollback)::float8 FROM pg_stat_database),
                   CASE WHEN pg_is_in_recovery() THEN 0
                        ELSE (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8 END";

        let options = self.options()?;
        let mut connection = PgConnection::connect_with(&options).await?;
        let (own, transactions, log): (i32, f64, f64) = sqlx::query_as(COUNTED).fetch_one(&mut connection).await?;
        let first = stat(&own.to_string())?.parent;
        connection.close().await?;
        let mut cpu = stat(&first)?.with_children;
        for process in fs::read_dir("/proc")?.flatten() {
            // A process that has ended meanwhile is counted by its parent.
            if let Ok(stat) = stat(&process.file_name().to_string_lossy())
                && stat.parent == first
            {
                cpu += stat.own;
            }
        }
        Ok(Load { transactions, cpu, log })
    }
}

/// Of a process.
struct Stat {
    parent: String,
    /// In milliseconds.
    own: f64,
    with_children: f64,
}

fn stat(process: &str) -> Result<Stat, Box<dyn Error>> {
    // A tick is 10 ms on every Linux.
    const TICK: f64 = 10.0;

    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program, in parentheses, may have anything in it.
    let (_, rest) = text.rsplit_once(')').ok_or("no process")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields.get(number).copied().unwrap_or_default();
    let ticks = |numbers: &[usize]| numbers.iter().filter_map(|number| field(*number).parse::<f64>().ok()).sum::<f64>();
    Ok(Stat {
        parent: field(1).to_owned(),
        own: ticks(&[11, 12]) * TICK,
        with_children: ticks(&[11, 12, 13, 14]) * TICK,
    })
}

/// The load on a primary and on its replicas, line by line.
#[derive(Debug)]
pub struct LoadReport {
    name: &'static str,
    lines: Vec<(&'static str, Load, Load)>,
}

impl LoadReport {
    /// By the name of the benchmark's file.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, lines: Vec::new() }
    }

    /// The load on the primary, and on all replicas together.
    pub fn add(&mut self, what: &'static str, (primary, replicas): (Load, Load)) {
        self.lines.push((what, primary, replicas));
    }

    /// Prints the table, and records it as [`Suite::finish`](crate::suite::Suite::finish) does.
    ///
    /// # Errors
    /// A file cannot be written.
    #[expect(clippy::print_stdout, reason = "the table is what the run is for")]
    pub fn finish(self) -> Result<(), Box<dyn Error>> {
        let mut table = String::from(
            "| for each 1,000 verifications | statements, primary | time of its processors | log | statements, replicas | \
             time of their processors |\n|---|---|---|---|---|---|\n",
        );
        for (what, primary, replicas) in &self.lines {
            writeln!(
                table,
                "| {what} | {:.0} | {:.0} ms | {:.0} bytes | {:.0} | {:.0} ms |",
                primary.transactions, primary.cpu, primary.log, replicas.transactions, replicas.cpu
            )?;
        }
        println!("{table}");
        if std::env::var_os("KEYWARD_BENCH_RECORD").is_some() { put_into_readme(self.name, &table) } else { Ok(()) }
    }
}
