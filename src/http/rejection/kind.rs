//! The kinds of rejection, with the status and the code of each.

use http::StatusCode;

/// What a request is rejected for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// It presents no credentials of a scheme that is accepted: 401 (RFC 6750 section 3.1).
    NoCredentials,
    /// It does not present its credentials as it should: 400 (RFC 6750 section 3.1).
    InvalidRequest,
    /// Its credentials are not accepted: 401 (RFC 6750 section 3.1).
    InvalidToken,
    /// Its credentials are good and lack a scope: 403 (RFC 6750 section 3.1).
    InsufficientScope,
    /// Its credentials are good and do not permit this, for another reason than a scope: 403.
    Forbidden,
    /// What it is about does not exist, or belongs to somebody else: 404.
    NotFound,
    /// Something else happened first, or stands in the way: 409.
    Conflict,
    /// It cannot be understood: 400.
    BadRequest,
    /// It can be understood, and not be done: 422.
    Unprocessable,
    /// There were too many of its kind: 429 (RFC 6585 section 4).
    TooManyRequests,
    /// What it takes is out of reach; the same request may succeed later: 503.
    Unavailable,
    /// It asks for what this service does not keep: 501.
    Unsupported,
    /// The service is not set up as it should be: 500.
    Misconfigured,
}

impl RejectionKind {
    /// The status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NoCredentials | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InvalidRequest | Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::InsufficientScope | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The kind in one `snake_case` word, for bodies, logs and metrics. Where a standard of OAuth has a word for it, it
    /// is that one.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::BadRequest => "bad_request",
            Self::Unprocessable => "unprocessable",
            Self::TooManyRequests => "too_many_requests",
            Self::Unavailable => "temporarily_unavailable",
            Self::Unsupported => "unsupported",
            Self::Misconfigured => "server_error",
        }
    }

    /// What a caller reads unless there is something better to say.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::NoCredentials => "no credentials were presented",
            Self::InvalidRequest => "the credentials are not presented as they should be",
            Self::InvalidToken => "the credentials are not valid",
            Self::InsufficientScope => "the credentials do not hold the required scope",
            Self::Forbidden => "the credentials do not permit this",
            Self::NotFound => "there is no such thing",
            Self::Conflict => "the request conflicts with something that exists or happened first",
            Self::BadRequest => "the request cannot be understood",
            Self::Unprocessable => "the request cannot be carried out",
            Self::TooManyRequests => "there were too many requests",
            Self::Unavailable => "the service cannot answer at the moment",
            Self::Unsupported => "the service does not support this",
            Self::Misconfigured => "the service is not set up as it should be",
        }
    }
}
