//! What a store of credentials is asked. All of it can grow without breaking a store.

use crate::credential::{CredentialRecord, CredentialState, Nonces, StoredSecrets};
use crate::key::{OwnerId, Scopes};
use crate::seal::SealKeyId;
use crate::time::Timestamp;

/// A credential to be stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PutRequest {
    /// The credential. The store counts its version and generation up from those that stand there, or begins with
    /// [`first_version`](Self::first_version).
    pub record: CredentialRecord,
    /// What may stand there before.
    pub over: Over,
    /// When.
    pub at: Timestamp,
}

/// What a new credential may replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Over {
    /// Nothing: the owner must have none.
    Nothing,
    /// The pair of this generation.
    Generation(u64),
    /// Whatever there is.
    Anything,
}

impl PutRequest {
    /// The credential of an owner who has none.
    #[must_use]
    pub const fn new(record: CredentialRecord, at: Timestamp) -> Self {
        Self { record, over: Over::Nothing, at }
    }

    /// Instead of what `over` says.
    #[must_use]
    pub fn over(self, over: Over) -> Self {
        Self { over, ..self }
    }

    /// The version and the generation of a credential where none stood before: the time in microseconds, so that they are
    /// higher than those of one that was wiped meanwhile. What is still on its way for that one is then of no version and no
    /// generation that stands there.
    #[must_use]
    pub fn first_version(&self) -> u64 {
        u64::try_from(self.at.as_micros()).unwrap_or_default().max(1)
    }
}

/// The wish to refresh.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClaimRequest {
    /// Whose credential.
    pub owner: OwnerId,
    /// When.
    pub at: Timestamp,
    /// Until when nobody else may.
    pub until: Timestamp,
    /// Also where the refresh token was sent before and no lease covers it, if the credential still has this version:
    /// somebody has seen it and decided to send it once more. A decision is good for what was seen, and for no later loss.
    pub decided: Option<u64>,
}

impl ClaimRequest {
    /// The lease of an owner's credential from one instant to another.
    #[must_use]
    pub const fn new(owner: OwnerId, at: Timestamp, until: Timestamp) -> Self {
        Self { owner, at, until, decided: None }
    }

    /// Also where the refresh token of a credential with this version was sent before: see [`ClaimRequest::decided`].
    #[must_use]
    pub fn decided(self, version: u64) -> Self {
        Self { decided: Some(version), ..self }
    }
}

/// What became of a [`ClaimRequest`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Claim {
    /// The caller has the lease. The credential is as it is now, under the lease.
    Won(Box<CredentialRecord>),
    /// Somebody else has it, or the credential is not one to be refreshed. It is as it is now.
    Lost(Box<CredentialRecord>),
    /// There is no credential.
    Gone,
}

/// Word that the refresh token is about to be sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MarkRequest {
    /// Whose credential.
    pub owner: OwnerId,
    /// The version that the lease gave.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// Until when an answer can be expected: so long the lease goes from now on.
    pub until: Timestamp,
}

impl MarkRequest {
    /// Under the lease of this version, from one instant to another.
    #[must_use]
    pub const fn new(owner: OwnerId, version: u64, at: Timestamp, until: Timestamp) -> Self {
        Self { owner, version, at, until }
    }
}

/// A new pair of tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SaveRequest {
    /// Whose credential.
    pub owner: OwnerId,
    /// The generation of the pair that it was bought with.
    pub generation: u64,
    /// The new secrets. A DPoP key stays as it is.
    pub secrets: StoredSecrets,
    /// When the access token expires.
    pub expires_at: Option<Timestamp>,
    /// What is granted now, where the server says so.
    pub scopes: Option<Scopes>,
    /// What the servers gave last.
    pub nonces: Nonces,
    /// When.
    pub at: Timestamp,
}

impl SaveRequest {
    /// The pair that was bought with the one of this generation.
    #[must_use]
    pub fn new(owner: OwnerId, generation: u64, secrets: StoredSecrets, at: Timestamp) -> Self {
        Self { owner, generation, secrets, expires_at: None, scopes: None, nonces: Nonces::default(), at }
    }
}

/// The end of a lease without new tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReleaseRequest {
    /// Whose credential.
    pub owner: OwnerId,
    /// The version that the lease gave.
    pub version: u64,
    /// What is known of the refresh token now.
    pub state: CredentialState,
    /// What the servers gave last.
    pub nonces: Nonces,
}

impl ReleaseRequest {
    /// The lease of this version ends, and the credential is in this state.
    #[must_use]
    pub fn new(owner: OwnerId, version: u64, state: CredentialState) -> Self {
        Self { owner, version, state, nonces: Nonces::default() }
    }
}

/// Nonces that came with answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NonceRequest {
    /// Whose credential.
    pub owner: OwnerId,
    /// The generation of the pair that they came with.
    pub generation: u64,
    /// Those that came.
    pub nonces: Nonces,
}

impl NonceRequest {
    /// These came with the pair of this generation.
    #[must_use]
    pub const fn new(owner: OwnerId, generation: u64, nonces: Nonces) -> Self {
        Self { owner, generation, nonces }
    }
}

/// The same secrets in other envelopes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ResealRequest {
    /// Whose credential.
    pub owner: OwnerId,
    /// The version that was read.
    pub version: u64,
    /// The generation that was read.
    pub generation: u64,
    /// All secrets that were read, in their new envelopes.
    pub secrets: StoredSecrets,
    /// When.
    pub at: Timestamp,
}

impl ResealRequest {
    /// These envelopes instead of those that were read with this version and generation.
    #[must_use]
    pub const fn new(owner: OwnerId, version: u64, generation: u64, secrets: StoredSecrets, at: Timestamp) -> Self {
        Self { owner, version, generation, secrets, at }
    }
}

/// Which credentials to list.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CredentialFilter {
    /// Only those with a refresh token whose access token expires by then, or at a time that nobody knows, and that no
    /// authorization has to come before.
    pub due_by: Option<Timestamp>,
    /// Only those with an envelope that was not sealed with this key.
    pub not_sealed_with: Option<SealKeyId>,
}

/// A page of credentials.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CredentialListRequest {
    /// Which.
    pub filter: CredentialFilter,
    /// Behind which owner the page starts, whether or not that one has a credential.
    pub after: Option<OwnerId>,
    /// How many at most.
    pub limit: u32,
}

impl CredentialListRequest {
    /// The first page of so many.
    #[must_use]
    pub const fn new(filter: CredentialFilter, limit: u32) -> Self {
        Self { filter, after: None, limit }
    }

    /// The page behind this owner.
    #[must_use]
    pub fn after(self, owner: Option<OwnerId>) -> Self {
        Self { after: owner, ..self }
    }
}
