//! The feed of SQLite, which knows that something was written, and not what.

use async_trait::async_trait;

use crate::sql::engine::{DataVersion, EngineError, Sqlite};
use crate::sql::keys::SqlSchema;
use crate::sql::keys::store::interpret;
use crate::store::{ChangeFeed, Changes, StoreError};

#[derive(Debug)]
struct Feed {
    data_version: DataVersion,
    interpret: fn(EngineError) -> StoreError,
}

pub(super) fn feed<S: SqlSchema>(sqlite: &Sqlite) -> Result<Box<dyn ChangeFeed>, StoreError> {
    match sqlite.data_version().map_err(interpret::<S>)? {
        Some(data_version) => Ok(Box::new(Feed { data_version, interpret: interpret::<S> })),
        None => Err(StoreError::Unsupported("a SQLite database in memory cannot be watched for changes")),
    }
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn changes(&mut self) -> Result<Changes, StoreError> {
        let has_changed = self.data_version.has_changed().map_err(self.interpret)?;
        Ok(if has_changed { Changes::Everything } else { Changes::none() })
    }
}
