//! What tests share: a database for each of them, a clock that stands still, and repeatable keys.
//!
//! A test over a store is an `async fn` that takes a [`Fixture`] and is named in [`over_every_store!`], which runs it
//! over memory, SQLite and PostgreSQL, or in one of the macros beside it, which run it over tables of other kinds.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    unused_variables,
    clippy::allow_attributes,
    clippy::unused_async,
    reason = "no feature set uses all of it"
)]

pub(crate) mod concurrency;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) mod systems;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyward::scraper::{Scraper, ScraperDetails, ScraperKey};
use keyward::store::{DynKeyStore, KeyStore, MemoryKeyStore};
use keyward::{Keys, ManualClock, SeededRandom, Timestamp};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use keyward::{
    sql::{check::Difference, migrate::MigrateError},
    store::StoreError,
};

/// 2030-01-01T00:00:00.123456Z, when every test begins. The fraction is there for code that loses it.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_893_456_000_123_456);

/// A store of any engine.
pub(crate) type Store = Arc<DynKeyStore<ScraperDetails>>;

/// [`Keys`] over `store`, with the time of `clock` and the keys that follow from `seed`.
pub(crate) fn keys<S: KeyStore<Details = ScraperDetails>>(store: S, clock: &Arc<ManualClock>, seed: u64) -> Keys<S> {
    let clock = Arc::<ManualClock>::clone(clock);
    Keys::builder(Scraper, store).shared_clock(clock).random(SeededRandom::new(seed)).build()
}

/// A key of the client `acme` with the scope `jobs:read`.
pub(crate) fn draft() -> ScraperKey {
    ScraperKey::named("acme", "nightly import").unwrap().scope("jobs:read").unwrap()
}

/// One test's own database, with keys over it.
pub(crate) struct Fixture {
    pub(crate) keys: Keys<Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) database: Database,
    seeds: AtomicU64,
}

impl Fixture {
    pub(crate) async fn memory() -> Self {
        Self::over(Database::Memory(Arc::new(MemoryKeyStore::new()))).await
    }

    /// A file without any table.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn empty_sqlite() -> Self {
        Self::over(Database::Sqlite(sqlite::Database::new())).await
    }

    /// A migrated file, side tables included.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn sqlite() -> Self {
        Self::empty_sqlite().await.migrated().await
    }

    /// A file with the system's own table alone.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn bare_sqlite() -> Self {
        let Self { database, .. } = Self::sqlite().await;
        database.run("DROP TABLE keyward_revocations; DROP TABLE keyward_rotations").await;
        Self::over(database).await
    }

    /// A database without any table.
    #[cfg(feature = "postgres")]
    pub(crate) async fn empty_postgres() -> Self {
        Self::over(Database::Postgres(postgres::Database::new().await)).await
    }

    /// A migrated database, side tables included.
    #[cfg(feature = "postgres")]
    pub(crate) async fn postgres() -> Self {
        Self::empty_postgres().await.migrated().await
    }

    /// A database with the system's own table alone, as the system itself made it.
    #[cfg(feature = "postgres")]
    pub(crate) async fn bare_postgres() -> Self {
        let Self { database, .. } = Self::empty_postgres().await;
        database.run(UPSTREAM_API_KEYS).await;
        Self::over(database).await
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    async fn migrated(self) -> Self {
        self.database.migrate().await.unwrap();
        Self::over(self.database).await
    }

    async fn over(database: Database) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let keys = keys(database.open().await, &clock, 0);
        Self { keys, clock, database, seeds: AtomicU64::new(1) }
    }

    pub(crate) fn store(&self) -> &Store {
        self.keys.store()
    }

    /// Keys as another process would have them: a store of its own over the same database, other random numbers, and
    /// the same time. Over memory it is the same store.
    pub(crate) async fn another_process(&self) -> Keys<Store> {
        keys(self.database.open().await, &self.clock, self.seeds.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where a test's keys are.
#[derive(Debug)]
pub(crate) enum Database {
    Memory(Store),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Database),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Database),
}

impl Database {
    /// A store with connections of its own.
    pub(crate) async fn open(&self) -> Store {
        match self {
            Self::Memory(store) => Arc::clone(store),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(database) => {
                Arc::new(keyward::SqliteKeyStore::<Scraper>::open(database.path()).await.unwrap())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => {
                Arc::new(keyward::PostgresKeyStore::<Scraper>::open(database.pool().await).await.unwrap())
            }
        }
    }

    /// Migrates over connections of its own.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) async fn migrate(&self) -> Result<Vec<&'static str>, MigrateError> {
        self.open_migrator().await?.migrate().await
    }

    /// A store that has connected and is about to migrate.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) async fn open_migrator(&self) -> Result<Migrator, StoreError> {
        match self {
            Self::Memory(_) => panic!("there is nothing to migrate in memory"),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(database) => {
                keyward::SqliteKeyStore::<Scraper>::open(database.path()).await.map(Migrator::Sqlite)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => {
                keyward::PostgresKeyStore::<Scraper>::open(database.pool().await).await.map(Migrator::Postgres)
            }
        }
    }

