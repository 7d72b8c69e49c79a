//! The public conformance suite over every schema and every store.

use std::sync::Arc;

use async_trait::async_trait;
use keyward::key::OwnerId;
use keyward::schemas::mesh::Mesh;
use keyward::store::KeyStore;
use keyward::store::conformance::{self, Subject};
use tokio::runtime::Handle;

use crate::support::complaint::complaint;
use crate::support::{Fixture, Store, TestSchema, over, over_every_schema};

over_every_schema![everywhere: the_store_passes_the_conformance_suite];
over![everywhere of Mesh: a_store_of_strict_keys_passes_the_conformance_suite];

/// A store under test, beside the fixture in whose database it is and which makes owners as the schema needs them.
struct Owners<S: TestSchema> {
    fixture: Fixture<S>,
    store: Store<S>,
    runtime: Handle,
}

impl<S: TestSchema> Owners<S> {
    fn new(fixture: Fixture<S>, store: Store<S>) -> Self {
        Self { fixture, store, runtime: Handle::current() }
    }
}

#[async_trait]
impl<S: TestSchema> Subject for Owners<S> {
    type Schema = S;

    fn store(&self) -> &dyn KeyStore<Schema = S> {
        &*self.store
    }

    async fn add_owner(&self, owner: &OwnerId) {
        self.fixture.add_owner(owner.as_str()).await;
    }

    fn details(&self) -> Vec<S::Details> {
        S::samples()
    }

    /// What another process has over the same database; what is in memory only is gone with its process.
    async fn reopen(&self) -> Option<Store<S>> {
        let keys = self.fixture.another_process().await;
        self.fixture.has_database().then(|| Arc::clone(keys.store()))
    }

    fn enter(&self, work: &mut dyn FnMut()) {
        let _entered = self.runtime.enter();
        work();
    }
}

async fn the_store_passes_the_conformance_suite<S: TestSchema>(fixture: Fixture<S>) {
    let store = fixture.store().clone();
    keeps_every_promise(Owners::new(fixture, store)).await;
}

async fn a_store_of_strict_keys_passes_the_conformance_suite(fixture: Fixture<Mesh>) {
    let store = fixture.another_process_with(Mesh::new().strict()).await.store().clone();
    assert_eq!(store.schema().is_strict(), fixture.has_database(), "memory keeps its own schema");
    keeps_every_promise(Owners::new(fixture, store)).await;
}

/// As [`conformance::run`], but all broken promises are named, and not the first alone.
async fn keeps_every_promise(subject: impl Subject) {
    let mut broken = Vec::new();
    for promise in conformance::PROMISES {
        broken.extend(complaint(conformance::check(&subject, promise)).await);
    }
    assert!(broken.is_empty(), "{} promises are broken:\n{}", broken.len(), broken.join("\n"));
}
