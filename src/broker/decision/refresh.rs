//! Whether a refresh token is exchanged.

use super::is_within;
use crate::broker::{ClientId, GrantId, OAuthErrorCode, RefreshTokenRecord, SealedResponse};
use crate::key::Scopes;
use crate::time::Timestamp;

/// What a client presents to exchange a refresh token (RFC 6749 section 6).
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is what the standard has the client present")]
pub struct Refresh<'r> {
    /// The client, authenticated.
    pub client: &'r ClientId,
    /// The scopes of the new access token; `None` for those of the grant.
    pub scopes: Option<&'r Scopes>,
    /// The resource (RFC 8707 section 2.2).
    pub resource: Option<&'r str>,
}

/// What becomes of a refresh token that is accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RefreshVerdict<'r> {
    /// It is exchanged. The new access token has these scopes; the new refresh token keeps those of the grant.
    Exchange(Scopes),
    /// It was exchanged a moment ago, and nobody has used what came of it: the same answer is given again.
    Repeat(&'r SealedResponse),
}

/// Why a refresh token is not exchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshRefusal {
    /// There is no such refresh token.
    #[error("unknown refresh token")]
    Unknown,
    /// It was issued to another client.
    #[error("the refresh token is another client's")]
    OtherClient,
    /// More scopes than were granted.
    #[error("more scopes than were granted")]
    ExcessScope,
    /// The resource is not the one that was granted.
    #[error("another resource than the granted one")]
    OtherResource,
    /// It was exchanged before, so that its whole family has to be revoked (RFC 9700 section 4.14.2).
    #[error("the refresh token was used before")]
    Replayed(GrantId),
    /// Its time is over.
    #[error("expired refresh token")]
    Expired,
    /// It or its grant was revoked, or its client is gone.
    #[error("revoked refresh token")]
    Revoked,
    /// Another request exchanges it, or revokes its grant, at this moment.
    #[error("another request was first")]
    LostRace,
    /// Its row cannot be understood.
    #[error("the refresh token's row is defective")]
    Defective,
}

impl RefreshRefusal {
    /// What the client is told.
    #[must_use]
    pub const fn error_code(&self) -> OAuthErrorCode {
        match self {
            Self::ExcessScope => OAuthErrorCode::InvalidScope,
            Self::OtherResource => OAuthErrorCode::InvalidTarget,
            _ => OAuthErrorCode::InvalidGrant,
        }
    }

    /// For the log.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::OtherClient => "other_client",
            Self::ExcessScope => "excess_scope",
            Self::OtherResource => "other_resource",
            Self::Replayed(_) => "replayed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::LostRace => "lost_race",
            Self::Defective => "defective",
        }
    }
}

/// Whether a refresh token is exchanged.
///
/// # Errors
/// [`RefreshRefusal`].
pub fn decide_refresh<'r>(
    found: Option<&'r RefreshTokenRecord>,
    presented: Refresh<'_>,
    at: Timestamp,
) -> Result<RefreshVerdict<'r>, RefreshRefusal> {
    let token = found.ok_or(RefreshRefusal::Unknown)?;
    if token.client != *presented.client {
        return Err(RefreshRefusal::OtherClient);
    }
    if token.defect.is_some() || token.grant.defect.is_some() {
        return Err(RefreshRefusal::Defective);
    }
    if !token.client_exists || token.grant.revoked.is_some() {
        return Err(RefreshRefusal::Revoked);
    }
    let scopes = match presented.scopes {
        None => Some(token.grant.scopes.clone()),
        Some(asked) if asked.iter().all(|scope| token.grant.scopes.contains(scope)) => Some(asked.clone()),
        Some(_) => None,
    };
    let is_for_resource = is_within(token.grant.resource.as_deref(), presented.resource);
    // Only who has a good token learns from its refusal what was granted, and a spent one is a replay whatever is asked with it.
    if let Some(spent_at) = token.spent_at {
        let response = token.response.as_ref().filter(|response| {
            let is_same_question = is_for_resource && scopes.as_ref() == Some(&response.scopes);
            is_same_question && !token.successor_is_used && is_open(spent_at, response.until, at)
        });
        return match response {
            Some(response) => Ok(RefreshVerdict::Repeat(response)),
            None => Err(RefreshRefusal::Replayed(token.grant.id.clone())),
        };
    }
    if token.revoked_at.is_some() {
        return Err(RefreshRefusal::Revoked);
    }
    if token.expires_at <= at || !token.grant.is_live(at) {
        return Err(RefreshRefusal::Expired);
    }
    let scopes = scopes.ok_or(RefreshRefusal::ExcessScope)?;
    if !is_for_resource {
        return Err(RefreshRefusal::OtherResource);
    }
    Ok(RefreshVerdict::Exchange(scopes))
}

/// Whether a window from `from` to `until` is open. A clock that is behind by more than its length does not open it again.
fn is_open(from: Timestamp, until: Timestamp, at: Timestamp) -> bool {
    let length = until.as_micros().saturating_sub(from.as_micros());
    at < until && at.as_micros().saturating_add(length) >= from.as_micros()
}
