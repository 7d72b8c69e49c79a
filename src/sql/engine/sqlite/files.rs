//! Whether the files at a database's paths are still those that were opened.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionState};

use crate::sql::engine::EngineError;
use crate::sql::engine::sqlite::connection::{self, BACKEND};
use crate::time::Stopwatch;

/// How long reads rely on the last look, in milliseconds. A look costs about as much as a lookup.
const RELIANCE: u64 = 100;

/// The files of one database. A file that was renamed over, or removed, lives on for those who have it open: what they
/// write there is lost, and what others write to its successor they never see.
#[derive(Debug)]
pub(super) struct Files {
    opened: Vec<(PathBuf, Identity)>,
    age: Stopwatch,
    /// The age at the last look, in milliseconds.
    looked: AtomicU64,
}

/// The device and the number of the file on it. No other file has the same ones while this one is open.
#[cfg(unix)]
pub(super) type Identity = (u64, u64);

#[cfg(unix)]
pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Elsewhere the standard library knows no such thing; Windows lets nobody replace a file that SQLite has open.
#[cfg(not(unix))]
pub(super) type Identity = ();

#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(|_| ())
}

impl Files {
    /// The files that `connection` has open, the database itself by the `path` that was asked for. None in memory.
    pub(super) fn of(connection: &Connection, path: Option<&Path>) -> rusqlite::Result<Self> {
        let mut opened = Vec::new();
        if let Some(resolved) = connection::file_of(connection) {
            // A link that leads to another file from now on counts as well, a change of the working directory does not.
            let path =
                std::path::absolute(path.unwrap_or_else(|| Path::new(resolved))).map_err(|error| lost(&error))?;
            let file = identity(&path).map_err(|error| lost(&error))?;
            opened.push((path, file));
            if connection::uses_write_ahead_log(connection)? {
                // As long as a connection is open, these two are neither removed nor made anew.
                for suffix in ["-wal", "-shm"] {
                    let path = PathBuf::from(format!("{resolved}{suffix}"));
                    if let Ok(file) = identity(&path) {
                        opened.push((path, file));
                    }
                }
            }
        }
        Ok(Self { opened, age: Stopwatch::start(), looked: AtomicU64::new(0) })
    }

    /// Looks at the files.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        for (path, opened) in &self.opened {
            let is_the_same = match identity(path) {
                Ok(found) => found == *opened,
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(unavailable(error)),
            };
            if !is_the_same {
                return Err(unavailable(REPLACED));
            }
        }
        Ok(())
    }

    /// Looks at the files unless that was done a moment ago.
    pub(super) fn check_now_and_then(&self) -> Result<(), EngineError> {
        let age = u64::try_from(self.age.elapsed().as_millis()).unwrap_or(u64::MAX);
        if age.saturating_sub(self.looked.load(Ordering::Relaxed)) < RELIANCE {
            return Ok(());
        }
        // What was found to be lost is looked at each time.
        self.check()?;
        self.looked.store(age, Ordering::Relaxed);
        Ok(())
    }
}

/// Refuses what a transaction of the host's has written to another file than the one at `path`: its connection may be
/// older than that file. SQLite does not say which file a connection has open, but whoever writes to the file at `path`
/// keeps everybody else from beginning to.
pub(super) fn require_lock_of(path: &str, writing: &Connection) -> Result<(), EngineError> {
    if !matches!(writing.transaction_state(Some("main")), Ok(TransactionState::Write)) {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(other) = Connection::open_with_flags(path, flags) else { return Ok(()) };
    let begun = other.busy_timeout(Duration::ZERO).and_then(|()| other.execute_batch("BEGIN IMMEDIATE"));
    // Any error is as good as a lock: a file that this connection cannot read says nothing about the other one.
    if begun.is_ok() { Err(unavailable(REPLACED)) } else { Ok(()) }
}

/// Whether the file at `path` is another one than `connection` has open, as far as this can be told: while somebody else
/// writes to it, or where nothing may be written, it cannot.
pub(super) fn is_elsewhere(path: &str, connection: &Connection) -> bool {
    let begun = connection.busy_timeout(Duration::ZERO).and_then(|()| connection.execute_batch("BEGIN IMMEDIATE"));
    let is_elsewhere = begun.is_ok() && require_lock_of(path, connection).is_err();
    if begun.is_ok() {
        // Nothing was written, so that there is nothing to lose.
        let _ = connection.execute_batch("ROLLBACK");
    }
    let _ = connection.busy_timeout(connection::DEFAULT_LOCK_TIMEOUT);
    is_elsewhere
}

const REPLACED: &str = "the database file, or its write-ahead log, was replaced or removed: open it again";

fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EngineError {
    EngineError::Unavailable { backend: BACKEND, source: source.into() }
}

fn lost(error: &io::Error) -> rusqlite::Error {
    connection::cannot_open(&error.to_string())
}
