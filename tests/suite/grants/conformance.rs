//! The public conformance suite over the store, in both forms in which upstream tokens are kept.

use std::sync::Arc;

use async_trait::async_trait;
use keyward::sql::{BrokerTables, SqlGrantStore};
use keyward::store::grants::GrantStore;
use keyward::store::grants::conformance::Subject;
use tokio::runtime::Handle;

use super::{at, open};
use crate::support::Database;

struct InDatabase {
    database: Database,
    tables: BrokerTables,
    store: SqlGrantStore,
    runtime: Handle,
}

impl InDatabase {
    async fn new(database: Database, tables: BrokerTables) -> Self {
        let store = open(&database, tables).await;
        store.migrate(at(0)).await.unwrap();
        Self { database, tables, store, runtime: Handle::current() }
    }
}

#[async_trait]
impl Subject for InDatabase {
    fn store(&self) -> &dyn GrantStore {
        &self.store
    }

    async fn reopen(&self) -> Option<Arc<dyn GrantStore>> {
        Some(Arc::new(open(&self.database, self.tables).await))
    }

    fn enter(&self, work: &mut dyn FnMut()) {
        let _entered = self.runtime.enter();
        work();
    }
}

const SHARED: BrokerTables = BrokerTables::new().sharing_upstream_tokens_in_clear();

#[cfg(feature = "sqlite")]
mod on_sqlite {
    use super::{BrokerTables, Database, InDatabase};

    keyward::grant_conformance_suite!(InDatabase::new(Database::sqlite(), BrokerTables::new()).await);
}

#[cfg(feature = "sqlite")]
mod on_sqlite_in_clear {
    use super::{Database, InDatabase, SHARED};

    keyward::grant_conformance_suite!(InDatabase::new(Database::sqlite(), SHARED).await);
}

#[cfg(feature = "postgres")]
mod on_postgres {
    use super::{BrokerTables, Database, InDatabase};

    keyward::grant_conformance_suite!(InDatabase::new(Database::postgres().await, BrokerTables::new()).await);
}

#[cfg(feature = "postgres")]
mod on_postgres_in_clear {
    use super::{Database, InDatabase, SHARED};

    keyward::grant_conformance_suite!(InDatabase::new(Database::postgres().await, SHARED).await);
}
