//! How the endpoints say no: the error codes of OAuth as rejections.

use axum::http::StatusCode;

use crate::broker::{OAuthErrorCode, RegistrationRefusal};
use crate::http::{Challenge, Rejection, RejectionKind};

/// 400 with a registered code (RFC 6749 section 5.2). The description is one of ours, and repeats nothing of the request.
pub(super) fn refuse(code: OAuthErrorCode, description: &'static str) -> Rejection {
    Rejection::new(RejectionKind::BadRequest).with_error(code.as_str()).with_description(description)
}

/// A client that cannot be registered as it describes itself (RFC 7591 section 3.2.2).
pub(super) fn not_registered(refusal: &RegistrationRefusal) -> Rejection {
    refuse(refusal.error_code(), "").with_description(refusal.to_string())
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