    /// In what the tables differ from those that keyward makes.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) async fn check(&self) -> Vec<Difference> {
        match self {
            Self::Memory(_) => panic!("there is no table in memory"),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(database) => {
                keyward::SqliteKeyStore::<Scraper>::open(database.path()).await.unwrap().check().await.unwrap()
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => {
                let pool = database.pool().await;
                keyward::PostgresKeyStore::<Scraper>::open(pool).await.unwrap().check().await.unwrap()
            }
        }
    }

    /// Runs plain SQL, several statements too, as another program would.
    pub(crate) async fn run(&self, sql: &str) {
        self.try_run(sql).await.unwrap();
    }

    /// As [`run`](Self::run), for what the database may refuse.
    pub(crate) async fn try_run(&self, sql: &str) -> Result<(), String> {
        match self {
            Self::Memory(_) => panic!("there is no SQL in memory"),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(database) => database.connection().execute_batch(sql).map_err(|error| error.to_string()),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => {
                let pool = database.pool().await;
                let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await;
                pool.close().await;
                done.map(|_| ()).map_err(|error| error.to_string())
            }
        }
    }

    /// The only value that a query of one text column brings; `None` for NULL.
    pub(crate) async fn text(&self, sql: &str) -> Option<String> {
        match self {
            Self::Memory(_) => panic!("there is no SQL in memory"),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(database) => database.connection().query_one(sql, [], |row| row.get(0)).unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => {
                let pool = database.pool().await;
                let text = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&pool).await;
                pool.close().await;
                text.unwrap()
            }
        }
    }

    /// The form of a statement that this engine understands.
    pub(crate) fn dialect<'s>(&self, postgres: &'s str, sqlite: &'s str) -> &'s str {
        match self {
            Self::Memory(_) => panic!("there is no SQL in memory"),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => postgres,
        }
    }
}

/// A store of either engine that is about to migrate.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) enum Migrator {
    #[cfg(feature = "sqlite")]
    Sqlite(keyward::SqliteKeyStore<Scraper>),
    #[cfg(feature = "postgres")]
    Postgres(keyward::PostgresKeyStore<Scraper>),
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl Migrator {
    pub(crate) async fn migrate(&self) -> Result<Vec<&'static str>, MigrateError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.migrate(START).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.migrate(START).await,
        }
    }
}

/// The table of system C as its own migration makes it.
#[cfg(feature = "postgres")]
pub(crate) const UPSTREAM_API_KEYS: &str = "
    CREATE TABLE api_keys (
        id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
        key_hash VARCHAR(64) NOT NULL UNIQUE,
        key_prefix VARCHAR(8) NOT NULL,
        name VARCHAR(255) NOT NULL,
        client_id VARCHAR(255) NOT NULL,
        scopes TEXT[] DEFAULT '{}',
        rate_limit_rpm INTEGER DEFAULT 60,
        is_active BOOLEAN DEFAULT true,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        last_used_at TIMESTAMP,
        expires_at TIMESTAMP,
        metadata JSONB
    );
    CREATE INDEX idx_api_keys_key_hash ON api_keys (key_hash);
    CREATE INDEX idx_api_keys_client_id ON api_keys (client_id);
    CREATE INDEX idx_api_keys_active ON api_keys (is_active) WHERE is_active = true;
    COMMENT ON TABLE api_keys IS 'Keys of external clients';
    COMMENT ON COLUMN api_keys.key_hash IS 'A hash, never the key';";

/// Runs each of these `async fn(Fixture)` over memory, SQLite and PostgreSQL, as far as the features go.
macro_rules! over_every_store {
    ($($test:ident),+ $(,)?) => {
        $($crate::support::over!($test: memory, sqlite if "sqlite", postgres if "postgres");)+
    };
}
pub(crate) use over_every_store;

/// Runs each of these `async fn(Fixture)` over both engines, with and without the side tables.
macro_rules! over_every_database {
    ($($test:ident),+ $(,)?) => {
        $($crate::support::over!(
            $test: sqlite if "sqlite", bare_sqlite if "sqlite", postgres if "postgres", bare_postgres if "postgres"
        );)+
    };
}
pub(crate) use over_every_database;

/// Runs each of these `async fn(Fixture)` over both engines, with the side tables.
macro_rules! over_every_engine {
    ($($test:ident),+ $(,)?) => {
        $($crate::support::over!($test: sqlite if "sqlite", postgres if "postgres");)+
    };
}
pub(crate) use over_every_engine;

/// Runs each of these `async fn(Fixture)` over both engines, without the side tables.
macro_rules! over_every_bare_table {
    ($($test:ident),+ $(,)?) => {
        $($crate::support::over!($test: bare_sqlite if "sqlite", bare_postgres if "postgres");)+
    };
}
pub(crate) use over_every_bare_table;

/// Runs each of these `async fn(Fixture)` over both engines, without any table.
macro_rules! over_every_empty_database {
    ($($test:ident),+ $(,)?) => {
        $($crate::support::over!($test: empty_sqlite if "sqlite", empty_postgres if "postgres");)+
    };
}
pub(crate) use over_every_empty_database;

/// Runs one test over the fixtures that are named behind it.
macro_rules! over {
    ($test:ident: $($fixture:ident $(if $feature:literal)?),+) => {
        mod $test {
            $(
                $(#[cfg(feature = $feature)])?
                #[tokio::test(flavor = "multi_thread")]
                async fn $fixture() {
                    super::$test($crate::support::Fixture::$fixture().await).await;
                }
            )+
        }
    };
}
pub(crate) use over;
