//! The suite on the reference store, in every kind of schema.

use async_trait::async_trait;

use crate::key::{Draft, OwnerId, Schema};
use crate::schemas::aggregator::{Aggregator, AggregatorKey};
use crate::schemas::mesh::{Capability, Mesh, MeshKey};
use crate::schemas::standard::{Standard, StandardKey};
use crate::store::conformance::Subject;
use crate::store::{KeyStore, MemoryKeyStore};

struct InMemory<S: Schema> {
    store: MemoryKeyStore<S>,
    details: Vec<S::Details>,
}

impl<S: Schema> InMemory<S> {
    fn new<D: Into<Draft<S>>>(schema: S, samples: impl IntoIterator<Item = D>) -> Self {
        let details = samples.into_iter().map(|sample| sample.into().details).collect();
        Self { store: MemoryKeyStore::new(schema), details }
    }
}

#[async_trait]
impl<S: Schema> Subject for InMemory<S> {
    type Schema = S;

    fn store(&self) -> &dyn KeyStore<Schema = S> {
        &self.store
    }

    async fn add_owner(&self, _owner: &OwnerId) {}

    fn details(&self) -> Vec<S::Details> {
        self.details.clone()
    }
}

mod standard {
    use super::*;

    fn subject() -> InMemory<Standard> {
        let plain = StandardKey::new("anyone", "plain").unwrap();
        let full = StandardKey::new("anyone", "ünï ✓").unwrap().scope("jobs:read").unwrap();
        InMemory::new(Standard::new("acme").unwrap(), [plain, full.requests_per_minute(1).unwrap()])
    }

    crate::conformance_suite!(subject());
}

mod mesh {
    use super::*;

    fn subject() -> InMemory<Mesh> {
        let plain = MeshKey::new("anyone", "plain", [Capability::Read]).unwrap();
        InMemory::new(Mesh::new(), [plain.clone(), plain.no_topics()])
    }

    crate::conformance_suite!(subject());
}

mod aggregator {
    use super::*;

    fn subject() -> InMemory<Aggregator> {
        InMemory::new(Aggregator::new(), [AggregatorKey::of("did:plc:anyone").unwrap()])
    }

    crate::conformance_suite!(subject());
}
