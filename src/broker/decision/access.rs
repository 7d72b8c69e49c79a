//! Whether an access token is accepted.

use std::sync::Arc;

use super::is_within;
use crate::broker::{AccessTokenRecord, ClientId, StoredUpstreamTokens, Subject};
use crate::key::{MissingScope, PermitsScope, ScopePolicy, Scopes};
use crate::time::Timestamp;

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
