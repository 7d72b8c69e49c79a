//! What tests share: a [`Fixture`], which is one test's own database with keys over it, a clock that stands still, and
//! repeatable keys.
//!
//! A test over a store is an `async fn(Fixture<S>)` that is named in [`over!`], with the places in which it runs:
//!
//! - `every_store`: memory, SQLite, PostgreSQL
//! - `every_database`: both engines, each with the side tables and on the host's table alone
//! - `everywhere`: memory and `every_database`
//! - `every_engine`: both engines, with the side tables
//! - `every_bare_table`: both engines, on the host's table alone
//! - `every_sqlite_file`: SQLite, with the side tables and on the host's table alone
//! - `every_empty_database`: both engines, without any table
//! - `on_postgres`: PostgreSQL, with the side tables

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    unused_variables,
    clippy::allow_attributes,
    clippy::unused_async,
    reason = "no feature set uses all of it"
)]

pub(crate) mod complaint;
pub(crate) mod concurrency;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;
pub(crate) mod log;
#[cfg(feature = "postgres")]
pub(crate) mod own_server;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(all(feature = "postgres", feature = "credentials"))]
pub(crate) mod proxy;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(feature = "postgres")]
pub(crate) mod replicas;
#[cfg(feature = "postgres")]
pub(crate) mod roles;
pub(crate) mod schemas;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyward::key::{Issued, OwnerId, RefusalReason, Schema};
use keyward::store::{KeyStore, MemoryKeyStore};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use keyward::{Engine, SqlKeyStore};
use keyward::{Keys, ManualClock, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use database::Database;
pub(crate) use schemas::TestSchema;

/// 2030-01-01T00:00:00.123456Z, when every test begins. The fraction is there for code that loses it.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_893_456_000_123_456);

/// A store of any kind.
pub(crate) type Store<S> = Arc<dyn KeyStore<Schema = S>>;

/// [`Keys`] over `store`, with the time of `clock` and the keys that follow from `seed`.
pub(crate) fn keys<S: Schema>(store: Store<S>, clock: &Arc<ManualClock>, seed: u64) -> Keys<S> {
    let clock = Arc::<ManualClock>::clone(clock);
    Keys::builder_over(store).shared_clock(clock).random(StdRng::seed_from_u64(seed)).build()
}

/// Why a revoked key is refused: where a host's table is alone, it may have a flag and nothing else.
pub(crate) fn refusal_of_a_revoked_key<S: TestSchema>(fixture: &Fixture<S>) -> RefusalReason {
    if fixture.store().abilities().revocation_time { RefusalReason::Revoked } else { RefusalReason::Disabled }
}

/// One test's own database, with keys of one schema over it.
pub(crate) struct Fixture<S: TestSchema> {
    pub(crate) keys: Keys<S>,
    pub(crate) clock: Arc<ManualClock>,
    place: Place<S>,
    seeds: AtomicU64,
}

/// Where a test's keys are.
enum Place<S: TestSchema> {
    Memory(MemoryKeyStore<S>),
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    Database {
        database: Database,
        store: SqlKeyStore<S>,
    },
}

impl<S: TestSchema> Fixture<S> {
    pub(crate) async fn memory() -> Self {
        let store = MemoryKeyStore::new(S::schema());
        Self::over(Arc::new(store.clone()), Place::Memory(store))
    }

    fn over(store: Store<S>, place: Place<S>) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        Self { keys: keys(store, &clock, 0), clock, place, seeds: AtomicU64::new(1) }
    }

    pub(crate) fn store(&self) -> &Store<S> {
        self.keys.store()
    }

    /// Makes whatever has to exist before `owner` can have keys.
    pub(crate) async fn add_owner(&self, owner: &str) {
        match &self.place {
            Place::Memory(_) => {}
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            Place::Database { database, .. } => {
                let sql = S::owner(owner, database.is_postgres());
                if !sql.is_empty() {
                    database.run(&sql).await;
                }
            }
        }
    }

    /// A key of `owner` as [`TestSchema::draft`] describes it.
    pub(crate) async fn issue(&self, owner: &str) -> Issued<S> {
        self.keys.issue(S::draft(owner)).await.unwrap()
    }

    /// A key of `owner` that has had one before.
    pub(crate) async fn issue_another(&self, owner: &str) -> Issued<S> {
        let draft = S::draft(owner);
        let several = self.store().abilities().several_keys_per_owner;
        if several { self.keys.issue(draft).await.unwrap() } else { self.keys.issue_only(draft).await.unwrap() }
    }

    /// Sets up what it takes that changes can be watched for.
    pub(crate) async fn watch_for_changes(&self) {
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        if let Place::Database { store, .. } = &self.place {
            store.note_changes().await.unwrap();
        }
    }

    /// Keys as another process would have them: an engine of its own over the same database, other random numbers, and
    /// the same time. Over memory it is the same store.
    pub(crate) async fn another_process(&self) -> Keys<S> {
        self.another_process_with(S::schema()).await
    }

    /// As [`another_process`](Self::another_process), with another value of the schema. Memory keeps its own.
    pub(crate) async fn another_process_with(&self, schema: S) -> Keys<S> {
        let seed = self.seeds.fetch_add(1, Ordering::Relaxed);
        match &self.place {
            Place::Memory(store) => keys(Arc::new(store.clone()), &self.clock, seed),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            Place::Database { database, .. } => {
                let store = SqlKeyStore::open(database.engine().await, schema).await.unwrap();
                keys(Arc::new(store), &self.clock, seed)
            }
        }
    }

    /// Whether the keys are in a database.
    pub(crate) fn has_database(&self) -> bool {
        !matches!(self.place, Place::Memory(_))
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl<S: TestSchema> Fixture<S> {
    /// The database; memory has none.
    pub(crate) fn database(&self) -> &Database {
        match &self.place {
            Place::Memory(_) => panic!("there is no database in memory"),
            Place::Database { database, .. } => database,
        }
    }

    /// The store that the keys are over, as the type that it is.
    pub(crate) fn sql(&self) -> &SqlKeyStore<S> {
        match &self.place {
            Place::Memory(_) => panic!("there is no SQL in memory"),
            Place::Database { store, .. } => store,
        }
    }

    /// A database with the host's tables `parents` beside which the schema's own table is made, and with the side
    /// tables unless `bare`.
    pub(crate) async fn on(database: Database, parents: &str, bare: bool) -> Self {
        database.run(parents).await;
        let store = SqlKeyStore::open(database.engine().await, S::schema()).await.unwrap();
        store.migrate(START).await.unwrap();
        if bare {
            database.drop_side_tables().await;
        }
        Self::reopened(database).await
    }

    /// A database as it is, without a migration.
    pub(crate) async fn reopened(database: Database) -> Self {
        let store = SqlKeyStore::open(database.engine().await, S::schema()).await.unwrap();
        Self::over(Arc::new(store.clone()), Place::Database { database, store })
    }

    /// The same database with stores that are opened anew, after a test has changed its tables.
    pub(crate) async fn reopen(self) -> Self {
        match self.place {
            Place::Memory(_) => panic!("there is no database in memory"),
            Place::Database { database, .. } => Self::reopened(database).await,
        }
    }
}

#[cfg(feature = "sqlite")]
impl<S: TestSchema> Fixture<S> {
    /// A file without any table.
    pub(crate) async fn empty_sqlite() -> Self {
        Self::reopened(Database::sqlite()).await
    }

    /// A migrated file, side tables included.
    pub(crate) async fn sqlite() -> Self {
        Self::on(Database::sqlite(), S::parents(false), false).await
    }

    /// A file with the host's table alone.
    pub(crate) async fn bare_sqlite() -> Self {
        Self::on(Database::sqlite(), S::parents(false), true).await
    }
}

#[cfg(feature = "postgres")]
impl<S: TestSchema> Fixture<S> {
    /// A database without any table.
    pub(crate) async fn empty_postgres() -> Self {
        Self::reopened(Database::postgres().await).await
    }

    /// A migrated database, side tables included.
    pub(crate) async fn postgres() -> Self {
        Self::on(Database::postgres().await, S::parents(true), false).await
    }

    /// A migrated database on a primary with replicas.
    pub(crate) async fn on_primary(cluster: &replicas::Cluster) -> Self {
        let database = Database::Postgres(cluster.database().await);
        Self::on(database, S::parents(true), false).await
    }

    /// A database with the host's table alone.
    pub(crate) async fn bare_postgres() -> Self {
        Self::on(Database::postgres().await, S::parents(true), true).await
    }
}

/// Runs each of these `async fn(Fixture<$schema>)` in the places that are named, as far as the features go.
macro_rules! over {
    ($places:ident of $schema:ident: $($test:ident),+ $(,)?) => {
        $(mod $test {
            $crate::support::each_place!($places, $schema, $test);
        })+
    };
}
pub(crate) use over;

/// Runs each of these `async fn<S: TestSchema>(Fixture<S>)` for every schema, in the places that are named.
macro_rules! over_every_schema {
    ($places:ident: $($test:ident),+ $(,)?) => {
        $crate::support::over_schemas![
            $places of [standard::Standard, scraper::Scraper, mesh::Mesh, aggregator::Aggregator]: $($test),+
        ];
    };
}
pub(crate) use over_every_schema;

/// As [`over_every_schema!`], for the schemas that are named, each with its module in front:
/// `over_schemas![every_store of [standard::Standard, scraper::Scraper]: a_test]`.
macro_rules! over_schemas {
    ($places:ident of $schemas:tt: $($test:ident),+ $(,)?) => {
        $($crate::support::over_these_schemas!($places, $schemas, $test);)+
    };
}
pub(crate) use over_schemas;

macro_rules! over_these_schemas {
    ($places:ident, [$($module:ident::$schema:ident),+], $test:ident) => {
        mod $test {
            use super::$test;
            $(
                use keyward::schemas::$module::$schema;
                mod $module {
                    $crate::support::each_place!($places, $schema, $test);
                }
            )+
        }
    };
}
pub(crate) use over_these_schemas;

macro_rules! each_place {
    (every_store, $schema:ident, $test:ident) => {
        $crate::support::places!($schema, $test: memory, sqlite if "sqlite", postgres if "postgres");
    };
    (every_database, $schema:ident, $test:ident) => {
        $crate::support::places!(
            $schema, $test: sqlite if "sqlite", bare_sqlite if "sqlite", postgres if "postgres",
            bare_postgres if "postgres"
        );
    };
    (everywhere, $schema:ident, $test:ident) => {
        $crate::support::places!(
            $schema, $test: memory, sqlite if "sqlite", bare_sqlite if "sqlite", postgres if "postgres",
            bare_postgres if "postgres"
        );
    };
    (every_engine, $schema:ident, $test:ident) => {
        $crate::support::places!($schema, $test: sqlite if "sqlite", postgres if "postgres");
    };
    (on_postgres, $schema:ident, $test:ident) => {
        $crate::support::places!($schema, $test: postgres if "postgres");
    };
    (every_bare_table, $schema:ident, $test:ident) => {
        $crate::support::places!($schema, $test: bare_sqlite if "sqlite", bare_postgres if "postgres");
    };
    (every_sqlite_file, $schema:ident, $test:ident) => {
        $crate::support::places!($schema, $test: sqlite if "sqlite", bare_sqlite if "sqlite");
    };
    (every_empty_database, $schema:ident, $test:ident) => {
        $crate::support::places!($schema, $test: empty_sqlite if "sqlite", empty_postgres if "postgres");
    };
}
pub(crate) use each_place;

macro_rules! places {
    ($schema:ident, $test:ident: $($place:ident $(if $feature:literal)?),+) => {
        $(
            $(#[cfg(feature = $feature)])?
            #[tokio::test(flavor = "multi_thread")]
            async fn $place() {
                super::$test($crate::support::Fixture::<super::$schema>::$place().await).await;
            }
        )+
    };
}
pub(crate) use places;
