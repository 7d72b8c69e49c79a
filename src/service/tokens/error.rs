//! Errors of [`Tokens`](crate::service::Tokens).

use crate::broker::{AccessRefusal, AuthorizationRefusal, ClientRefusal, CodeRefusal, OAuthErrorCode, RefreshRefusal};
use crate::random::RandomUnavailable;
use crate::seal::OpenError;
use crate::store::StoreError;

/// Why a request of a client was not answered with what it asked for. None of them carries a token, a code or a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The client is unknown, or did not prove that it is this client.
    #[error("the client is not accepted: {0}")]
    Client(ClientRefusal),
    /// No person is asked.
    #[error("the authorization request is refused: {0}")]
    Authorization(AuthorizationRefusal),
    /// The code is not redeemed.
    #[error("the code is refused: {0}")]
    Code(CodeRefusal),
    /// The refresh token is not exchanged.
    #[error("the refresh token is refused: {0}")]
    Refresh(RefreshRefusal),
    /// The client is not registered for this kind of grant.
    #[error("the client is not registered for this kind of grant")]
    UnauthorizedClient,
    /// The scopes are no list of scopes, or more than were asked for.
    #[error("the scopes are malformed, or more than were asked for")]
    InvalidScope,
    /// Secrets are to be stored, and there is no [key](crate::service::TokensBuilder::seal_keys) to seal them with.
    #[error("there are no keys to seal secrets with")]
    NoSealKeys,
    /// A stored secret does not open.
    #[error("a stored secret does not open")]
    Unopened(#[source] OpenError),
    /// A secret is longer than an envelope can hold.
    #[error("a secret is too long to be stored")]
    TooLong,
    /// No code or token was made.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TokensError {
    /// The code that the client is told; `None` for a fault that is not the client's: 503, or 500.
    #[must_use]
    pub const fn error_code(&self) -> Option<OAuthErrorCode> {
        match self {
            Self::Client(_) => Some(OAuthErrorCode::InvalidClient),
            Self::Authorization(AuthorizationRefusal::Redirected(refusal)) => Some(refusal.code),
            Self::Authorization(AuthorizationRefusal::Shown(_)) => Some(OAuthErrorCode::InvalidRequest),
            Self::Code(refusal) => Some(refusal.error_code()),
            Self::Refresh(refusal) => Some(refusal.error_code()),
            Self::UnauthorizedClient => Some(OAuthErrorCode::UnauthorizedClient),
            Self::InvalidScope => Some(OAuthErrorCode::InvalidScope),
            Self::NoSealKeys | Self::Unopened(_) | Self::TooLong | Self::Random(_) | Self::Store(_) => None,
        }
    }

    /// Whether the same call may succeed later: 503. What is neither this nor has an [error code](Self::error_code) is a fault
    /// in how the service is set up: 500.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Random(_) => true,
            Self::Store(error) => error.is_outage(),
            _ => false,
        }
    }
}

/// Why an access token is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// It is not good: 401 `invalid_token` (RFC 6750 section 3.1). Callers are told no more than that.
    #[error("the access token is not valid")]
    Refused(AccessRefusal),
    /// Nobody knows: 503.
    #[error(transparent)]
    Unavailable(StoreError),
}

impl AccessError {
    /// Whether the fault is the store's and not the token's.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
