//! Telling of changes that others make: by SQLite's own count, and by what triggers of ours note on PostgreSQL.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
pub(super) use postgres::TABLE as CHANGES;

use crate::sql::engine::Engine;
use crate::sql::engine::migrate::MigrateError;
use crate::sql::keys::{SqlKeyStore, SqlSchema};
use crate::store::{ChangeFeed, StoreError};

impl Engine {
    /// Has the database note changes of the keys of the schema `S`, see
    /// [`SqlKeyStore::note_changes`](crate::SqlKeyStore::note_changes).
    ///
    /// # Errors
    /// [`MigrateError`].
    #[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "PostgreSQL is waited for"))]
    pub async fn note_changes<S: SqlSchema>(&self) -> Result<(), MigrateError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => postgres::note_changes::<S>(self).await,
        }
    }
}

impl<S: SqlSchema> SqlKeyStore<S> {
    /// Has the database note changes of keys, whoever makes them, so that [`Keys::watch`](crate::Keys::watch) can tell a
    /// cache. On PostgreSQL this makes a table of keyward's own, `changes`, and triggers on the table of the keys; SQLite needs
    /// nothing. Running it again does nothing more.
    ///
    /// It is not part of [`migrate`](Self::migrate), as the triggers stand on a table of the host's. It takes the right
    /// to make triggers on that table, and for a moment its lock. What the triggers do, the text of
    /// `keyward.note_change` says: a row for each key, and one notification for each transaction that changes a key. Last use is not noted.
    ///
    /// Whoever watches needs the right to read the table `changes`; whoever changes keys needs no further one.
    ///
    /// # Errors
    /// [`MigrateError`].
    pub async fn note_changes(&self) -> Result<(), MigrateError> {
        self.shared.engine.note_changes::<S>().await
    }

    #[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "PostgreSQL is waited for"))]
    pub(super) async fn feed(&self) -> Result<Box<dyn ChangeFeed>, StoreError> {
        match &self.shared.engine {
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(sqlite) => sqlite::feed::<S>(sqlite),
            #[cfg(feature = "postgres")]
            Engine::Postgres(postgres) => postgres::feed::<S>(&self.shared.engine, postgres).await,
        }
    }
}
