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
