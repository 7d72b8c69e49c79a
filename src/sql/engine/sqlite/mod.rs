//! The SQLite engine: reads in place on connections of their own, writes on one thread, and the host's own
//! transaction.

mod connection;
mod error;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::sql::engine::{Cell, ConnectError, EngineError, Query, Reading, Row, Script, ScriptError, Statement, Value};
use connection::BACKEND;
use error::classify;
use writer::Writer;

/// A SQLite database. Clones share it; the last one to be dropped waits for what was sent to it, and closes it.
///
/// A lookup takes microseconds and happens in place, on one of several connections that readers share; SQLite's
/// write-ahead log keeps writers from holding it up. Everything else happens on one thread that owns the writing
/// connection, and waits there for other processes.
#[derive(Clone)]
pub struct Sqlite(Arc<Shared>);

struct Shared {
    writer: Writer,
    readers: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
    /// The file as SQLite names it; `None` in memory.
    path: Option<String>,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("readers", &self.0.readers.len()).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// The SQLite file at `path`, which is created when it is missing.
    ///
    /// The file is switched to the write-ahead log. Foreign keys are enforced, every commit reaches the disk, and a
    /// busy database is waited for up to 5 seconds.
    ///
    /// # Errors
    /// [`ConnectError::Unavailable`] when the file cannot be opened, or foreign keys cannot be enforced.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        let writer = connection::open(path.as_ref(), true).map_err(unavailable)?;
        let write_ahead = connection::use_write_ahead_log(&writer).map_err(unavailable)?;
        Self::new(writer, path.as_ref(), write_ahead)
    }

    /// The SQLite file at `path`, which has to be there and keeps its journal mode. Without the write-ahead log, reads
    /// and writes take turns.
    ///
    /// # Errors
    /// [`ConnectError::MissingFile`], and as [`open`](Self::open).
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        let path = path.as_ref();
        if matches!(path.try_exists(), Ok(false)) {
            return Err(ConnectError::MissingFile { path: path.to_owned() });
        }
        let writer = connection::open(path, false).map_err(unavailable)?;
        let write_ahead = connection::uses_write_ahead_log(&writer).map_err(unavailable)?;
        Self::new(writer, path, write_ahead)
    }

    /// The database of the host's `connection`, which may be in memory. It keeps its journal mode; foreign keys are
    /// enforced from now on. Reads and writes take turns on it.
    ///
    /// # Errors
    /// [`ConnectError::Unavailable`] when foreign keys cannot be enforced, or the connection is in a transaction.
    pub fn from_connection(connection: Connection) -> Result<Self, ConnectError> {
        if !connection.is_autocommit() {
            return Err(unavailable(connection::cannot_open("the connection is in a transaction")));
        }
        connection::prepare(&connection).map_err(unavailable)?;
        Self::start(connection, Vec::new())
    }

    pub(super) fn in_memory() -> Result<Self, ConnectError> {
        Self::from_connection(Connection::open_in_memory().map_err(unavailable)?)
    }

    fn new(writer: Connection, path: &Path, write_ahead: bool) -> Result<Self, ConnectError> {
        // Without the write-ahead log a reader may have to wait for a writer, which must not happen in place.
        let readers = if write_ahead {
            let count = std::thread::available_parallelism().map_or(1, usize::from).min(8);
            let open = |_| connection::open_reader(path).map(Mutex::new);
            (0..count).map(open).collect::<rusqlite::Result<_>>().map_err(unavailable)?
        } else {
            Vec::new()
        };
        Self::start(writer, readers)
    }

    fn start(writer: Connection, readers: Vec<Mutex<Connection>>) -> Result<Self, ConnectError> {
        let path = file_of(&writer).map(str::to_owned);
        let writer = Writer::start(writer)
            .map_err(|error| ConnectError::Unavailable { backend: BACKEND, source: error.into() })?;
        Ok(Self(Arc::new(Shared { writer, readers, turn: AtomicUsize::new(0), path })))
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, EngineError> {
        if !self.0.readers.is_empty() {
            return self.0.read_in_place(query, arguments, decode);
        }
        let arguments: Vec<_> = arguments.iter().cloned().map(Value::into_owned).collect();
        self.0.writer.ask(move |connection| connection::rows(connection, query, &arguments, decode)).await
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, EngineError> {
        self.0.writer.ask(move |connection| connection::execute(connection, &statement).map_err(classify)).await
    }

    pub(super) async fn run<E: Send + 'static, T: Send + 'static>(
        &self,
        script: Script<E>,
        reading: Option<Reading<T>>,
    ) -> Result<(Vec<u64>, Vec<T>), ScriptError<E>> {
        if script.outlives_caller {
            self.0.writer.call(move |connection| connection::run(connection, script, reading)).await
        } else {
            self.0.writer.ask(move |connection| connection::run(connection, script, reading)).await
        }
    }

    /// Runs a script inside the host's own transaction, in a savepoint: when this fails, the transaction is as it was
    /// before. A transaction on another file is refused, where both files are known.
    pub(crate) fn run_within<E, T>(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        script: Script<E>,
        reading: Option<Reading<T>>,
    ) -> Result<(Vec<u64>, Vec<T>), ScriptError<E>> {
        if let (Some(own), Some(other)) = (self.0.path.as_deref(), file_of(transaction))
            && !is_same_file(own, other)
        {
            return Err(EngineError::Unsupported("the transaction is on another SQLite file").into());
        }
        connection::run_within(transaction, script, reading)
    }
}

impl Shared {
    /// On a reader that is free, or else the one whose turn it is.
    fn read_in_place<T>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T,
    ) -> Result<Vec<T>, EngineError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = || (0..self.readers.len()).map(|offset| &self.readers[(turn + offset) % self.readers.len()]);
        // A reader whose decoding panicked is as good as before: its statement was reset on the way out.
        let free = in_turn().find_map(|reader| match reader.try_lock() {
            Ok(reader) => Some(reader),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        let reader = free
            .unwrap_or_else(|| self.readers[turn % self.readers.len()].lock().unwrap_or_else(PoisonError::into_inner));
        connection::rows(&reader, query, arguments, decode)
    }
}

/// The file behind a connection, unless it is in memory.
fn file_of(connection: &Connection) -> Option<&str> {
    connection.path().filter(|path| !path.is_empty())
}

fn is_same_file(one: &str, other: &str) -> bool {
    // SQLite does not resolve every link.
    one == other || matches!((std::fs::canonicalize(one), std::fs::canonicalize(other)), (Ok(a), Ok(b)) if a == b)
}

fn unavailable(error: rusqlite::Error) -> ConnectError {
    ConnectError::Unavailable { backend: BACKEND, source: error.into() }
}

pub(super) fn cell<'r>(row: &'r rusqlite::Row<'_>, position: usize) -> Cell<'r> {
    match row.get_ref(position) {
        Ok(ValueRef::Null) => Cell::Null,
        Ok(ValueRef::Integer(number)) => Cell::Integer(number),
        Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).map_or(Cell::Unreadable, Cell::Text),
        Ok(ValueRef::Blob(bytes)) => Cell::Bytes(bytes),
        Ok(ValueRef::Real(_)) | Err(_) => Cell::Unreadable,
    }
}
