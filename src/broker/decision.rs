//! The decisions about codes and tokens: pure functions of what a store has found, what is presented, and the time.
//!
//! Each validates first. What is wrong in a request spends nothing and revokes nothing: only a code or refresh token that is
//! presented again by the client that holds it, with all that belongs to it, is a replay.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::broker::{
    AccessTokenRecord, ClientId, CodeRecord, GrantId, OAuthErrorCode, RefreshTokenRecord, SealedResponse,
    StoredUpstreamTokens, Subject,
};
use crate::key::{MissingScope, PermitsScope, ScopePolicy, Scopes};
use crate::time::Timestamp;

/// What a client presents to redeem a code (RFC 6749 section 4.1.3).
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is what the standard has the client present")]
pub struct Redemption<'r> {
    /// The client, authenticated.
    pub client: &'r ClientId,
    /// The redirect URI of the authorization request.
    pub redirect_uri: Option<&'r str>,
    /// The code verifier (RFC 7636 section 4.5).
    pub verifier: Option<&'r str>,
    /// The resource (RFC 8707 section 2.2).
    pub resource: Option<&'r str>,
}

/// Why a code is not redeemed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeRefusal {
    /// There is no such code.
    #[error("unknown code")]
    Unknown,
    /// It was issued to another client.
    #[error("the code is another client's")]
    OtherClient,
    /// It was sent to another redirect URI.
    #[error("the code was sent to another redirect URI")]
    OtherRedirectUri,
    /// There is no verifier, or it is not the one of the challenge.
    #[error("the verifier does not meet the challenge")]
    WrongVerifier,
    /// The resource is not the one that was granted.
    #[error("another resource than the granted one")]
    OtherResource,
    /// It was redeemed before, so that everything that came of it has to be revoked (RFC 6749 section 4.1.2).
    #[error("the code was redeemed before")]
    Replayed(GrantId),
    /// Its time is over.
    #[error("expired code")]
    Expired,
    /// Its grant was revoked.
    #[error("revoked grant")]
    Revoked,
    /// Another request redeems it, or revokes its grant, at this moment.
    #[error("another request was first")]
    LostRace,
    /// Its row cannot be understood.
    #[error("the code's row is defective")]
    Defective,
}

impl CodeRefusal {
    /// What the client is told.
    #[must_use]
    pub const fn error_code(&self) -> OAuthErrorCode {
        match self {
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
            Self::OtherRedirectUri => "other_redirect_uri",
            Self::WrongVerifier => "wrong_verifier",
            Self::OtherResource => "other_resource",
            Self::Replayed(_) => "replayed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::LostRace => "lost_race",
            Self::Defective => "defective",
        }
    }
}

/// Whether a code is redeemed.
///
/// # Errors
/// [`CodeRefusal`].
pub fn decide_redemption(
    found: Option<&CodeRecord>,
    presented: Redemption<'_>,
    at: Timestamp,
) -> Result<(), CodeRefusal> {
    let code = found.ok_or(CodeRefusal::Unknown)?;
    if code.grant.client != *presented.client {
        return Err(CodeRefusal::OtherClient);
    }
    if code.defect.is_some() || code.grant.defect.is_some() {
        return Err(CodeRefusal::Defective);
    }
    if presented.redirect_uri != Some(code.redirect_uri.as_str()) {
        return Err(CodeRefusal::OtherRedirectUri);
    }
    let is_met = |verifier| code.challenge.as_ref().is_some_and(|challenge| challenge.is_met_by(verifier));
    if !presented.verifier.is_some_and(is_met) {
        return Err(CodeRefusal::WrongVerifier);
    }
    if !is_within(code.grant.resource.as_deref(), presented.resource) {
        return Err(CodeRefusal::OtherResource);
    }
    if code.spent_at.is_some() {
        return Err(CodeRefusal::Replayed(code.grant.id.clone()));
    }
    if code.grant.revoked.is_some() {
        return Err(CodeRefusal::Revoked);
    }
    if code.expires_at <= at || !code.grant.is_live(at) {
        return Err(CodeRefusal::Expired);
    }
    Ok(())
}

/// Whether what was granted extends to the resource that is asked for. One that names none is for all of the server's, and
/// who asks for none asks for what was granted.
fn is_within(granted: Option<&str>, asked: Option<&str>) -> bool {
    granted.zip(asked).is_none_or(|(granted, asked)| granted == asked)
}

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

/// Proof that an access token was good when it was presented. Only [`decide_access`] makes one.
///
/// ```compile_fail
/// # use std::sync::Arc;
/// # use keyward::broker::{AccessTokenRecord, Principal};
/// # fn forge(record: Arc<AccessTokenRecord>) -> Principal {
/// Principal(record) // the constructor is private
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Principal(Arc<AccessTokenRecord>);

impl Principal {
    /// The client that presented the token.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        &self.0.client
    }

    /// On whose behalf.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.0.subject
    }

    /// What the token permits.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// When the token ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }

    /// For which resource it was granted (RFC 8707).
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.0.grant.as_ref().and_then(|grant| grant.resource.as_deref())
    }

    /// The host's own tokens on behalf of the subject, as they are stored.
    #[must_use]
    pub fn upstream(&self) -> Option<&StoredUpstreamTokens> {
        self.0.upstream.as_ref()
    }

    /// The whole record.
    #[must_use]
    pub const fn record(&self) -> &Arc<AccessTokenRecord> {
        &self.0
    }
}

impl PermitsScope for Principal {
    fn permits_scope(&self, scope: &str, policy: ScopePolicy) -> Result<(), MissingScope> {
        self.0.scopes.permit(scope, policy)
    }
}

/// Why an access token is not accepted. All are `invalid_token` (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessRefusal {
    /// There is no such access token.
    #[error("unknown access token")]
    Unknown,
    /// Its time is over.
    #[error("expired access token")]
    Expired,
    /// It or its grant was revoked, or its client is gone.
    #[error("revoked access token")]
    Revoked,
    /// It is meant for another resource.
    #[error("the access token is for another resource")]
    OtherResource,
    /// Its row cannot be understood.
    #[error("the access token's row is defective")]
    Defective,
}

impl AccessRefusal {
    /// For the log.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::OtherResource => "other_resource",
            Self::Defective => "defective",
        }
    }
}

/// Whether an access token is accepted at `resource`; `None` where any will do. One whose grant names no resource is good
/// for all of the server's.
///
/// # Errors
/// [`AccessRefusal`].
pub fn decide_access(
    found: Option<AccessTokenRecord>,
    resource: Option<&str>,
    at: Timestamp,
) -> Result<Principal, AccessRefusal> {
    let token = found.ok_or(AccessRefusal::Unknown)?;
    let grant = token.grant.as_ref();
    if token.defect.is_some() || grant.is_some_and(|grant| grant.defect.is_some()) {
        return Err(AccessRefusal::Defective);
    }
    if token.revoked_at.is_some() || !token.client_exists || grant.is_some_and(|grant| grant.revoked.is_some()) {
        return Err(AccessRefusal::Revoked);
    }
    if token.expires_at <= at || grant.is_some_and(|grant| !grant.is_live(at)) {
        return Err(AccessRefusal::Expired);
    }
    if !is_within(grant.and_then(|grant| grant.resource.as_deref()), resource) {
        return Err(AccessRefusal::OtherResource);
    }
    Ok(Principal(Arc::new(token)))
}
