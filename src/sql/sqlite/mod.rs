//! The SQLite driver: lookups in place on connections of their own, writes on one thread, and the host's own
//! transaction.

mod connection;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::Connection;

use crate::key::{Issued, OwnerId, Prepared, PreparedRotation, RevocationReason, Rotated};
use crate::sql::{Cell, Driver, Rows, Script, Sql, SqlKeyStore, SqlProfile, Statement, lifecycle};
use crate::store::{RevokeOutcome, RevokeRequest, StoreError};
use crate::time::Timestamp;
use connection::report;
use writer::Writer;

/// A SQLite database.
///
/// A lookup takes microseconds and happens in place, on one of several connections that readers share; SQLite's
/// write-ahead log keeps writers from holding it up. Everything else happens on one thread that owns the writing
/// connection, and waits there for other processes.
pub struct Sqlite {
    writer: Writer,
    readers: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("readers", &self.readers.len()).finish_non_exhaustive()
    }
}

impl<P: SqlProfile> SqlKeyStore<Sqlite, P> {
    /// The keys of `P` in the SQLite file at `path`, which is created when it is missing.
    ///
    /// The file is switched to the write-ahead log. Foreign keys are enforced, every commit reaches the disk, and a
    /// busy database is waited for up to 5 seconds.
    ///
    /// Whether the optional side tables are there is looked up once, here and in [`migrate`](Self::migrate).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened, or foreign keys cannot be enforced.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let writer = connection::open(path.as_ref(), true).map_err(report)?;
        let write_ahead = connection::use_write_ahead_log(&writer).map_err(report)?;
        Self::with_driver(Sqlite::new(writer, path.as_ref(), write_ahead)?).await
    }

    /// The keys of `P` in the SQLite file at `path`, which has to be there and keeps its journal mode. Without the
    /// write-ahead log, reads and writes take turns.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_existing(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let writer = connection::open(path.as_ref(), false).map_err(report)?;
        let write_ahead = connection::uses_write_ahead_log(&writer).map_err(report)?;
        Self::with_driver(Sqlite::new(writer, path.as_ref(), write_ahead)?).await
    }

    /// The keys of `P` in the database of the host's `connection`, which may be in memory. It keeps its journal mode;
    /// foreign keys are enforced from now on. Reads and writes take turns on it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when foreign keys cannot be enforced, as inside a transaction.
    pub async fn from_connection(connection: Connection) -> Result<Self, StoreError> {
        connection::prepare(&connection).map_err(report)?;
        let driver = Sqlite { writer: Writer::start(connection)?, readers: Vec::new(), turn: AtomicUsize::new(0) };
        Self::with_driver(driver).await
    }

    /// Issues a prepared key inside the host's own transaction on the same database: it exists once the host commits.
    /// When this fails, the transaction is as it was before, and the host may go on with it.
    ///
    /// # Errors
    /// As [`KeyStore::insert`](crate::store::KeyStore::insert).
    pub fn issue_in(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        prepared: Prepared<P::Details>,
    ) -> Result<Issued<P::Details>, StoreError> {
        connection::run_inside(transaction, lifecycle::insert::<P>(prepared.record()))?;
        Ok(prepared.stored())
    }

    /// Rotates a key inside the host's own transaction, see [`issue_in`](Self::issue_in).
    ///
    /// # Errors
    /// As [`KeyStore::rotate`](crate::store::KeyStore::rotate).
    pub fn rotate_in(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        prepared: PreparedRotation<P::Details>,
    ) -> Result<Rotated<P::Details>, StoreError> {
        connection::run_inside(transaction, P::rotate(prepared.rotation(), self.has_side_tables()))?;
        Ok(prepared.stored())
    }

    /// Revokes a key inside the host's own transaction, see [`issue_in`](Self::issue_in).
    ///
    /// # Errors
    /// As [`KeyStore::revoke`](crate::store::KeyStore::revoke).
    pub fn revoke_in(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        request: &RevokeRequest,
    ) -> Result<RevokeOutcome, StoreError> {
        self.accept_reason(request.reason.as_ref())?;
        let script = lifecycle::revoke::<P>(request, self.has_side_tables());
        let rows = connection::run_inside(transaction, script)?;
        Ok(Self::read_revoke(request, rows))
    }

    /// Revokes all keys of `owner` inside the host's own transaction, so that deleting a customer and killing its keys
    /// is one commit. See [`issue_in`](Self::issue_in).
    ///
    /// # Errors
    /// As [`KeyStore::revoke_all`](crate::store::KeyStore::revoke_all).
    pub fn revoke_all_in(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        owner: &OwnerId,
        at: Timestamp,
        reason: Option<&RevocationReason>,
    ) -> Result<u64, StoreError> {
        self.accept_reason(reason)?;
        let script = lifecycle::revoke_all::<P>(owner, at, reason, self.has_side_tables());
        let rows = connection::run_inside(transaction, script)?;
        Ok(Self::read_revoke_all(&rows))
    }
}

impl Sqlite {
    fn new(writer: Connection, path: &Path, write_ahead: bool) -> Result<Self, StoreError> {
        // Without the write-ahead log a reader may have to wait for a writer, which must not happen in place.
        let readers = if write_ahead {
            let count = std::thread::available_parallelism().map_or(1, usize::from).min(8);
            let open = |_| connection::open_reader(path).map(Mutex::new);
            (0..count).map(open).collect::<rusqlite::Result<_>>().map_err(report)?
        } else {
            Vec::new()
        };
        Ok(Self { writer: Writer::start(writer)?, readers, turn: AtomicUsize::new(0) })
    }

    /// A reader that is free, or else the one whose turn it is.
    fn read(&self, statement: &Statement) -> rusqlite::Result<Vec<Vec<Cell>>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = || (0..self.readers.len()).map(|offset| &self.readers[(turn + offset) % self.readers.len()]);
        if let Some(free) = in_turn().find_map(|reader| reader.try_lock().ok()) {
            return connection::rows(&free, statement);
        }
        let reader = &self.readers[turn % self.readers.len()];
        connection::rows(&reader.lock().unwrap_or_else(PoisonError::into_inner), statement)
    }
}

#[async_trait]
impl Driver for Sqlite {
    fn dialect(sql: Sql) -> &'static str {
        sql.sqlite
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<Vec<Cell>>, StoreError> {
        if self.readers.is_empty() {
            return self.writer.ask(move |connection| connection::rows(connection, &statement).map_err(report)).await;
        }
        self.read(&statement).map_err(report)
    }

    async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        self.writer.ask(move |connection| connection::execute(connection, &statement).map_err(report)).await
    }

    async fn script(&self, script: Script) -> Result<Rows, StoreError> {
        self.writer.call(move |connection| connection::run(connection, script)).await
    }
}
