//! The engines: what runs SQL, and knows no table but the one in which it records migrations.
//!
//! Callers write each statement out in both dialects as an [`Sql`] and speak to an [`Engine`]: [`read`](Engine::read)
//! for a single read, [`execute`](Engine::execute) for a single change, and [`run`](Engine::run) for steps that happen
//! together or not at all. A row is read in place, by column name, from the memory of the driver.

pub(crate) mod check;
mod checksum;
mod connect;
mod error;
pub(crate) mod ledger;
pub(crate) mod migrate;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod presence;
mod row;
#[cfg(feature = "postgres")]
pub(crate) mod schema_name;
mod script;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
#[cfg(test)]
mod tests;
pub(crate) mod timestamp;
mod url;
mod value;

pub use error::ConnectError;
pub(crate) use error::{EngineError, ScriptError, Violation, ViolationKind};
#[cfg(feature = "postgres")]
pub(crate) use postgres::{Listener, Positions, Taken};
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, ReplicaPolicy};
pub(crate) use row::{Cell, Query, Row};
#[cfg(feature = "postgres")]
pub use schema_name::InvalidSchemaName;
pub(crate) use script::{Counts, Reading, Script, Step};
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::DataVersion;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
pub(crate) use value::{Statement, Value};

/// One operation, written out in both dialects, ready to be pasted into `psql` or `sqlite3`. The arguments are `$1` and
/// `?1` onwards.
///
/// On PostgreSQL the tables of our own stand in the schema `keyward`, and every function is written with its schema,
/// `pg_catalog`, so that no function of the host's can take its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sql {
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
}

/// A database and the way to it. Clones share it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Engine {
    /// A SQLite database.
    #[cfg(feature = "sqlite")]
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "sqlite")))]
    Sqlite(Sqlite),
    /// A PostgreSQL database.
    #[cfg(feature = "postgres")]
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
    Postgres(Postgres),
}

#[cfg(feature = "sqlite")]
impl From<Sqlite> for Engine {
    fn from(sqlite: Sqlite) -> Self {
        Self::Sqlite(sqlite)
    }
}

#[cfg(feature = "sqlite")]
impl From<&Sqlite> for Engine {
    fn from(sqlite: &Sqlite) -> Self {
        Self::Sqlite(sqlite.clone())
    }
}

#[cfg(feature = "postgres")]
impl From<Postgres> for Engine {
    fn from(postgres: Postgres) -> Self {
        Self::Postgres(postgres)
    }
}

#[cfg(feature = "postgres")]
impl From<&Postgres> for Engine {
    fn from(postgres: &Postgres) -> Self {
        Self::Postgres(postgres.clone())
    }
}

impl From<&Self> for Engine {
    fn from(engine: &Self) -> Self {
        engine.clone()
    }
}

impl Engine {
    /// Reads one row, or a few, by their key: what is asked at every request.
    pub(crate) async fn look_up<T: Send + 'static>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, EngineError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(sqlite) => sqlite.look_up(query, arguments, decode).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.read(query, arguments, decode).await,
        }
    }

    /// Reads any number of rows, in a transaction of the statement's own.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, EngineError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(sqlite) => sqlite.read(query, arguments, decode).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.read(query, arguments, decode).await,
        }
    }

    /// Reads what could also end a script.
    pub(crate) async fn read_as<T: Send + 'static>(&self, reading: Reading<T>) -> Result<Vec<T>, EngineError> {
        let Reading { query, arguments, decode, .. } = reading;
        self.read(query, &arguments, decode).await
    }

    /// Runs one statement, in a transaction of its own, and says how many rows it wrote.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests make a change of one statement"))]
    pub(crate) async fn execute(&self, statement: Statement) -> Result<u64, EngineError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(sqlite) => sqlite.execute(statement).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.execute(statement).await,
        }
    }

    /// Runs a script in a transaction of its own, and says how many rows its steps returned.
    pub(crate) async fn run<E: Send + 'static>(&self, script: Script<E>) -> Result<Counts, ScriptError<E>> {
        Ok(self.run_with(script, None::<Reading<()>>).await?.0)
    }

    /// As [`run`](Self::run), and reads as the last thing inside the same transaction.
    pub(crate) async fn run_and_read<E: Send + 'static, T: Send + 'static>(
        &self,
        script: Script<E>,
        reading: Reading<T>,
    ) -> Result<(Counts, Vec<T>), ScriptError<E>> {
        self.run_with(script, Some(reading)).await
    }

    async fn run_with<E: Send + 'static, T: Send + 'static>(
        &self,
        script: Script<E>,
        reading: Option<Reading<T>>,
    ) -> Result<(Counts, Vec<T>), ScriptError<E>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(sqlite) => sqlite.run(script, reading).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.run(script, reading).await,
        }
    }

    /// A table of our own by its bare name, as an argument or a message names it: with PostgreSQL's schema in front, or
    /// SQLite's prefix.
    pub(crate) fn own_table(&self, name: &str) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => format!("keyward_{name}"),
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => format!("{}.{name}", postgres.own_schema()),
        }
    }

    /// Whether somebody else can hold single rows, so that a change of many is better made in parts.
    pub(crate) const fn locks_rows(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
        }
    }

    /// What the engine is called in messages.
    pub(crate) const fn backend(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "SQLite",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// The schema of our own tables; SQLite has one for all.
    pub(crate) fn own_schema(&self) -> &str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "main",
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.own_schema(),
        }
    }

    /// The text in this engine's dialect, as it is written in the source.
    pub(crate) const fn dialect(&self, sql: Sql) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => sql.sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => sql.postgres,
        }
    }
}
