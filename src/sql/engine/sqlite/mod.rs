//! The SQLite engine: lookups in place on connections of their own, other reads on one thread, changes on another, and
//! the host's own transaction.

mod connection;
mod data_version;
mod error;
mod files;
mod readers;
mod worker;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::sql::engine::{
    Cell, ConnectError, Counts, EngineError, Query, Reading, Row, Script, ScriptError, Statement, Value,
};
use connection::{BACKEND, file_of};
pub(crate) use data_version::DataVersion;
use error::classify;
use files::Files;
use readers::Readers;
use worker::{Purpose, Worker};

/// A SQLite database. Clones share it; the last one to be dropped waits for the changes that were sent to it, and closes
/// it.
///
/// A lookup takes microseconds and happens in place, on one of several connections that readers share; SQLite's
/// write-ahead log keeps writers from holding it up. [`lookups_apart`](Self::lookups_apart) says when that is not right.
/// Whatever reads more than one key happens on a thread of its own, and changes on another one, which owns the writing
/// connection and waits there for other processes. Nothing waits without a limit, see
/// [`lock_timeout`](Self::lock_timeout).
///
/// A file that is replaced or removed while it is open is not written to any more: each call is then
/// [unavailable](crate::store::StoreError::Unavailable) until the database is opened anew. Changes notice that at once,
/// reads within a tenth of a second. Outside of Unix only a file that is missing is noticed; Windows does not let a file
/// be replaced that is open.
#[derive(Clone)]
pub struct Sqlite {
    shared: Arc<Shared>,
    lock_timeout: Duration,
    looks_up_apart: bool,
}

struct Shared {
    writer: Worker,
    reads: Reads,
    files: Arc<Files>,
    /// The file as SQLite names it; `None` in memory.
    path: Option<String>,
}

/// Where reads happen.
enum Reads {
    /// Lookups where the caller is, because hardly anything holds them up with the write-ahead log, and others on a
    /// thread of their own, since they may be long.
    InPlace(Readers, Worker),
    /// On a thread of their own, since a writer of another process may hold them up.
    Apart(Worker),
    /// Between the changes, as there is no other connection.
    Between,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let readers = match &self.shared.reads {
            Reads::InPlace(readers, _) => readers.count(),
            Reads::Apart(_) => 1,
            Reads::Between => 0,
        };
        let Self { lock_timeout, .. } = self;
        f.debug_struct("Sqlite").field("readers", &readers).field("lock_timeout", lock_timeout).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// How long a busy database is waited for unless [`lock_timeout`](Self::lock_timeout) says otherwise: 2 seconds.
    pub const DEFAULT_LOCK_TIMEOUT: Duration = connection::DEFAULT_LOCK_TIMEOUT;

