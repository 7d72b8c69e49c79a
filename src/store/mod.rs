//! What a store of keys promises: [`KeyStore`], its errors, the in-memory reference, and the suite that proves a store.

#[cfg(feature = "testkit")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "testkit")))]
pub mod conformance;
mod error;
mod memory;

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;

pub use error::{Reference, StoreError};
pub use memory::MemoryKeyStore;

use crate::key::{KeyDigest, KeyId, KeyRecord, OwnerId, Revocation, RevocationReason, Rotation};
use crate::time::Timestamp;

/// Where keys live. Authors of stores implement this trait; services call [`Keys`](crate::Keys) over it.
///
/// Every method is atomic, takes the time that it needs as an argument, and has no default body. A store remembers
/// and never decides: [`decide`](crate::key::decide) alone says whether a key is accepted.
///
/// - Absence is `Ok(None)`, an empty list or an outcome; `Err` means that the store could not answer.
/// - A stored value that cannot be understood becomes the record's [`defect`](crate::key::KeyHead::defect); it is no
///   error, so that one odd row harms only itself.
/// - Of several callers who race for one change, exactly one is told that it made it.
/// - A future that is dropped may or may not have taken effect, but never in part.
///
/// The suite in `keyward::store::conformance` (feature `testkit`) checks an implementation against all of this.
#[async_trait]
pub trait KeyStore: Debug + Send + Sync {
    /// What only this store's system records about a key.
    type Details: Clone + Debug + Send + Sync + 'static;

    /// What this store can represent.
    fn abilities(&self) -> Abilities;

    /// Every row that could be the presented key, dead ones too. The reason of a revocation may be left out: the key is
    /// refused with or without it.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<KeyRecord<Self::Details>>, StoreError>;

    /// The key with this identity.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<Self::Details>>, StoreError>;

    /// Keys of one owner, dead ones included, newest first; equal times are ordered by identity, so that pages neither
    /// overlap nor skip.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn list(&self, page: &PageRequest) -> Result<Vec<KeyRecord<Self::Details>>, StoreError>;

    /// Up to `limit` keys of `owner` whose identity or display prefix starts with `start`, letter for letter: what an
    /// operator types who has only part of either.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn starting_with(
        &self,
        owner: &OwnerId,
        start: &str,
        limit: u32,
    ) -> Result<Vec<KeyRecord<Self::Details>>, StoreError>;

    /// Whether `owner` can have keys. Where owners are plain names, each of them can.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError>;

    /// Adds a key, and never overwrites one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the identity or the digest is taken, [`StoreError::Missing`] when it refers to
    /// something that does not exist.
    async fn insert(&self, key: &KeyRecord<Self::Details>) -> Result<(), StoreError>;

    /// Lowers the predecessor's expiry to `retire_at` and adds the successor, or does neither. A key is rotated once;
    /// after that, its successor is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the predecessor is no longer live, was rotated already, or has changed since the
    /// caller read it; otherwise as [`insert`](Self::insert).
    async fn rotate(&self, rotation: &Rotation<Self::Details>) -> Result<(), StoreError>;

    /// Revokes one key for good and keeps the first time and reason.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] when there is a reason and the store has no place for it; nothing is revoked then.
    async fn revoke(&self, request: &RevokeRequest) -> Result<RevokeOutcome, StoreError>;

    /// Revokes every key of `owner` that is not revoked yet, and says how many those were. Keys that a concurrent
    /// [`insert`](Self::insert) or [`rotate`](Self::rotate) adds are either included or added afterwards.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke).
    async fn revoke_all(
        &self,
        owner: &OwnerId,
        at: Timestamp,
        reason: Option<&RevocationReason>,
    ) -> Result<u64, StoreError>;

    /// Moves `last_used_at` of exactly these keys forward, never back, in one statement. Keys that are gone are
    /// skipped. Says how many rows were written.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn touch(&self, uses: &[KeyUse]) -> Result<u64, StoreError>;
}

/// A store chosen at run time: services are generic over the system, never over the engine.
pub type DynKeyStore<D> = dyn KeyStore<Details = D>;

