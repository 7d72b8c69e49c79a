//! What a store of keys promises: [`KeyStore`], its errors, the in-memory reference, and the suite that proves a store.

mod changes;
#[cfg(feature = "testkit")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "testkit")))]
pub mod conformance;
#[cfg(feature = "credentials")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "credentials")))]
pub mod credentials;
mod error;
#[cfg(feature = "testkit")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "testkit")))]
pub mod faulty;
mod found_on_replica;
#[cfg(feature = "broker")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "broker")))]
pub mod grants;
mod limits;
mod memory;
mod quotas;
#[cfg(feature = "testkit")]
mod race;
mod requests;
#[cfg(any(feature = "broker", feature = "credentials"))]
mod sealing;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

pub use changes::{ChangeFeed, Changes};
pub use error::{Reference, StoreError, Unfit};
pub use found_on_replica::FoundOnReplica;
pub use limits::LimitStore;
pub use memory::MemoryKeyStore;
#[cfg(feature = "redis")]
pub(crate) use quotas::remembered_until;
pub use quotas::{LeaseRequest, Leased, MemoryQuotaStore, QuotaAccount, QuotaStore};
pub use requests::{
    CLOCK_TOLERANCE, KeyFilter, KeyLookup, KeyState, KeyUse, ListRequest, PurgeRequest, RevokeAllRequest,
    RevokeRequest, Touched,
};

use crate::key::{HistoryEntry, KeyChange, KeyId, KeyRecord, OwnerId, Revoked, RevokedAll, Rotation, Schema};

