//! The public conformance suite over every store of grants.

mod in_memory {
    use keyward::store::grants::conformance::Subject;
    use keyward::store::grants::{GrantStore, MemoryGrantStore};

    struct InMemory(MemoryGrantStore);

    impl Subject for InMemory {
        fn store(&self) -> &dyn GrantStore {
            &self.0
        }
    }

    keyward::grant_conformance_suite!(InMemory(MemoryGrantStore::new()));
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod in_a_database {
    use std::sync::Arc;

    use async_trait::async_trait;
    use keyward::sql::{BrokerTables, SqlGrantStore};
    use keyward::store::grants::GrantStore;
    use keyward::store::grants::conformance::Subject;
    use tokio::runtime::Handle;

    use crate::support::{Database, START};

    pub(super) struct InDatabase {
        database: Database,
        tables: BrokerTables,
        store: SqlGrantStore,
        runtime: Handle,
    }

    impl InDatabase {
        pub(super) async fn new(database: Database, tables: BrokerTables) -> Self {
            let store = SqlGrantStore::open(database.engine().await, tables).await.unwrap();
            store.migrate(START).await.unwrap();
            assert_eq!(store.check().await.unwrap(), []);
            Self { database, tables, store, runtime: Handle::current() }
        }
    }

    #[async_trait]
    impl Subject for InDatabase {
        fn store(&self) -> &dyn GrantStore {
            &self.store
        }

        async fn reopen(&self) -> Option<Arc<dyn GrantStore>> {
            Some(Arc::new(SqlGrantStore::open(self.database.engine().await, self.tables).await.unwrap()))
        }

        fn enter(&self, work: &mut dyn FnMut()) {
            let _entered = self.runtime.enter();
            work();
        }
    }
}

#[cfg(feature = "sqlite")]
mod on_sqlite {
    use keyward::sql::BrokerTables;

    use super::in_a_database::InDatabase;
    use crate::support::Database;

    keyward::grant_conformance_suite!(InDatabase::new(Database::sqlite(), BrokerTables::new()).await);

    mod with_upstream_tokens_in_clear {
        use super::{BrokerTables, Database, InDatabase};

        keyward::grant_conformance_suite!(
            InDatabase::new(Database::sqlite(), BrokerTables::new().sharing_upstream_tokens_in_clear()).await
        );
    }
}

#[cfg(feature = "postgres")]
mod on_postgres {
    use keyward::sql::BrokerTables;

    use super::in_a_database::InDatabase;
    use crate::support::Database;

    keyward::grant_conformance_suite!(InDatabase::new(Database::postgres().await, BrokerTables::new()).await);

    mod with_upstream_tokens_in_clear {
        use super::{BrokerTables, Database, InDatabase};

        keyward::grant_conformance_suite!(
            InDatabase::new(Database::postgres().await, BrokerTables::new().sharing_upstream_tokens_in_clear()).await
        );
    }
}
