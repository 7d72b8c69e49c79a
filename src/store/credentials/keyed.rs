//! Keys that stand on an upstream credential: both are written, or neither.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::key::{KeyRecord, Revoked, Rotation, Schema};
use crate::store::credentials::{CredentialStore, PutRequest};
use crate::store::{KeyStore, RevokeRequest, StoreError};

/// What a new key stands on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Standing<'c> {
    /// A credential that is stored with it. It has to be the owner's.
    New(&'c PutRequest),
    /// The one that its owner has, which must not have ended.
    Same,
}

/// A store of keys and one of credentials in the same place, which changes both in one transaction.
///
/// What each method promises for the key is what [`KeyStore`] promises, and for the credential what [`CredentialStore`] does;
/// when it fails, neither was changed.
#[async_trait]
pub trait KeyedCredentialStore: Debug + Send + Sync + 'static {
    /// The schema of the keys.
    type Schema: Schema;

    /// The store of the keys: the same one each time.
    fn keys(&self) -> Arc<dyn KeyStore<Schema = Self::Schema>>;

    /// The store of the credentials: the same one each time.
    fn credentials(&self) -> Arc<dyn CredentialStore>;

    /// Stores a new key, on a credential.
    ///
    /// # Errors
    /// As [`KeyStore::insert`] and [`CredentialStore::put`]; [`StoreError::Missing`] with
    /// [`Reference::Credential`](crate::store::Reference::Credential) when it is to stand on one that is not good.
    async fn insert(&self, key: &KeyRecord<Self::Schema>, on: Standing<'_>) -> Result<(), StoreError>;

    /// Replaces a key, and returns its successor.
    ///
    /// # Errors
    /// As [`KeyStore::rotate`], and as [`insert`](Self::insert).
    async fn rotate(
        &self,
        rotation: &Rotation<Self::Schema>,
        on: Standing<'_>,
    ) -> Result<KeyRecord<Self::Schema>, StoreError>;

    /// Revokes a key and wipes the credential that it stood on; the second value says whether there was one. Where the key
    /// was revoked before, the credential is wiped all the same. `None` when there is no such key: nothing is wiped then.
    ///
    /// # Errors
    /// As [`KeyStore::revoke`] and [`CredentialStore::wipe`].
    async fn revoke_and_wipe(&self, request: &RevokeRequest) -> Result<Option<(Revoked, bool)>, StoreError>;
}
