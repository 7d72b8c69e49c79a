//! The public conformance suite over every store of credentials.

mod in_memory {
    use async_trait::async_trait;
    use keyward::key::OwnerId;
    use keyward::store::credentials::conformance::Subject;
    use keyward::store::credentials::{CredentialStore, MemoryCredentialStore};

    struct InMemory(MemoryCredentialStore);

    #[async_trait]
    impl Subject for InMemory {
        fn store(&self) -> &dyn CredentialStore {
            &self.0
        }

        async fn add_owner(&self, _owner: &OwnerId) {}
    }

    keyward::credential_conformance_suite!(InMemory(MemoryCredentialStore::new()));
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod in_a_database {
    use std::sync::Arc;

    use async_trait::async_trait;
    use keyward::key::OwnerId;
    use keyward::sql::{OwnCredentials, SqlCredentialStore};
    use keyward::store::credentials::CredentialStore;
    use keyward::store::credentials::conformance::Subject;
    use tokio::runtime::Handle;

    use crate::support::{Database, START};

    pub(super) struct InDatabase {
        database: Database,
        store: SqlCredentialStore<OwnCredentials>,
        runtime: Handle,
    }

    impl InDatabase {
        pub(super) async fn new(database: Database) -> Self {
            let store = SqlCredentialStore::open(database.engine().await, OwnCredentials::new()).await.unwrap();
            store.migrate(START).await.unwrap();
            assert_eq!(store.check().await.unwrap(), []);
            Self { database, store, runtime: Handle::current() }
        }
    }

    #[async_trait]
    impl Subject for InDatabase {
        fn store(&self) -> &dyn CredentialStore {
            &self.store
        }

        async fn add_owner(&self, _owner: &OwnerId) {}

        async fn reopen(&self) -> Option<Arc<dyn CredentialStore>> {
            let engine = self.database.engine().await;
            Some(Arc::new(SqlCredentialStore::open(engine, OwnCredentials::new()).await.unwrap()))
        }

        fn enter(&self, work: &mut dyn FnMut()) {
            let _entered = self.runtime.enter();
            work();
        }
    }
}

#[cfg(feature = "sqlite")]
mod on_sqlite {
    use super::in_a_database::InDatabase;
    use crate::support::Database;

    keyward::credential_conformance_suite!(InDatabase::new(Database::sqlite()).await);
}

#[cfg(feature = "postgres")]
mod on_postgres {
    use super::in_a_database::InDatabase;
    use crate::support::Database;

    keyward::credential_conformance_suite!(InDatabase::new(Database::postgres().await).await);
}
