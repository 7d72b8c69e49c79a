//! The seam between what a system's table looks like and which engine it stands in: the only SQL, the only drivers.
//!
//! A system is data: its statements, written out in both dialects, and one function that reads a row. An engine runs
//! statements and knows no table. [`SqlKeyStore`] joins any system to any engine.

pub mod check;
pub(crate) mod lifecycle;
pub mod migrate;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod row;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
mod store;

use std::fmt::Debug;

use async_trait::async_trait;

#[cfg(feature = "postgres")]
pub use postgres::Postgres;
pub(crate) use row::{Cell, Row};
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
pub(crate) use store::{Schema, revocation_status};
pub use store::{SqlKeyStore, SqlProfile};

use crate::store::{Reference, StoreError};
use crate::time::Timestamp;

/// The keys of the system `P` in PostgreSQL, in the host's own pool.
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
pub type PostgresKeyStore<P> = SqlKeyStore<Postgres, P>;

/// The keys of the system `P` in a SQLite file.
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "sqlite")))]
pub type SqliteKeyStore<P> = SqlKeyStore<Sqlite, P>;

/// One operation, written out in both dialects, ready to be pasted into `psql` or `sqlite3`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql {
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
}

/// A read in two forms: joined with the side tables, and on the system's own table alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) with_side_tables: Sql,
    pub(crate) bare: Sql,
}

impl Read {
    pub(crate) const fn form(self, side_tables: bool) -> Sql {
        if side_tables { self.with_side_tables } else { self.bare }
    }
}

/// An argument of a statement. Absent values keep their type, which PostgreSQL wants to know.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    /// Bound as `timestamp` on PostgreSQL and as `YYYY-MM-DD HH:MM:SS[.ffffff]` on SQLite, both in UTC.
    Timestamp(Option<Timestamp>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Timestamp(Some(value))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Timestamp(value)
    }
}

/// A statement with its arguments, `$1` or `?1` first.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: Sql,
    pub(crate) arguments: Vec<Value>,
}

impl Statement {
    pub(crate) fn new<const N: usize>(sql: Sql, arguments: [Value; N]) -> Self {
        Self { sql, arguments: arguments.into() }
    }
}

/// A part of a [`Script`].
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Runs a statement and keeps its rows. When there are none, `otherwise` ends the script, and nothing of it stays.
    Rows { statement: Statement, otherwise: Option<Otherwise> },
    /// Runs several statements without arguments, such as a schema.
    Batch(Sql),
}

impl Step {
    /// Whatever comes back is fine.
    pub(crate) const fn any(statement: Statement) -> Self {
        Self::Rows { statement, otherwise: None }
    }

    /// No row means `otherwise`.
    pub(crate) const fn some(statement: Statement, otherwise: Otherwise) -> Self {
        Self::Rows { statement, otherwise: Some(otherwise) }
    }
}

/// What it means when a step brings no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    Conflict,
    Missing(Reference),
}

impl From<Otherwise> for StoreError {
    fn from(otherwise: Otherwise) -> Self {
        match otherwise {
            Otherwise::Conflict => Self::Conflict,
            Otherwise::Missing(reference) => Self::Missing(reference),
        }
    }
}

/// Steps that happen together or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Scripts with the same lock run one after the other, in all processes. SQLite has one writer anyway.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite has one writer"))]
    pub(crate) lock: Option<String>,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    pub(crate) fn new(steps: impl Into<Vec<Step>>) -> Self {
        Self { lock: None, steps: steps.into() }
    }

    pub(crate) fn locked(lock: String, steps: impl Into<Vec<Step>>) -> Self {
        Self { lock: Some(lock), steps: steps.into() }
    }
}

/// The rows that each step of a script brought.
pub(crate) type Rows = Vec<Vec<Vec<Cell>>>;

/// An engine: three verbs, and no knowledge of any table.
#[async_trait]
pub(crate) trait Driver: Debug + Send + Sync + 'static {
    /// The statement's text in this engine's dialect.
    fn dialect(sql: Sql) -> &'static str;

    /// Reads.
    async fn rows(&self, statement: Statement) -> Result<Vec<Vec<Cell>>, StoreError>;

    /// Writes, and says how many rows were written.
    async fn execute(&self, statement: Statement) -> Result<u64, StoreError>;

    /// Runs a script in a transaction of its own.
    async fn script(&self, script: Script) -> Result<Rows, StoreError>;
}
