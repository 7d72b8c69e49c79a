//! From a URL to an engine.

use crate::sql::engine::url::{Target, parse};
use crate::sql::engine::{ConnectError, Engine};

impl Engine {
    /// The database that `url` names.
    ///
    /// - `postgres://…` or `postgresql://…`: a pool through sqlx. The server has to answer within 10 seconds.
    /// - `sqlite:PATH`, also `sqlite://PATH`: a SQLite file, which has to be there and keeps its journal mode. `%20` and
    ///   the like in the path are decoded.
    /// - `sqlite:PATH?mode=rwc`: a SQLite file, which is created when it is missing and switched to the write-ahead log.
    /// - `sqlite::memory:`: a SQLite database in memory, gone with the engine.
    ///
    /// # Errors
    /// [`ConnectError`] says what is wrong with the URL, or why the database cannot be reached. It never repeats a
    /// password.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        match parse(url)? {
            Target::Postgres => postgres(url).await,
            Target::SqliteFile { path, create } => sqlite_file(&path, create),
            Target::SqliteMemory => sqlite_memory(),
        }
    }
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str) -> Result<Engine, ConnectError> {
    Ok(super::Postgres::connect(url).await?.into())
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "with the feature it has to wait")]
async fn postgres(_url: &str) -> Result<Engine, ConnectError> {
    Err(ConnectError::NotCompiledIn { feature: "postgres" })
}

#[cfg(feature = "sqlite")]
fn sqlite_file(path: &std::path::Path, create: bool) -> Result<Engine, ConnectError> {
    let sqlite = if create { super::Sqlite::open(path) } else { super::Sqlite::open_existing(path) };
    Ok(sqlite?.into())
}

#[cfg(feature = "sqlite")]
fn sqlite_memory() -> Result<Engine, ConnectError> {
    Ok(super::Sqlite::in_memory()?.into())
}

#[cfg(not(feature = "sqlite"))]
fn sqlite_file(_path: &std::path::Path, _create: bool) -> Result<Engine, ConnectError> {
    sqlite_memory()
}

#[cfg(not(feature = "sqlite"))]
fn sqlite_memory() -> Result<Engine, ConnectError> {
    Err(ConnectError::NotCompiledIn { feature: "sqlite" })
}
