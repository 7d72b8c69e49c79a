//! What the errors of an authorization server are answered with.

use crate::broker::OAuthErrorCode;
use crate::http::{Rejection, RejectionKind};
use crate::service::{AccessError, TokensError};
use crate::visible::Causes;

/// 503 for an outage; 401 `invalid_token` for every other reason, which the sender does not learn.
impl From<AccessError> for Rejection {
    fn from(error: AccessError) -> Self {
        Self::new(if error.is_outage() { RejectionKind::Unavailable } else { RejectionKind::InvalidToken })
    }
}

/// 400 with its [code](TokensError::error_code) for what a client has done, in the same words for every reason. Of what is
/// no fault of a client, 503 where the same request may succeed later, and 500 where it will not; both are logged.
impl From<&TokensError> for Rejection {
    fn from(error: &TokensError) -> Self {
        if let Some(code) = error.error_code() {
            return Self::new(RejectionKind::BadRequest).with_error(code.as_str()).with_description(describe(code));
        }
        tracing::error!(event = "broker.unavailable", error = %Causes(error));
        let (kind, code) = if error.is_outage() {
            (RejectionKind::Unavailable, OAuthErrorCode::TemporarilyUnavailable)
        } else {
            (RejectionKind::Misconfigured, OAuthErrorCode::ServerError)
        };
        Self::new(kind).with_error(code.as_str())
    }
}

/// As that of a reference.
impl From<TokensError> for Rejection {
    fn from(error: TokensError) -> Self {
        Self::from(&error)
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

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::broker::{AccessRefusal, CodeRefusal};
    use crate::store::StoreError;

    fn shown(rejection: Rejection) -> (u16, String) {
        let response: Response<String> = rejection.into_response();
        (response.status().as_u16(), response.into_body())
    }

    fn outage() -> StoreError {
        StoreError::Unavailable { backend: "PostgreSQL", source: "password authentication failed for keyward".into() }
    }

    #[test]
    fn every_reason_for_the_same_code_looks_the_same() {
        let unknown = shown(TokensError::Code(CodeRefusal::Unknown).into());
        assert_eq!(unknown.0, 400);
        assert!(unknown.1.contains("invalid_grant"), "{}", unknown.1);
        for refusal in
            [CodeRefusal::Expired, CodeRefusal::Revoked, CodeRefusal::OtherClient, CodeRefusal::WrongVerifier]
        {
            assert_eq!(shown(TokensError::Code(refusal.clone()).into()), unknown, "{refusal:?}");
        }
    }

    #[test]
    fn what_is_no_fault_of_the_client_says_only_whether_to_try_again() {
        let (status, body) = shown(TokensError::Store(outage()).into());
        assert_eq!(status, 503);
        assert!(!body.contains("password"), "{body}");
        assert_eq!(shown(TokensError::NoSealKeys.into()).0, 500);
    }

    #[test]
    fn an_outage_is_never_a_bad_token() {
        assert_eq!(shown(AccessError::Unavailable(outage()).into()).0, 503);
        let unknown = shown(AccessError::Refused(AccessRefusal::Unknown).into());
        assert_eq!(unknown.0, 401);
        assert_eq!(shown(AccessError::Refused(AccessRefusal::Expired).into()), unknown);
    }
}