    /// The SQLite file at `path`, which is created when it is missing.
    ///
    /// The file is switched to the write-ahead log. Foreign keys are enforced, and every commit reaches the disk.
    ///
    /// # Errors
    /// [`ConnectError::Unavailable`] when the file cannot be opened, or foreign keys cannot be enforced;
    /// [`ConnectError::ReplacedFile`] when another one took its place meanwhile.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        let path = path.as_ref();
        let before = files::identity(path).ok();
        let writer = connection::open(path, true).map_err(unavailable)?;
        let write_ahead = connection::use_write_ahead_log(&writer).map_err(unavailable)?;
        Self::new(writer, path, before, write_ahead)
    }

    /// The SQLite file at `path`, which has to be there and keeps its journal mode. Without the write-ahead log, a
    /// process that is committing holds reads up.
    ///
    /// # Errors
    /// [`ConnectError::MissingFile`], and as [`open`](Self::open).
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        let path = path.as_ref();
        if matches!(path.try_exists(), Ok(false)) {
            return Err(ConnectError::MissingFile { path: path.to_owned() });
        }
        let before = files::identity(path).ok();
        let writer = connection::open(path, false).map_err(unavailable)?;
        let write_ahead = connection::uses_write_ahead_log(&writer).map_err(unavailable)?;
        Self::new(writer, path, before, write_ahead)
    }

    /// The database of the host's `connection`, which may be in memory. It keeps its journal mode; foreign keys are
    /// enforced from now on, and every commit reaches the disk. Reads and changes take turns on it.
    ///
    /// # Errors
    /// [`ConnectError::Unavailable`] when foreign keys cannot be enforced, or the connection is in a transaction;
    /// [`ConnectError::ReplacedFile`] when its path leads to another file by now. Nothing tells that while somebody else
    /// writes to the file.
    pub fn from_connection(connection: Connection) -> Result<Self, ConnectError> {
        if !connection.is_autocommit() {
            return Err(unavailable(connection::cannot_open("the connection is in a transaction")));
        }
        connection::prepare(&connection).map_err(unavailable)?;
        let files = Files::of(&connection, None).map_err(unavailable)?;
        if let Some(path) = file_of(&connection).filter(|path| files::is_elsewhere(path, &connection)) {
            return Err(ConnectError::ReplacedFile { path: path.into() });
        }
        Self::start(connection, Reads::Between, files)
    }

    pub(super) fn in_memory() -> Result<Self, ConnectError> {
        Self::from_connection(Connection::open_in_memory().map_err(unavailable)?)
    }

    /// `before` is the file that was at `path` before `writer` was opened. That it is there still says that it is the one
    /// that was opened; of one that was made meanwhile, the lock that `writer` can take on it does.
    fn new(
        writer: Connection,
        path: &Path,
        before: Option<files::Identity>,
        write_ahead: bool,
    ) -> Result<Self, ConnectError> {
        let files = Files::of(&writer, Some(path)).map_err(unavailable)?;
        let is_replaced = match (file_of(&writer), before) {
            (None, _) => false,
            (Some(_), Some(before)) => files::identity(path).ok() != Some(before),
            (Some(resolved), None) => files::is_elsewhere(resolved, &writer),
        };
        if is_replaced {
            return Err(ConnectError::ReplacedFile { path: path.to_owned() });
        }
        let apart = || {
            let reader = connection::open_reader(path).map_err(unavailable)?;
            worker("keyward-reads", reader)
        };
        let reads = if write_ahead {
            Reads::InPlace(Readers::open(path).map_err(unavailable)?, apart()?)
        } else if file_of(&writer).is_some() {
            Reads::Apart(apart()?)
        } else {
            Reads::Between
        };
        // All connections have to be to the same file.
        files.check().map_err(|error| ConnectError::Unavailable { backend: BACKEND, source: error.into() })?;
        Self::start(writer, reads, files)
    }

    fn start(writer: Connection, reads: Reads, files: Files) -> Result<Self, ConnectError> {
        let path = file_of(&writer).map(str::to_owned);
        let shared = Shared { writer: worker("keyward-sqlite", writer)?, reads, files: Arc::new(files), path };
        Ok(Self { shared: Arc::new(shared), lock_timeout: Self::DEFAULT_LOCK_TIMEOUT, looks_up_apart: false })
    }

    /// The same database, with another limit to how long this handle and its clones wait for it while another process
    /// holds it. The limit counts from each call on: what the call spends waiting behind others is part of it. When it
    /// strikes, the call is [unavailable](crate::store::StoreError::Unavailable), and nothing was changed. With a limit
    /// of zero, nothing is waited for.
    ///
    /// Limits longer than 24 days are taken for that. A script of the host's own transaction waits as the host's
    /// connection does.
    #[must_use]
    pub fn lock_timeout(self, timeout: Duration) -> Self {
        // What SQLite can count, in milliseconds.
        let longest = Duration::from_millis(u64::from(i32::MAX.unsigned_abs()));
        Self { lock_timeout: timeout.min(longest), ..self }
    }

    /// The same database, of which this handle and its clones look keys up on the thread of the other reads, too.
    ///
    /// A lookup in place stalls the thread that it happens on, and so every task that waits for its turn there, for as
    /// long as it takes: microseconds where the pages are in memory, and however long the disk takes where they are not.
    /// Choose this one where the database is larger than memory or on a slow disk. A lookup then takes three to four times
    /// as long, and they happen one after the other.
    #[must_use]
    pub fn lookups_apart(self) -> Self {
        Self { looks_up_apart: true, ..self }
    }

    /// Reads one row, or a few, by their key.
    pub(super) async fn look_up<T: Send + 'static>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        mut decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, EngineError> {
        let readers = match &self.shared.reads {
            Reads::InPlace(readers, _) if !self.looks_up_apart => readers,
            _ => return self.read(query, arguments, decode).await,
        };
        self.shared.files.check_now_and_then()?;
        match readers.read(query, arguments, &mut decode) {
            // Where another process holds the whole file, there is something to wait for after all.
            Err(error) if error::was_busy(&error) => self.read_on(&self.shared.writer, query, arguments, decode).await,
            read => read,
        }
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, EngineError> {
        self.shared.files.check_now_and_then()?;
        let worker = match &self.shared.reads {
            Reads::InPlace(_, reader) | Reads::Apart(reader) => reader,
            Reads::Between => &self.shared.writer,
        };
        self.read_on(worker, query, arguments, decode).await
    }

    async fn read_on<T: Send + 'static>(
        &self,
        worker: &Worker,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, EngineError> {
        let arguments: Vec<_> = arguments.iter().cloned().map(Value::into_owned).collect();
        let read = move |connection: &mut Connection| connection::rows(connection, query, &arguments, decode);
        worker.call(Purpose::Read, self.lock_timeout, read).await
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, EngineError> {
        let execute = move |connection: &mut Connection| connection::execute(connection, &statement).map_err(classify);
        self.change(Purpose::AwaitedChange, execute).await
    }

    pub(super) async fn run<E: Send + 'static, T: Send + 'static>(
        &self,
        script: Script<E>,
        reading: Option<Reading<T>>,
    ) -> Result<(Counts, Vec<T>), ScriptError<E>> {
        let purpose = if script.outlives_caller { Purpose::Change } else { Purpose::AwaitedChange };
        self.change(purpose, move |connection| connection::run(connection, script, reading)).await
    }

    async fn change<T: Send + 'static, E: From<EngineError> + Send + 'static>(
        &self,
        purpose: Purpose,
        change: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let files = Arc::clone(&self.shared.files);
        let change = move |connection: &mut Connection| {
            files.check()?;
            let changed = change(connection)?;
            // What was committed to a file that nobody finds any more was not done.
            files.check()?;
            Ok(changed)
        };
        self.shared.writer.call(purpose, self.lock_timeout, change).await
    }

    /// Runs a script inside the host's own transaction, in a savepoint: when this fails, the transaction is as it was
    /// before. A transaction on another file is refused, where both files are known.
    pub(crate) fn run_within<E, T>(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        script: Script<E>,
        reading: Option<Reading<T>>,
    ) -> Result<(Counts, Vec<T>), ScriptError<E>> {
        self.shared.files.check()?;
        if let (Some(own), Some(other)) = (self.shared.path.as_deref(), file_of(transaction))
            && !is_same_file(own, other)
        {
            return Err(EngineError::Unsupported("the transaction is on another SQLite file").into());
        }
        connection::run_within(transaction, script, reading, || match self.shared.path.as_deref() {
            Some(path) => files::require_lock_of(path, transaction),
            None => Ok(()),
        })
    }
}

fn worker(name: &str, connection: Connection) -> Result<Worker, ConnectError> {
    Worker::start(name, connection)
        .map_err(|error| ConnectError::Unavailable { backend: BACKEND, source: error.into() })
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
