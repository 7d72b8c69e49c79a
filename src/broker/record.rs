//! What a store keeps of codes and tokens.

use crate::broker::{ClientId, CodeChallenge, Grant, StoredUpstreamTokens, Subject, TokenDigest};
use crate::key::{Defect, Scopes};
use crate::seal::Sealed;
use crate::time::Timestamp;

/// An authorization code, with the grant that was made for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodeRecord {
    /// What the code must digest to.
    pub digest: TokenDigest,
    /// What it was granted for.
    pub grant: Grant,
    /// Where it was sent, letter for letter as it was asked for.
    pub redirect_uri: String,
    /// Which verifier redeems it; `None` where the row holds none that can be met.
    pub challenge: Option<CodeChallenge>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was redeemed.
    pub spent_at: Option<Timestamp>,
    /// What of its row cannot be understood. Such a code is not redeemed.
    pub defect: Option<Defect>,
}

impl CodeRecord {
    /// A code that nobody has redeemed.
    #[must_use]
    pub const fn new(
        digest: TokenDigest,
        grant: Grant,
        redirect_uri: String,
        challenge: CodeChallenge,
        expires_at: Timestamp,
    ) -> Self {
        Self { digest, grant, redirect_uri, challenge: Some(challenge), expires_at, spent_at: None, defect: None }
    }
}

/// An access token. What its grant does not say, because it was made before there were grants, its own row says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccessTokenRecord {
    /// What the token must digest to.
    pub digest: TokenDigest,
    /// Its client.
    pub client: ClientId,
    /// Whether that client is still registered.
    pub client_exists: bool,
    /// On whose behalf.
    pub subject: Subject,
    /// What it permits.
    pub scopes: Scopes,
    /// The grant that it came of; `None` for one that another program has made in the same tables.
    pub grant: Option<Grant>,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked by itself.
    pub revoked_at: Option<Timestamp>,
    /// When it was first presented, as far as that was noted.
    pub used_at: Option<Timestamp>,
    /// The host's own tokens, of the grant or, where there is none, of the token's own row.
    pub upstream: Option<StoredUpstreamTokens>,
    /// What of its row cannot be understood. Such a token is not accepted.
    pub defect: Option<Defect>,
}

impl AccessTokenRecord {
    /// An access token of a grant, with all its scopes, that nobody has used.
    #[must_use]
    pub fn new(digest: TokenDigest, grant: Grant, created_at: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            digest,
            client: grant.client.clone(),
            client_exists: true,
            subject: grant.subject.clone(),
            scopes: grant.scopes.clone(),
            upstream: grant.upstream.clone(),
            grant: Some(grant),
            created_at,
            expires_at,
            revoked_at: None,
            used_at: None,
            defect: None,
        }
    }
}

/// A refresh token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RefreshTokenRecord {
    /// What the token must digest to.
    pub digest: TokenDigest,
    /// Its client.
    pub client: ClientId,
    /// Whether that client is still registered.
    pub client_exists: bool,
    /// The grant that it came of. For one that another program has made in the same tables, a grant that is stored with
    /// the first rotation.
    pub grant: Grant,
    /// Whether the grant is stored.
    pub grant_is_stored: bool,
    /// When it ends, if it is not used before.
    pub expires_at: Timestamp,
    /// When it was revoked by itself.
    pub revoked_at: Option<Timestamp>,
    /// When it was exchanged for a successor.
    pub spent_at: Option<Timestamp>,
    /// The answer that was given then, for as long as it may be given again.
    pub response: Option<SealedResponse>,
    /// Whether somebody has used a token of that answer.
    pub successor_is_used: bool,
    /// What of its row cannot be understood. Such a token is not exchanged.
    pub defect: Option<Defect>,
}

impl RefreshTokenRecord {
    /// A refresh token of a stored grant that nobody has spent.
    #[must_use]
    pub fn new(digest: TokenDigest, grant: Grant, expires_at: Timestamp) -> Self {
        Self {
            digest,
            client: grant.client.clone(),
            client_exists: true,
            grant,
            grant_is_stored: true,
            expires_at,
            revoked_at: None,
            spent_at: None,
            response: None,
            successor_is_used: false,
            defect: None,
        }
    }
}

/// The answer to an exchange, sealed under a key that only the spent refresh token gives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SealedResponse {
    /// The envelope.
    pub sealed: Sealed,
    /// Until when it may be given again.
    pub until: Timestamp,
    /// When the access token in it ends.
    pub access_expires_at: Timestamp,
    /// What that permits.
    pub scopes: Scopes,
}

impl SealedResponse {
    /// An answer that may be given again until `until`.
    #[must_use]
    pub const fn new(sealed: Sealed, until: Timestamp, access_expires_at: Timestamp, scopes: Scopes) -> Self {
        Self { sealed, until, access_expires_at, scopes }
    }
}
