//! Whether a code is redeemed.

use super::is_within;
use crate::broker::{ClientId, CodeRecord, GrantId, OAuthErrorCode};
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