/// Where the keys of one schema live. Authors of stores implement this trait; services call [`Keys`](crate::Keys).
///
/// Every method is atomic, takes the time that it needs as an argument, and has no default body, but for
/// [`find_on_replica`](Self::find_on_replica) and [`watch`](Self::watch). A store remembers
/// and never decides: [`decide`](crate::key::decide) alone says whether a key is accepted.
///
/// - Absence is `Ok(None)`, an empty list or an outcome; `Err` means that the store could not answer.
/// - A stored value that cannot be understood becomes the record's [`defect`](crate::key::KeyHead::defect); it is no
///   error, so that one odd row harms only itself.
/// - Of several callers who race for one change, exactly one learns that it made it.
/// - A future that is dropped may or may not have taken effect, but never in part.
///
/// The suite in `keyward::store::conformance` (feature `testkit`) checks an implementation against all of this.
///
/// # Growth
/// Requests and records are `#[non_exhaustive]`, so that most of what is new arrives as a field. A method that has to
/// be added comes with a default body, which answers [`StoreError::Unsupported`], and an [`Abilities`] that says so; the
/// body is taken away in the next breaking release. A store thus breaks once for it, and never without notice.
#[async_trait]
pub trait KeyStore: Debug + Send + Sync + 'static {
    /// The schema of the keys.
    type Schema: Schema;

    /// The schema's value, from which formats, identities and strictness are taken.
    fn schema(&self) -> &Self::Schema;

    /// What this store can represent.
    fn abilities(&self) -> Abilities;

    /// Every row that could be the presented key, dead ones too. What a verification does not need may be left out: the
    /// reason of a revocation, the successor, and the last use.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<Arc<KeyRecord<Self::Schema>>>, StoreError>;

    /// As [`find`](Self::find), on a replica of the store. How far a replica may be behind at most, the store decides; how far it
    /// is, the answer says, in real time and rather too much than too little. `None` where no replica will do, and
    /// where the one that was asked has no row with the digest, which may be new: then `find` is asked. That is also
    /// asked where somebody knows of a change of the key that the replica may lack.
    ///
    /// A store that wraps another one passes this on together with [`Abilities::replicas`].
    ///
    /// # Errors
    /// [`StoreError::Throttled`] when no replica knows the key, and `find` is not to be asked either.
    async fn find_on_replica(
        &self,
        _lookup: KeyLookup<'_>,
    ) -> Result<Option<FoundOnReplica<Self::Schema>>, StoreError> {
        Ok(None)
    }

    /// The key with this identity.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<Self::Schema>>, StoreError>;

    /// Keys that meet a filter, dead ones included, newest first; equal times are ordered by identity, so that pages
    /// neither overlap nor skip. The page starts behind the key of the cursor, whether or not that still meets the filter.
    ///
    /// # Errors
    /// [`StoreError::UnknownCursor`]; [`StoreError::Unsupported`] for a filter beyond owner and start, where
    /// [`Abilities::search`] says so.
    async fn list(&self, request: &ListRequest) -> Result<Vec<KeyRecord<Self::Schema>>, StoreError>;

    /// How many keys meet the filter of `request`, whose limit and cursor do not count.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] where [`Abilities::search`] says so.
    async fn count(&self, request: &ListRequest) -> Result<u64, StoreError>;

    /// Whether `owner` can have keys. Where owners are plain names, each of them can.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError>;

    /// Adds a key, and never overwrites one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the identity or the digest is taken, [`StoreError::Missing`] when it refers to
    /// something that does not exist, [`StoreError::TenantDisabled`] when that is shut down and the schema is asked to look.
    async fn insert(&self, key: &KeyRecord<Self::Schema>) -> Result<(), StoreError>;

    /// Retires the predecessor and adds the successor, or does neither. A key is rotated once; after that, its
    /// successor is.
    ///
    /// Retiring lowers the predecessor's expiry to `retire_at`, or revokes it where the rotation
    /// [is immediate](Rotation::is_immediate), so that no reader's clock can bring it back. Unless the rotation
    /// [replaces an owner's only key](Rotation::must_be_live), the successor's details are what the predecessor's row says at that moment, not what
    /// the caller read before: permissions that were cut meanwhile stay cut. Returns the successor as it is stored.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the predecessor is no longer live, was rotated already, or has changed since the
    /// caller read it; otherwise as [`insert`](Self::insert).
    async fn rotate(&self, rotation: &Rotation<Self::Schema>) -> Result<KeyRecord<Self::Schema>, StoreError>;

    /// Makes a change that was worked out on the version that the caller saw, and appends it to the key's history. The
    /// last use stays as it is stored.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the key no longer has that version or is revoked; [`StoreError::Unsupported`] where
    /// [`Abilities::changes`] says so.
    async fn change(&self, change: &KeyChange<Self::Schema>) -> Result<(), StoreError>;

    /// Revokes one key for good and keeps the first time and reason. `None` when there is no such key.
    ///
    /// What is reported is what the row says afterwards, not that a statement was sent.
    ///
    /// # Errors
    /// [`StoreError::Suppressed`] when the key's row is not revoked afterwards;
    /// [`StoreError::Unsupported`] when there is a reason and the store has no place for it; nothing is revoked then.
    async fn revoke(&self, request: &RevokeRequest) -> Result<Option<Revoked>, StoreError>;

    /// Revokes every key of an owner that is not revoked yet, and says how many those were. Keys that a concurrent
    /// [`insert`](Self::insert) or [`rotate`](Self::rotate) adds are either included or added afterwards. A row that
    /// cannot be revoked, or that somebody else holds, keeps no other one from it; the outcome names it as
    /// [remaining](RevokedAll::remaining). It need not be one transaction.
    ///
    /// # Errors
    /// [`StoreError::Interrupted`] when the store failed after it had revoked some of the keys, with how many. After any
    /// other error, which are those of [`revoke`](Self::revoke), none was revoked.
    async fn revoke_all(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError>;

    /// Writes `last_used_at` of exactly these keys where a use [replaces](KeyUse::replaces) the one that is stored: it
    /// moves forward, and back only from an impossible future. Keys that are gone are skipped. A row that is locked
    /// or that cannot be written holds up no other one.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn touch(&self, uses: &[KeyUse]) -> Result<Touched, StoreError>;

    /// What was done to a key, oldest first; empty when there is no such key.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] where [`Abilities::changes`] says so.
    async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, StoreError>;

    /// Removes keys that have been dead for long, with their history, and says how many.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] where [`Abilities::purge`] says so.
    async fn purge(&self, request: &PurgeRequest) -> Result<u64, StoreError>;

    /// Begins to watch for changes that others make, so that a cache stays in step with them.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] where [`Abilities::watch`] says so, or where what this takes is not set up.
    async fn watch(&self) -> Result<Box<dyn ChangeFeed>, StoreError> {
        Err(StoreError::Unsupported("this store cannot be watched for changes"))
    }
}

/// What a store can represent. The conformance suite asks for nothing else.
///
/// ```
/// use keyward::store::Abilities;
///
/// let mut abilities = Abilities::all();
/// abilities.changes = false;
/// assert!(abilities.expiry && !abilities.changes);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "a declaration by authors of stores")]
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
    /// Keys can be changed and switched off after their issue, and every change leaves an entry in a history.
    pub changes: bool,
    /// Keys can be listed and counted by more than their owner.
    pub search: bool,
    /// Dead keys can be removed.
    pub purge: bool,
    /// Changes that others make can be watched for. [`all`](Self::all) leaves it out, as it came later.
    pub watch: bool,
    /// There are replicas on which keys are looked up. [`all`](Self::all) leaves it out, as it came later.
    pub replicas: bool,
}

impl Abilities {
    /// Everything that each store has a method of its own for. Switch off what the store cannot do.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            several_keys_per_owner: true,
            expiry: true,
            rotation_memory: true,
            revocation_time: true,
            revocation_reason: true,
            changes: true,
            search: true,
            purge: true,
            watch: false,
            replicas: false,
        }
    }
}
