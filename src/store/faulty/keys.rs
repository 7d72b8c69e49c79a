//! A store of keys that fails on purpose.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Fault, Faulty};
use crate::key::{HistoryEntry, KeyChange, KeyId, KeyRecord, OwnerId, Revoked, RevokedAll, Rotation, Schema};
use crate::store::{
    Abilities, ChangeFeed, FoundOnReplica, KeyLookup, KeyStore, KeyUse, ListRequest, PurgeRequest, RevokeAllRequest,
    RevokeRequest, StoreError, Touched,
};

/// A kind of call: a method of [`KeyStore`](crate::store::KeyStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// [`find`](crate::store::KeyStore::find), which a verification makes.
    Find,
    /// [`get`](crate::store::KeyStore::get), with which changes and rotations begin.
    Get,
    /// [`list`](crate::store::KeyStore::list).
    List,
    /// [`count`](crate::store::KeyStore::count).
    Count,
    /// [`owner_exists`](crate::store::KeyStore::owner_exists).
    OwnerExists,
    /// [`insert`](crate::store::KeyStore::insert).
    Insert,
    /// [`rotate`](crate::store::KeyStore::rotate).
    Rotate,
    /// [`change`](crate::store::KeyStore::change).
    Change,
    /// [`revoke`](crate::store::KeyStore::revoke).
    Revoke,
    /// [`revoke_all`](crate::store::KeyStore::revoke_all).
    RevokeAll,
    /// [`touch`](crate::store::KeyStore::touch), which writes last use.
    Touch,
    /// [`history`](crate::store::KeyStore::history).
    History,
    /// [`purge`](crate::store::KeyStore::purge).
    Purge,
    /// [`watch`](crate::store::KeyStore::watch). The feed that it returns has no faults.
    Watch,
}

/// A store of keys that fails on purpose.
pub type FaultyStore<S> = Faulty<dyn KeyStore<Schema = S>, Call>;

impl<S: Schema> FaultyStore<S> {
    /// A store in front of `store`, without a fault yet.
    #[must_use]
    pub fn new(store: impl KeyStore<Schema = S>) -> Self {
        Self::over(Arc::new(store))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Schema> KeyStore for FaultyStore<S> {
    type Schema = S;

    fn schema(&self) -> &S {
        self.store.schema()
    }

    fn abilities(&self) -> Abilities {
        self.store.abilities()
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<Arc<KeyRecord<S>>>, StoreError> {
        self.call(Call::Find, || self.store.find(lookup)).await
    }

    async fn find_on_replica(&self, lookup: KeyLookup<'_>) -> Result<Option<FoundOnReplica<S>>, StoreError> {
        self.call(Call::Find, || self.store.find_on_replica(lookup)).await
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<S>>, StoreError> {
        self.call(Call::Get, || self.store.get(id)).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Vec<KeyRecord<S>>, StoreError> {
        self.call(Call::List, || self.store.list(request)).await
    }

    async fn count(&self, request: &ListRequest) -> Result<u64, StoreError> {
        self.call(Call::Count, || self.store.count(request)).await
    }

    async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        self.call(Call::OwnerExists, || self.store.owner_exists(owner)).await
    }

    async fn insert(&self, key: &KeyRecord<S>) -> Result<(), StoreError> {
        self.call(Call::Insert, || self.store.insert(key)).await
    }

    async fn rotate(&self, rotation: &Rotation<S>) -> Result<KeyRecord<S>, StoreError> {
        self.call(Call::Rotate, || self.store.rotate(rotation)).await
    }

    async fn change(&self, change: &KeyChange<S>) -> Result<(), StoreError> {
        self.call(Call::Change, || self.store.change(change)).await
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<Option<Revoked>, StoreError> {
        self.call(Call::Revoke, || self.store.revoke(request)).await
    }

    async fn revoke_all(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        self.call(Call::RevokeAll, || self.store.revoke_all(request)).await
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<Touched, StoreError> {
        let fault = self.plan().fault_of(Call::Touch);
        let mut touched = Touched::default();
        match fault {
            Some(Fault::Busy) => touched.busy = uses.to_vec(),
            Some(Fault::Refused) => touched.refused = uses.to_vec(),
            fault => return self.with(fault, || self.store.touch(uses)).await,
        }
        Ok(touched)
    }

    async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, StoreError> {
        self.call(Call::History, || self.store.history(id)).await
    }

    async fn purge(&self, request: &PurgeRequest) -> Result<u64, StoreError> {
        self.call(Call::Purge, || self.store.purge(request)).await
    }

    async fn watch(&self) -> Result<Box<dyn ChangeFeed>, StoreError> {
        self.call(Call::Watch, || self.store.watch()).await
    }
}
