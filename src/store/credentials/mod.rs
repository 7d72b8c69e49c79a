//! What a store of credentials promises: [`CredentialStore`], its requests, the in-memory reference, and its suite.

#[cfg(feature = "testkit")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "testkit")))]
pub mod conformance;
mod keyed;
mod memory;
mod requests;

use std::fmt::Debug;

use async_trait::async_trait;

pub use crate::store::sealing::Sealing;
pub use keyed::{KeyedCredentialStore, Standing};
pub use memory::MemoryCredentialStore;
pub use requests::{
    Claim, ClaimRequest, CredentialFilter, CredentialListRequest, MarkRequest, NonceRequest, Over, PutRequest,
    ReleaseRequest, ResealRequest, SaveRequest,
};

use crate::credential::{CredentialHead, CredentialRecord, OAuthSession, SessionError};
use crate::key::OwnerId;
use crate::store::StoreError;

/// Where upstream OAuth credentials live, one for an owner. Authors of stores implement this trait; services call
/// [`Credentials`](crate::service::Credentials).
///
/// A refresh token is good for one use, and whoever sends one has to store what comes back. So a refresh is made of
/// steps, each one conditional statement or one transaction:
///
/// 1. [`claim`](Self::claim) gives one caller, of all processes, a lease and the credential as it is at that moment.
/// 2. [`mark`](Self::mark) says, before the request leaves, that the refresh token is on its way.
/// 3. [`save`](Self::save) stores the new tokens over those that they were bought with, or [`release`](Self::release)
///    says what else became of it.
///
/// What was marked can be claimed again only by a caller who says that it has
/// [decided](ClaimRequest::decided), whatever becomes of the lease.
///
/// - Absence is `Ok(None)`, an empty list or `false`; `Err` means that the store could not answer.
/// - A stored value that cannot be understood becomes the head's [`defect`](CredentialHead::defect); one odd row harms
///   only itself.
/// - A future that is dropped may or may not have taken effect, but never in part.
///
/// The suite in `keyward::store::credentials::conformance` (feature `testkit`) checks an implementation.
#[async_trait]
pub trait CredentialStore: Debug + Send + Sync + 'static {
    /// What the place of a sealed value is called: part of what binds an envelope to this store's rows. It never changes.
    fn schema(&self) -> &'static str;

    /// Who seals the secrets.
    fn sealing(&self) -> Sealing;

    /// Whether the store takes this session for this owner. Asked before a session is stored; one that takes any, unless
    /// overridden.
    ///
    /// # Errors
    /// [`SessionError`] says what is lacking, or that the session is another account's.
    fn accept(&self, owner: &OwnerId, session: &OAuthSession) -> Result<(), SessionError> {
        let _ = (owner, session);
        Ok(())
    }

    /// The credential of an owner.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn get(&self, owner: &OwnerId) -> Result<Option<CredentialRecord>, StoreError>;

    /// Heads that meet a filter, in the order of their owners. No secret is read for it.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn list(&self, request: &CredentialListRequest) -> Result<Vec<CredentialHead>, StoreError>;

    /// Stores a credential that was obtained by an authorization. One that stands there is replaced only where the
    /// request says so; its lease ends, and what is on its way can no longer be saved.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the owner has another one than the request names;
    /// [`StoreError::Missing`] when there is no such owner.
    async fn put(&self, request: &PutRequest) -> Result<(), StoreError>;

    /// Gives the caller alone the right to refresh, where nobody has it and the refresh token is not on its way. The lease
    /// counts the version up. What was sent before, and is claimed by [decision](ClaimRequest::decided), is uncertain from
    /// then on until a new pair is stored: that the second request spent nothing says nothing about the first one.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError>;

    /// Says that the refresh token is about to be sent, if the lease of this version still stands, and lengthens that.
    /// `false` when it does not stand; nothing may be sent then.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer; nothing may be sent then.
    async fn mark(&self, request: &MarkRequest) -> Result<bool, StoreError>;

    /// Stores a new pair over the one that it was bought with, whoever has the lease by now, and ends the lease. `false`
    /// when another pair stands there, or none. Where the session has ended meanwhile, its access token counts as expired
    /// at once: only a refresh can tell whether the server takes the pair.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer; the same call is then repeated.
    async fn save(&self, request: &SaveRequest) -> Result<bool, StoreError>;

    /// Ends the lease of this version and leaves the credential in the given state. `false` when the lease is another's.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn release(&self, request: &ReleaseRequest) -> Result<bool, StoreError>;

    /// Keeps the newest nonces of a pair; of a server that gave none, the one that is known stays. `false` when another
    /// pair stands there.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn note_nonces(&self, request: &NonceRequest) -> Result<bool, StoreError>;

    /// Puts the same secrets in another envelope, if nothing else has changed and nobody has a lease. `false` otherwise.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn reseal(&self, request: &ResealRequest) -> Result<bool, StoreError>;

    /// As [`reseal`](Self::reseal) of each of them, in the order of their owners. A store that can make the changes of
    /// several rows at once is much faster then.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer for one of them; nobody knows then which of them were made.
    async fn reseal_all(&self, requests: &[ResealRequest]) -> Result<Vec<bool>, StoreError> {
        let mut made = Vec::with_capacity(requests.len());
        for request in requests {
            made.push(self.reseal(request).await?);
        }
        Ok(made)
    }

    /// Removes a credential with all its secrets. `false` when there is none.
    ///
    /// # Errors
    /// [`StoreError::Suppressed`] when it is still there afterwards.
    async fn wipe(&self, owner: &OwnerId) -> Result<bool, StoreError>;
}
