//! Noticing that somebody else has written to the file.

use std::fmt;
use std::sync::Arc;

use rusqlite::Connection;

use crate::sql::engine::EngineError;
use crate::sql::engine::sqlite::Sqlite;
use crate::sql::engine::sqlite::connection;
use crate::sql::engine::sqlite::error::classify;
use crate::sql::engine::sqlite::files::Files;

/// A connection that is asked for nothing but whether another one has committed anything, which costs no lookup: SQLite
/// counts that itself (`PRAGMA data_version`). It does not know what was written.
pub(crate) struct DataVersion {
    connection: Connection,
    files: Arc<Files>,
    seen: i64,
}

impl Sqlite {
    /// `None` in memory, where there is no other connection.
    pub(crate) fn data_version(&self) -> Result<Option<DataVersion>, EngineError> {
        let Some(path) = &self.shared.path else { return Ok(None) };
        let connection = connection::open_reader(path.as_ref()).map_err(classify)?;
        let mut data_version = DataVersion { connection, files: Arc::clone(&self.shared.files), seen: 0 };
        data_version.has_changed()?;
        Ok(Some(data_version))
    }
}

impl DataVersion {
    /// Whether anything was committed since the last call. One that fails loses nothing.
    pub(crate) fn has_changed(&mut self) -> Result<bool, EngineError> {
        // A file that took the place of this one has counts of its own.
        self.files.check()?;
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(classify)?;
        Ok(std::mem::replace(&mut self.seen, version) != version)
    }
}

impl fmt::Debug for DataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataVersion").field("seen", &self.seen).finish_non_exhaustive()
    }
}
