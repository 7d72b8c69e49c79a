//! A grant: what one person has allowed one client, to which its code and all its tokens belong.

use std::fmt;

use crate::broker::ClientId;
use crate::key::{Defect, Scopes, text};
use crate::seal::StoredSecret;
use crate::time::Timestamp;

text! {
    /// The identity of a grant: of one consent, and of all tokens that came of it.
    GrantId, at most 64
}

text! {
    /// Who has consented: the `sub` of tokens (RFC 7662 section 2.2). Compared letter for letter.
    SubjectId, at most 255
}

/// Who has consented.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Subject {
    /// The identity.
    pub id: SubjectId,
    /// What people call it, such as a user name. No decision depends on it.
    pub name: Option<String>,
}

impl Subject {
    /// Somebody without a name.
    #[must_use]
    pub const fn new(id: SubjectId) -> Self {
        Self { id, name: None }
    }

    /// The same, with a name.
    #[must_use]
    pub fn with_name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }
}

/// Why a grant was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum GrantRevocationReason {
    /// Its code was presented again (RFC 6749 section 4.1.2).
    CodeReplayed,
    /// A refresh token was presented again (RFC 9700 section 4.14.2).
    RefreshTokenReplayed,
    /// The client has revoked a refresh token (RFC 7009).
    RevokedByClient,
    /// The host or an operator has revoked it.
    Revoked,
    /// Its client was removed.
    ClientRemoved,
}

impl GrantRevocationReason {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::CodeReplayed, Self::RefreshTokenReplayed, Self::RevokedByClient, Self::Revoked, Self::ClientRemoved];

    /// As it is stored and logged.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::CodeReplayed => "code_replayed",
            Self::RefreshTokenReplayed => "refresh_token_replayed",
            Self::RevokedByClient => "revoked_by_client",
            Self::Revoked => "revoked",
            Self::ClientRemoved => "client_removed",
        }
    }

    /// The reason of this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.code() == code)
    }
}

/// The tokens that the host has at a server of its own on behalf of the subject. They are never given to the client.
#[derive(Clone)]
#[non_exhaustive]
pub struct StoredUpstreamTokens {
    /// The access token.
    pub access_token: StoredSecret,
    /// The refresh token, if there is one.
    pub refresh_token: Option<StoredSecret>,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

impl StoredUpstreamTokens {
    /// An access token without a refresh token.
    #[must_use]
    pub const fn new(access_token: StoredSecret, expires_at: Timestamp) -> Self {
        Self { access_token, refresh_token: None, expires_at }
    }
}

impl fmt::Debug for StoredUpstreamTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredUpstreamTokens").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What one person has allowed one client. Revoking it ends its code and every token that came of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Grant {
    /// The identity.
    pub id: GrantId,
    /// The client.
    pub client: ClientId,
    /// The person.
    pub subject: Subject,
    /// What was granted. Tokens have it, or less.
    pub scopes: Scopes,
    /// For which resource (RFC 8707); `None` for whatever the server protects.
    pub resource: Option<String>,
    /// When it was granted.
    pub created_at: Timestamp,
    /// When it ends, however often it is refreshed; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When and why it was revoked.
    pub revoked: Option<(Timestamp, GrantRevocationReason)>,
    /// The host's own tokens on behalf of the subject.
    pub upstream: Option<StoredUpstreamTokens>,
    /// How often the host's own tokens were replaced.
    pub upstream_version: u64,
    /// What of its row cannot be understood. Nothing is issued or accepted on it.
    pub defect: Option<Defect>,
}

impl Grant {
    /// A grant without an end.
    #[must_use]
    pub const fn new(id: GrantId, client: ClientId, subject: Subject, scopes: Scopes, created_at: Timestamp) -> Self {
        Self {
            id,
            client,
            subject,
            scopes,
            resource: None,
            created_at,
            expires_at: None,
            revoked: None,
            upstream: None,
            upstream_version: 0,
            defect: None,
        }
    }

    /// Whether tokens of it can be accepted: it was not revoked, has not ended and can be understood.
    #[must_use]
    pub fn is_live(&self, at: Timestamp) -> bool {
        self.revoked.is_none() && self.defect.is_none() && self.expires_at.is_none_or(|end| at < end)
    }
}
