//! Reaching the keys of a system in the database that `--db` names.

#[cfg(feature = "postgres")]
use std::error::Error;
#[cfg(feature = "postgres")]
use std::time::Duration;

#[cfg(feature = "postgres")]
use keyward::PostgresKeyStore;
#[cfg(feature = "sqlite")]
use keyward::SqliteKeyStore;
use keyward::key::Profile;
use keyward::sql::check::Difference;
use keyward::sql::migrate::MigrateError;
use keyward::store::{DynKeyStore, StoreError};
use keyward::{Clock as _, SystemClock};

use crate::failure::Failure;
use crate::system::System;

/// How long a PostgreSQL server may take to answer at all.
#[cfg(feature = "postgres")]
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A system's keys in the engine that was asked for.
pub(crate) enum Database<P: Profile> {
    #[cfg(feature = "postgres")]
    Postgres(PostgresKeyStore<P>),
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteKeyStore<P>),
}

impl<P: System> Database<P> {
    /// A SQLite file that is missing is made only when `create` says so.
    pub(crate) async fn open(url: &str, create: bool) -> Result<Self, Failure> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return open_sqlite(path, create).await;
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return open_postgres(url).await;
        }
        Err(Failure::usage("--db must be sqlite:PATH or postgres://…"))
    }

    pub(crate) async fn migrate(&self) -> Result<Vec<&'static str>, MigrateError> {
        let now = SystemClock.now();
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.migrate(now).await,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.migrate(now).await,
        }
    }

    pub(crate) async fn check(&self) -> Result<Vec<Difference>, StoreError> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.check().await,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.check().await,
        }
    }

    pub(crate) fn into_store(self) -> Box<DynKeyStore<P::Details>> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => Box::new(store),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => Box::new(store),
        }
    }
}

#[cfg(feature = "postgres")]
async fn open_postgres<P: System>(url: &str) -> Result<Database<P>, Failure> {
    use sqlx::ConnectOptions as _;
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    // The error may repeat the URL, and with it the password.
    let options: PgConnectOptions = url.parse().map_err(|_| Failure::usage("--db is not a valid postgres:// URL"))?;
    // A pool would retry until its timeout and then report that alone; a first connection reports the cause at once.
    let unavailable = |error: &(dyn Error + 'static)| Failure::unavailable(error).in_front("PostgreSQL is unavailable");
    let first = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await.map_err(|error| unavailable(&error))?;
    let first = first.map_err(|error| unavailable(&error))?;
    drop(first);
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    Ok(Database::Postgres(PostgresKeyStore::open(pool).await?))
}

#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "with the feature it has to wait")]
async fn open_postgres<P: System>(_url: &str) -> Result<Database<P>, Failure> {
    Err(Failure::usage("keyward was built without PostgreSQL: build it with the feature postgres"))
}

#[cfg(feature = "sqlite")]
async fn open_sqlite<P: System>(path: &str, create: bool) -> Result<Database<P>, Failure> {
    // SQLite would take these for databases that are gone when the command ends.
    if path.is_empty() || path == ":memory:" {
        return Err(Failure::usage("--db must name a file: sqlite:PATH"));
    }
    let store = if create { SqliteKeyStore::open(path).await } else { SqliteKeyStore::open_existing(path).await };
    Ok(Database::Sqlite(store?))
}

#[cfg(not(feature = "sqlite"))]
#[expect(clippy::unused_async, reason = "with the feature it has to wait")]
async fn open_sqlite<P: System>(_path: &str, _create: bool) -> Result<Database<P>, Failure> {
    Err(Failure::usage("keyward was built without SQLite: build it with the feature sqlite"))
}