/// Calls through a smart pointer reach the store behind it.
macro_rules! forward_key_store {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<S: KeyStore + ?Sized> KeyStore for $pointer<S> {
            type Details = S::Details;

            fn abilities(&self) -> Abilities {
                (**self).abilities()
            }

            async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<KeyRecord<S::Details>>, StoreError> {
                (**self).find(lookup).await
            }

            async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<S::Details>>, StoreError> {
                (**self).get(id).await
            }

            async fn list(&self, page: &PageRequest) -> Result<Vec<KeyRecord<S::Details>>, StoreError> {
                (**self).list(page).await
            }

            async fn starting_with(
                &self,
                owner: &OwnerId,
                start: &str,
                limit: u32,
            ) -> Result<Vec<KeyRecord<S::Details>>, StoreError> {
                (**self).starting_with(owner, start, limit).await
            }

            async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError> {
                (**self).owner_exists(owner).await
            }

            async fn insert(&self, key: &KeyRecord<S::Details>) -> Result<(), StoreError> {
                (**self).insert(key).await
            }

            async fn rotate(&self, rotation: &Rotation<S::Details>) -> Result<(), StoreError> {
                (**self).rotate(rotation).await
            }

            async fn revoke(&self, request: &RevokeRequest) -> Result<RevokeOutcome, StoreError> {
                (**self).revoke(request).await
            }

            async fn revoke_all(
                &self,
                owner: &OwnerId,
                at: Timestamp,
                reason: Option<&RevocationReason>,
            ) -> Result<u64, StoreError> {
                (**self).revoke_all(owner, at, reason).await
            }

            async fn touch(&self, uses: &[KeyUse]) -> Result<u64, StoreError> {
                (**self).touch(uses).await
            }
        }
    };
}

forward_key_store!(Arc);
forward_key_store!(Box);

/// What a store can represent. The conformance suite asks for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, clippy::struct_excessive_bools, reason = "a declaration by authors of stores")]
pub struct Abilities {
    /// An owner can have several keys; otherwise it has at most one.
    pub several_keys_per_owner: bool,
    /// A key can have an expiry, and so a rotation can have a grace period.
    pub expiry: bool,
    /// A key that was rotated is remembered as such, and not rotated again in its grace period. A store that does not
    /// still lets only one of several rotations that race succeed.
    pub rotation_memory: bool,
    /// A revocation's time is kept.
    pub revocation_time: bool,
    /// A revocation's reason is kept.
    pub revocation_reason: bool,
}

/// What is known of a presented key when it is looked up.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "authors of stores take lookups apart")]
pub struct KeyLookup<'k> {
    /// The digest of the whole key.
    pub digest: &'k KeyDigest,
    /// Its first characters, for tables that are looked up by them.
    pub prefix: &'k str,
}

impl Debug for KeyLookup<'_> {
    /// Without the prefix, which of a very short key is the whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLookup").field("digest", self.digest).finish_non_exhaustive()
    }
}

/// One page of an owner's keys.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "authors of stores take requests apart")]
pub struct PageRequest {
    /// Whose keys.
    pub owner: OwnerId,
    /// How many records at most.
    pub limit: u32,
    /// The last key of the page before; the page starts behind it.
    pub after: Option<KeyId>,
}

/// The revocation of one key.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "authors of stores take requests apart")]
pub struct RevokeRequest {
    /// Which key.
    pub id: KeyId,
    /// The digest that the caller saw, so that a key which has taken the same identity since is not hit; `None`
    /// revokes whichever key has the identity now.
    pub digest: Option<KeyDigest>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<RevocationReason>,
}

/// What a revocation found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all the cases there are")]
pub enum RevokeOutcome {
    /// This call revoked it.
    Revoked,
    /// It was revoked before; nothing changed.
    AlreadyRevoked(Revocation),
    /// There is no such key.
    NotFound,
}

/// One use of one key. The digest says which key it was, even where its identity has passed to a successor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "authors of stores take uses apart")]
pub struct KeyUse {
    /// Which key.
    pub id: KeyId,
    /// Its digest.
    pub digest: KeyDigest,
    /// When it was accepted.
    pub at: Timestamp,
}
