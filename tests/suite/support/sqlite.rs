//! SQLite for tests: a file of its own for each test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

/// A database file that only one test knows, gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    _directory: TempDir,
}

impl Database {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { path: directory.path().join("keys.db"), _directory: directory }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection as another program would have it.
    pub(crate) fn connection(&self) -> Connection {
        let connection = Connection::open(&self.path).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }
}

/// Copies the database in the file `from`, with all that was committed, to a new file `to`.
pub(crate) fn copy(from: &Path, to: &Path) {
    Connection::open(from).unwrap().execute("VACUUM INTO ?1", [to.to_str().unwrap()]).unwrap();
}
