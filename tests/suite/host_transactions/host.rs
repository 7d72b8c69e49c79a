//! The host's side: a connection of its own, and the store that joins its transactions.

use keyward::SqlKeyStore;
use keyward::key::{Changed, Issued, KeyChange, Prepared, PreparedRotation, Receipt, Revoked, RevokedAll, Rotated};
use keyward::store::{RevokeAllRequest, RevokeRequest, StoreError};
#[cfg(feature = "postgres")]
use sqlx::Connection as _;

use crate::support::{Database, Fixture, TestSchema};

pub(super) struct Host<S: TestSchema> {
    connection: Connection,
    store: SqlKeyStore<S>,
}

enum Connection {
    #[cfg(feature = "sqlite")]
    Sqlite(Box<rusqlite::Connection>),
    #[cfg(feature = "postgres")]
    Postgres(Box<sqlx::PgConnection>),
}

pub(super) enum Transaction<'h, S: TestSchema> {
    #[cfg(feature = "sqlite")]
    Sqlite(rusqlite::Transaction<'h>, &'h SqlKeyStore<S>),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::Transaction<'h, sqlx::Postgres>, &'h SqlKeyStore<S>),
}

/// Calls the method of this name inside the host's transaction, whichever engine it is of.
macro_rules! within {
    ($self:ident, $method:ident($argument:expr)) => {
        match $self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction, store) => store.within(&*transaction).$method($argument),
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction, store) => store.within(&mut *transaction).$method($argument).await,
        }
    };
}

impl<S: TestSchema> Host<S> {
    pub(super) async fn new(fixture: &Fixture<S>) -> Self {
        let connection = match fixture.database() {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(database) => Connection::Sqlite(Box::new(database.connection())),
            #[cfg(feature = "postgres")]
            Database::Postgres(database) => {
                Connection::Postgres(Box::new(sqlx::PgConnection::connect(&database.url()).await.unwrap()))
            }
        };
        Self { connection, store: fixture.sql().clone() }
    }

    pub(super) async fn begin(&mut self) -> Transaction<'_, S> {
        match &mut self.connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => Transaction::Sqlite(connection.transaction().unwrap(), &self.store),
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => Transaction::Postgres(connection.begin().await.unwrap(), &self.store),
        }
    }
}

impl<S: TestSchema> Transaction<'_, S> {
    pub(super) async fn issue(&mut self, prepared: Prepared<S>) -> Result<Receipt<Issued<S>>, StoreError> {
        within!(self, issue(prepared))
    }

    pub(super) async fn rotate(&mut self, prepared: PreparedRotation<S>) -> Result<Receipt<Rotated<S>>, StoreError> {
        within!(self, rotate(prepared))
    }

    pub(super) async fn change(&mut self, change: KeyChange<S>) -> Result<Receipt<Changed<S>>, StoreError> {
        within!(self, change(change))
    }

    pub(super) async fn revoke(&mut self, request: &RevokeRequest) -> Result<Option<Receipt<Revoked>>, StoreError> {
        within!(self, revoke(request))
    }

    pub(super) async fn revoke_all(&mut self, request: &RevokeAllRequest) -> Result<Receipt<RevokedAll>, StoreError> {
        within!(self, revoke_all(request))
    }

    /// The host's own business.
    pub(super) async fn run(&mut self, sql: &'static str) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction, _) => transaction.execute_batch(sql).unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction, _) => {
                sqlx::raw_sql(sql).execute(&mut **transaction).await.unwrap();
            }
        }
    }

    pub(super) async fn commit(self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction, _) => transaction.commit().unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction, _) => transaction.commit().await.unwrap(),
        }
    }

    pub(super) async fn roll_back(self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction, _) => transaction.rollback().unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction, _) => transaction.rollback().await.unwrap(),
        }
    }
}
