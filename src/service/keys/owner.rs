//! Keys bound to one owner: keys of others do not exist for who holds them.

use std::time::Duration;

use crate::key::{
    Changed, HistoryEntry, KeyId, KeyRecord, OwnerId, Reason, Revoked, RevokedAll, Rotated, Schema, Update,
};
use crate::service::{Keys, KeysError, Page};
use crate::store::{KeyFilter, StoreError};
use crate::time::Timestamp;

/// The keys of one owner, from [`Keys::of`]. Whatever identity is passed in, keys of other owners are not found.
///
/// ```
/// use keyward::key::OwnerId;
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::{Keys, KeysError, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let issued = keys.issue(StandardKey::new("customer-1", "production")?).await?;
/// let id = &issued.record.head.id;
///
/// let stranger = OwnerId::new("customer-2")?;
/// assert!(matches!(keys.of(&stranger).revoke(id, None).await, Err(KeysError::NotFound)));
/// assert!(keys.of(&issued.record.head.owner).revoke(id, None).await.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct OwnerKeys<S: Schema> {
    keys: Keys<S>,
    owner: OwnerId,
}

impl<S: Schema> Keys<S> {
    /// The keys of `owner` alone.
    #[must_use]
    pub fn of(&self, owner: &OwnerId) -> OwnerKeys<S> {
        OwnerKeys { keys: self.clone(), owner: owner.clone() }
    }
}

impl<S: Schema> OwnerKeys<S> {
    /// Whose keys they are.
    #[must_use]
    pub const fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// One key, dead or alive.
    ///
    /// # Errors
    /// [`KeysError::NotFound`], for keys of others too; [`KeysError::Store`].
    pub async fn get(&self, id: &KeyId) -> Result<KeyRecord<S>, KeysError> {
        self.keys.get_of(Some(&self.owner), id).await
    }

    /// Up to `limit` keys, newest first, dead ones included; `after` is the [`next`](Page::next) of the page before.
    ///
    /// # Errors
    /// [`StoreError::UnknownCursor`] when `after` is no key of the owner, and the store's other errors.
    pub async fn list(&self, limit: u32, after: Option<&KeyId>) -> Result<Page<S>, StoreError> {
        self.search(KeyFilter::new(), limit, after).await
    }

    /// As [`list`](Self::list), for keys that meet `filter`; an owner that it names is replaced by this one.
    ///
    /// # Errors
    /// As [`Keys::list`].
    pub async fn search(&self, filter: KeyFilter, limit: u32, after: Option<&KeyId>) -> Result<Page<S>, StoreError> {
        self.keys.list(filter.of(self.owner.clone()), limit, after).await
    }

    /// How many keys meet `filter`; an owner that it names is replaced by this one.
    ///
    /// # Errors
    /// As [`Keys::count`].
    pub async fn count(&self, filter: KeyFilter) -> Result<u64, StoreError> {
        self.keys.count(filter.of(self.owner.clone())).await
    }

    /// The one key with this identity, or that starts like this, see [`Keys::resolve`].
    ///
    /// # Errors
    /// As [`Keys::resolve`].
    pub async fn resolve(&self, start: &str) -> Result<KeyRecord<S>, KeysError> {
        self.keys.resolve(&self.owner, start).await
    }

    /// Replaces a live key, see [`Keys::rotate`].
    ///
    /// # Errors
    /// As [`Keys::rotate`].
    pub async fn rotate(
        &self,
        id: &KeyId,
        grace: Duration,
        expires_at: Option<Timestamp>,
    ) -> Result<Rotated<S>, KeysError> {
        self.keys.rotate_of(Some(&self.owner), id, grace, expires_at).await
    }

    /// Revokes a key, see [`Keys::revoke`].
    ///
    /// # Errors
    /// As [`Keys::revoke`].
    pub async fn revoke(&self, id: &KeyId, reason: Option<Reason>) -> Result<Revoked, KeysError> {
        self.keys.revoke_if(Some(&self.owner), id, None, reason).await
    }

    /// Revokes all keys, see [`Keys::revoke_all`].
    ///
    /// # Errors
    /// As [`Keys::revoke_all`].
    pub async fn revoke_all(&self, reason: Option<Reason>) -> Result<RevokedAll, StoreError> {
        self.keys.revoke_all(&self.owner, reason).await
    }

    /// Changes a key, see [`Keys::update`].
    ///
    /// # Errors
    /// As [`Keys::update`].
    pub async fn update(
        &self,
        id: &KeyId,
        version: u64,
        update: impl Update<S> + Send,
    ) -> Result<Changed<S>, KeysError> {
        self.keys.update_of(Some(&self.owner), id, version, update).await
    }

    /// Switches a key off, see [`Keys::disable`].
    ///
    /// # Errors
    /// As [`Keys::disable`].
    pub async fn disable(&self, id: &KeyId, reason: Option<Reason>) -> Result<Changed<S>, KeysError> {
        self.keys.disable_of(Some(&self.owner), id, reason).await
    }

    /// Switches a key on again, see [`Keys::enable`].
    ///
    /// # Errors
    /// As [`Keys::enable`].
    pub async fn enable(&self, id: &KeyId, reason: Option<Reason>) -> Result<Changed<S>, KeysError> {
        self.keys.enable_of(Some(&self.owner), id, reason).await
    }

    /// What was done to a key, see [`Keys::history`].
    ///
    /// # Errors
    /// As [`Keys::history`].
    pub async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, KeysError> {
        self.get(id).await?;
        self.keys.history(id).await
    }
}
