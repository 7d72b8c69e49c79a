//! The error codes of OAuth, each once.

/// What went wrong, in the codes that are registered (RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1, RFC 7591
/// section 3.2.2, RFC 8707 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OAuthErrorCode {
    /// A parameter is missing, repeated or malformed.
    InvalidRequest,
    /// The client is unknown, or did not prove that it is this client.
    InvalidClient,
    /// The code or refresh token is unknown, spent, expired or revoked, or belongs to another client.
    InvalidGrant,
    /// The client may not use this kind of grant.
    UnauthorizedClient,
    /// The server does not have this kind of grant.
    UnsupportedGrantType,
    /// The server answers with codes only.
    UnsupportedResponseType,
    /// The scope is unknown, or more than was granted.
    InvalidScope,
    /// The resource is none of the server's, or none that was granted.
    InvalidTarget,
    /// The person has said no.
    AccessDenied,
    /// The server could not answer; the same request may succeed later.
    TemporarilyUnavailable,
    /// The server is not set up as it should be.
    ServerError,
    /// The access token is unknown, expired or revoked, or is meant for another resource.
    InvalidToken,
    /// The access token does not permit it.
    InsufficientScope,
    /// A redirect URI cannot be registered.
    InvalidRedirectUri,
    /// What the client says of itself cannot be registered.
    InvalidClientMetadata,
}

impl OAuthErrorCode {
    /// The code, as it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
        }
    }
}

impl std::fmt::Display for OAuthErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
