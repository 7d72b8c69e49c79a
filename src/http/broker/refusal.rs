//! How the endpoints say no: the error codes of OAuth as rejections.

use axum::http::StatusCode;

use crate::broker::{OAuthErrorCode, RegistrationRefusal};
use crate::http::{Challenge, Rejection, RejectionKind};
use crate::service::TokensError;
use crate::visible::Causes;

/// 400 with a registered code (RFC 6749 section 5.2). The description is one of ours, and repeats nothing of the request.
pub(super) fn refuse(code: OAuthErrorCode, description: &'static str) -> Rejection {
    Rejection::new(RejectionKind::BadRequest).with_error(code.as_str()).with_description(description)
}

/// A client that cannot be registered as it describes itself (RFC 7591 section 3.2.2).
pub(super) fn not_registered(refusal: &RegistrationRefusal) -> Rejection {
    refuse(refusal.error_code(), "").with_description(refusal.to_string())
}

/// A refusal of the service: what is the client's fault by its code. Everything else is logged, and is the client's to repeat
/// where that can help.
pub(super) fn refused(error: &TokensError) -> Rejection {
    if let Some(code) = error.error_code() {
        return refuse(code, describe(code));
    }
    tracing::error!(event = "broker.unavailable", error = %Causes(error));
    let (kind, code) = if error.is_outage() {
        (RejectionKind::Unavailable, OAuthErrorCode::TemporarilyUnavailable)
    } else {
        (RejectionKind::Misconfigured, OAuthErrorCode::ServerError)
    };
    Rejection::new(kind).with_error(code.as_str())
}

/// A client that has used the header `Authorization`, and is told by which scheme to do so (RFC 6749 section 5.2).
pub(super) fn challenged(rejection: Rejection) -> Rejection {
    let basic = Challenge::of_scheme("Basic").and_then(|basic| basic.realm("token"));
    let rejection = rejection.with_status(StatusCode::UNAUTHORIZED);
    match basic {
        Ok(basic) => rejection.with_challenge(basic),
        Err(_) => rejection,
    }
}

/// The same for every reason, so that nobody learns which codes, tokens and clients there are.
const fn describe(code: OAuthErrorCode) -> &'static str {
    match code {
        OAuthErrorCode::InvalidClient => "the client is not accepted",
        OAuthErrorCode::InvalidGrant => "the code or the refresh token is not valid",
        OAuthErrorCode::UnauthorizedClient => "the client may not use this kind of grant",
        OAuthErrorCode::InvalidScope => "the scope is malformed, or more than was granted",
        OAuthErrorCode::InvalidTarget => "the resource is not the one that was granted",
        _ => "the request is malformed",
    }
}
