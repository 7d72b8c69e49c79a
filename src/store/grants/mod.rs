//! What a store of grants promises: [`GrantStore`], its requests, and the in-memory reference.

#[cfg(feature = "testkit")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "testkit")))]
pub mod conformance;
mod memory;
mod requests;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

pub use crate::store::sealing::Sealing;
pub use memory::MemoryGrantStore;
pub use requests::{
    ClientListRequest, ExchangeRequest, GrantFilter, GrantListRequest, NewCode, NewTokens, RedeemRequest,
    RevokeGrantRequest, RevokeGrantsRequest, RevokeTokenRequest, SweepRequest, Swept, TokenKind, UpstreamRequest,
};

use crate::broker::{
    AccessTokenRecord, ClientId, ClientRecord, CodeRecord, Grant, GrantId, RefreshTokenRecord, TokenDigest,
};
use crate::store::StoreError;
use crate::time::Timestamp;

/// For how long a code stays after its end: the clock of whoever sweeps may be ahead of that of whoever redeems.
pub(crate) const CODES_STAY: Duration = Duration::from_mins(10);

/// Where an authorization server keeps its clients, grants, codes and tokens. Authors of stores implement this trait;
/// services call [`Tokens`](crate::service::Tokens).
///
/// A store remembers and never decides: the functions in [`broker`](crate::broker) do. What must happen once, happens in one
/// conditional statement or one transaction whose loser learns that it lost.
///
/// - Absence is `Ok(None)`, an empty list or `false`; `Err` means that the store could not answer.
/// - A stored value that cannot be understood becomes the record's `defect`; it is no error, so that one odd row harms only
///   itself. A time that is no whole number of seconds has passed.
/// - Times are kept in whole seconds. Callers ask with whole seconds.
/// - A future that is dropped may or may not have taken effect, but never in part.
///
/// The suite in `keyward::store::grants::conformance` (feature `testkit`) checks an implementation.
#[async_trait]
pub trait GrantStore: Debug + Send + Sync + 'static {
    /// Who seals the host's own tokens: the service, or nobody, where the tables are shared with a program that reads them
    /// in clear.
    fn sealing(&self) -> Sealing;

    /// The client of this identifier.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn client(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError>;

    /// Clients in the order of their identifiers.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn clients(&self, request: &ClientListRequest) -> Result<Vec<ClientRecord>, StoreError>;

    /// Adds a client, and never overwrites one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the identifier is taken.
    async fn register(&self, client: &ClientRecord) -> Result<(), StoreError>;

    /// Puts what a client says of itself now in the place of what it said before, if it is still the one with this identifier,
    /// this secret and this time of registration. When it was last used stays as it is stored. `false` when there is none
    /// such.
    ///
    /// # Errors
    /// [`StoreError::Suppressed`] when it still says what it said before.
    async fn update_client(&self, client: &ClientRecord) -> Result<bool, StoreError>;

    /// Notes that a client had a code or a token. It moves forward only; a client that is gone is skipped.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn note_client_use(&self, id: &ClientId, at: Timestamp) -> Result<(), StoreError>;

    /// Removes a client, and with it its codes and tokens. `false` when there is none.
    ///
    /// # Errors
    /// [`StoreError::Suppressed`] when it is still there afterwards.
    async fn remove_client(&self, id: &ClientId, at: Timestamp) -> Result<bool, StoreError>;

    /// Adds a code and the grant that it is for: both, or neither.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the client is gone; [`StoreError::Conflict`] when the digest or the grant is taken.
    async fn add_code(&self, code: &NewCode) -> Result<(), StoreError>;

    /// The code of this digest, redeemed or not, for as long as its grant is remembered.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn code(&self, digest: &TokenDigest) -> Result<Option<CodeRecord>, StoreError>;

    /// Marks a code as redeemed and adds the tokens that it was exchanged for, if nobody has redeemed it and its grant was
    /// not revoked: both, or neither. `false` when somebody was first.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the client is gone; [`StoreError::Conflict`] when the digest of a token is taken.
    async fn redeem(&self, request: &RedeemRequest) -> Result<bool, StoreError>;

    /// The refresh token of this digest, spent or not, for as long as its grant is remembered.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn refresh_token(&self, digest: &TokenDigest) -> Result<Option<RefreshTokenRecord>, StoreError>;

    /// Spends a refresh token, ends the access tokens of its grant where the request says so, adds the successors, and keeps
    /// the answer: all of it, if nobody has spent or revoked the token and its grant was not revoked, or nothing. `false` when
    /// somebody was first.
    ///
    /// An answer is gone as soon as somebody uses a token in it, presenting the one or exchanging the other, with the
    /// revocation of its grant, and with the first sweep after its time: whoever has an old refresh token and a copy of the
    /// store could open it, and with the refresh token in it the next one.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the client is gone; [`StoreError::Conflict`] when the digest of a token is taken.
    async fn exchange(&self, request: &ExchangeRequest) -> Result<bool, StoreError>;

    /// The access token of this digest.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn access_token(&self, digest: &TokenDigest) -> Result<Option<AccessTokenRecord>, StoreError>;

    /// Notes that an access token was presented, if that was not noted before, and forgets the answer that it came in.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn note_first_use(&self, digest: &TokenDigest, at: Timestamp) -> Result<(), StoreError>;

    /// Revokes one token by itself; the rest of its grant stays. With a refresh token that belongs to no stored grant goes the
    /// access token that it came with. `false` when there is none, or it was spent or revoked, by
    /// itself or with its grant.
    ///
    /// # Errors
    /// [`StoreError::Suppressed`] when it is not revoked afterwards.
    async fn revoke_token(&self, request: &RevokeTokenRequest) -> Result<bool, StoreError>;

    /// Revokes a grant with its code and every token of it, and keeps the first time and reason. `false` when there is none
    /// or it was revoked before.
    ///
    /// # Errors
    /// [`StoreError::Suppressed`] when it is not revoked afterwards.
    async fn revoke_grant(&self, request: &RevokeGrantRequest) -> Result<bool, StoreError>;

    /// Revokes at most so many of the grants that meet the filter, and tokens of theirs that belong to no stored grant.
    /// Returns how many grants it revoked: fewer than the limit when no more are left.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn revoke_grants(&self, request: &RevokeGrantsRequest) -> Result<u64, StoreError>;

    /// The grant of this identity.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, StoreError>;

    /// Grants that meet a filter, in the order of their identities.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn grants(&self, request: &GrantListRequest) -> Result<Vec<Grant>, StoreError>;

    /// Puts the host's own new tokens in the place of those that were read. `false` when somebody was first, or the grant is
    /// gone.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn replace_upstream(&self, request: &UpstreamRequest) -> Result<bool, StoreError>;

    /// Removes what nobody can use any more, at most so many rows of each kind in one transaction. A refresh token that is
    /// good stays, with the access token that it refers to, however long that has been dead; so does what is needed to
    /// recognise a replay, for as long as a token of the grant is good. A code may stay for some minutes after its end, as the
    /// clock of whoever sweeps may be ahead.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn sweep(&self, request: &SweepRequest) -> Result<Swept, StoreError>;
}
