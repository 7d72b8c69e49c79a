//! A store that counts, fails and blocks the writes of last use on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use keyward::key::{HistoryEntry, KeyChange, KeyId, KeyRecord, OwnerId, Revoked, RevokedAll, Rotation};
use keyward::store::{
    Abilities, ChangeFeed, FoundOnReplica, KeyLookup, KeyStore, KeyUse, ListRequest, PurgeRequest, RevokeAllRequest,
    RevokeRequest, StoreError, Touched,
};
use tokio::sync::Semaphore;

use crate::support::{Store, TestSchema};

#[derive(Debug)]
pub(super) struct Counting<S: TestSchema> {
    store: Store<S>,
    statements: AtomicU64,
    rows: AtomicU64,
    fails: AtomicBool,
    /// A write begins when it gets a permit. There are plenty unless a test takes them away.
    permits: Semaphore,
}

impl<S: TestSchema> Counting<S> {
    pub(super) fn over(store: &Store<S>) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            statements: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            permits: Semaphore::new(1_000),
        })
    }

    /// How many statements there were, and how many rows they wrote.
    pub(super) fn written(&self) -> (u64, u64) {
        (self.statements.load(Ordering::SeqCst), self.rows.load(Ordering::SeqCst))
    }

    /// Whether every write fails from now on.
    pub(super) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    pub(super) fn block(&self) {
        self.permits.forget_permits(1_000);
    }

    pub(super) fn unblock(&self) {
        self.permits.add_permits(1_000);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: TestSchema> KeyStore for Counting<S> {
    type Schema = S;

    fn schema(&self) -> &S {
        self.store.schema()
    }

    fn abilities(&self) -> Abilities {
        self.store.abilities()
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<Arc<KeyRecord<S>>>, StoreError> {
        self.store.find(lookup).await
    }

    async fn find_on_replica(&self, lookup: KeyLookup<'_>) -> Result<Option<FoundOnReplica<S>>, StoreError> {
        self.store.find_on_replica(lookup).await
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<S>>, StoreError> {
        self.store.get(id).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Vec<KeyRecord<S>>, StoreError> {
        self.store.list(request).await
    }

    async fn count(&self, request: &ListRequest) -> Result<u64, StoreError> {
        self.store.count(request).await
    }

    async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        self.store.owner_exists(owner).await
    }

    async fn insert(&self, key: &KeyRecord<S>) -> Result<(), StoreError> {
        self.store.insert(key).await
    }

    async fn rotate(&self, rotation: &Rotation<S>) -> Result<KeyRecord<S>, StoreError> {
        self.store.rotate(rotation).await
    }

    async fn change(&self, change: &KeyChange<S>) -> Result<(), StoreError> {
        self.store.change(change).await
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<Option<Revoked>, StoreError> {
        self.store.revoke(request).await
    }

    async fn revoke_all(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        self.store.revoke_all(request).await
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<Touched, StoreError> {
        self.statements.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.unwrap().forget();
        self.permits.add_permits(1);
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { backend: "a test", source: "it is made to fail".into() });
        }
        let touched = self.store.touch(uses).await?;
        self.rows.fetch_add(touched.written, Ordering::SeqCst);
        Ok(touched)
    }

    async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, StoreError> {
        self.store.history(id).await
    }

    async fn purge(&self, request: &PurgeRequest) -> Result<u64, StoreError> {
        self.store.purge(request).await
    }

    async fn watch(&self) -> Result<Box<dyn ChangeFeed>, StoreError> {
        self.store.watch().await
    }
}
