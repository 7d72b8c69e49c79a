//! The systems whose tables stand beside other tables: what has to be there before keys can be, made as the systems
//! themselves make it.

pub(crate) mod aggregator;
mod mesh;

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
#[cfg(feature = "postgres")]
use keyward::PostgresKeyStore;
#[cfg(feature = "sqlite")]
use keyward::SqliteKeyStore;
use keyward::key::{OwnerId, Profile};
use keyward::sql::SqlProfile;
use keyward::store::conformance::Subject;
use keyward::store::{DynKeyStore, MemoryKeyStore};

#[cfg(feature = "postgres")]
use super::postgres;
#[cfg(feature = "sqlite")]
use super::sqlite;
use super::{Database, START};

/// A system with parents of its keys.
pub(crate) trait System: SqlProfile<Details: PartialEq> {
    /// What the host has before keyward comes.
    fn parents(postgres: bool) -> &'static str;
    /// What adds the owner `owner`.
    fn owner(owner: &str, postgres: bool) -> String;
    /// A reference store with the same rules.
    fn memory() -> MemoryKeyStore<Self::Details>;
    /// Details that a store must return as they were.
    fn samples() -> Vec<Self::Details>;
}

/// A database of one test, with the keys of one system.
pub(crate) struct Setting<P: Profile> {
    pub(crate) store: Arc<DynKeyStore<P::Details>>,
    pub(crate) database: Option<Database>,
    system: PhantomData<fn() -> P>,
}

impl<P: System> Setting<P> {
    pub(crate) async fn memory() -> Self {
        Self { store: Arc::new(P::memory()), database: None, system: PhantomData }
    }

    /// The host's tables and, unless `bare`, the side tables; the system's own table always.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn sqlite(bare: bool) -> Self {
        let database = Database::Sqlite(sqlite::Database::new());
        Self::over(database, P::parents(false), bare).await
    }

    /// As [`sqlite`](Self::sqlite).
    #[cfg(feature = "postgres")]
    pub(crate) async fn postgres(bare: bool) -> Self {
        let database = Database::Postgres(postgres::Database::new().await);
        Self::over(database, P::parents(true), bare).await
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    async fn over(database: Database, parents: &str, bare: bool) -> Self {
        database.run(parents).await;
        match &database {
            Database::Memory(_) => {}
            #[cfg(feature = "sqlite")]
            Database::Sqlite(file) => {
                SqliteKeyStore::<P>::open(file.path()).await.unwrap().migrate(START).await.map(drop).unwrap();
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(server) => {
                let store = PostgresKeyStore::<P>::open(server.pool().await).await.unwrap();
                store.migrate(START).await.map(drop).unwrap();
            }
        }
        if bare {
            database.run("DROP TABLE keyward_revocations; DROP TABLE keyward_rotations").await;
        }
        let store = open::<P>(&database).await;
        Self { store, database: Some(database), system: PhantomData }
    }

    /// A store of the system `Q` over the same database, with connections of its own.
    pub(crate) async fn another_process<Q: SqlProfile>(&self) -> Arc<DynKeyStore<Q::Details>> {
        open::<Q>(self.database()).await
    }

    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("the keys are in a database")
    }

    pub(crate) async fn add_owner(&self, owner: &str) {
        if let Some(database) = &self.database {
            database.run(&P::owner(owner, is_postgres(database))).await;
        }
    }
}

async fn open<Q: SqlProfile>(database: &Database) -> Arc<DynKeyStore<Q::Details>> {
    match database {
        Database::Memory(_) => panic!("memory is not opened"),
        #[cfg(feature = "sqlite")]
        Database::Sqlite(file) => Arc::new(SqliteKeyStore::<Q>::open(file.path()).await.unwrap()),
        #[cfg(feature = "postgres")]
        Database::Postgres(server) => Arc::new(PostgresKeyStore::<Q>::open(server.pool().await).await.unwrap()),
    }
}

pub(crate) fn is_postgres(database: &Database) -> bool {
    match database {
        #[cfg(feature = "postgres")]
        Database::Postgres(_) => true,
        _ => false,
    }
}

#[async_trait]
impl<P: System> Subject for Setting<P> {
    type Profile = P;

    fn store(&self) -> &DynKeyStore<P::Details> {
        &*self.store
    }

    async fn add_owner(&self, owner: &OwnerId) {
        Self::add_owner(self, owner.as_str()).await;
    }

    fn details(&self) -> Vec<P::Details> {
        P::samples()
    }
}

/// Runs each of these `async fn(Setting<P>)` over memory and over both engines, with the side tables and without.
macro_rules! over_every_store_of {
    ($system:ident: $($test:ident),+ $(,)?) => {$(
        mod $test {
            use crate::support::systems::Setting;

            #[tokio::test(flavor = "multi_thread")]
            async fn memory() {
                super::$test(Setting::<super::$system>::memory().await).await;
            }

            $crate::support::systems::over_every_database_of!(@engines $system: $test);
        }
    )+};
}
pub(crate) use over_every_store_of;

/// Runs each of these `async fn(Setting<P>)` over both engines, with the side tables and without.
macro_rules! over_every_database_of {
    (@engines $system:ident: $test:ident) => {
        #[cfg(feature = "sqlite")]
        #[tokio::test(flavor = "multi_thread")]
        async fn sqlite() {
            super::$test(Setting::<super::$system>::sqlite(false).await).await;
        }

        #[cfg(feature = "sqlite")]
        #[tokio::test(flavor = "multi_thread")]
        async fn bare_sqlite() {
            super::$test(Setting::<super::$system>::sqlite(true).await).await;
        }

        #[cfg(feature = "postgres")]
        #[tokio::test(flavor = "multi_thread")]
        async fn postgres() {
            super::$test(Setting::<super::$system>::postgres(false).await).await;
        }

        #[cfg(feature = "postgres")]
        #[tokio::test(flavor = "multi_thread")]
        async fn bare_postgres() {
            super::$test(Setting::<super::$system>::postgres(true).await).await;
        }
    };
    ($system:ident: $($test:ident),+ $(,)?) => {$(
        mod $test {
            use crate::support::systems::Setting;

            $crate::support::systems::over_every_database_of!(@engines $system: $test);
        }
    )+};
}
pub(crate) use over_every_database_of;
