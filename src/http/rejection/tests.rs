//! What each error is answered with, and in which form.

use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use super::*;
use crate::http::BearerError;
use crate::key::{ChangeError, Defect, InvalidText, KeyId, MalformedKey, MissingScope, PrepareError, Refusal};
use crate::random::RandomUnavailable;
use crate::service::KeysError;
use crate::store::{Reference, StoreError};

fn header(response: &Response<String>, name: HeaderName) -> Vec<&str> {
    response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

fn outage() -> StoreError {
    StoreError::Unavailable { backend: "PostgreSQL", source: "password authentication failed for keyward".into() }
}

#[test]
fn credentials_that_are_absent_are_told_from_those_that_are_malformed() {
    for (error, status, challenge) in [
        (BearerError::Missing, 401, "Bearer"),
        (BearerError::OtherScheme, 401, "Bearer"),
        (BearerError::Malformed, 400, "Bearer error=\"invalid_request\", error_description=\""),
        (BearerError::Repeated, 400, "Bearer error=\"invalid_request\", error_description=\""),
    ] {
        let response = Rejection::from(error).into_response::<String>();
        assert_eq!(response.status(), status, "{error:?}");
        let challenges = header(&response, WWW_AUTHENTICATE);
        assert!(matches!(&challenges[..], [one] if one.starts_with(challenge)), "{challenges:?}");
        assert_eq!(challenges[0].contains("error"), !error.is_absence());
    }
}

#[test]
fn every_reason_but_an_outage_looks_the_same_to_the_sender() {
    let reasons = [
        RefusalReason::Malformed(MalformedKey::Empty),
        RefusalReason::Unknown,
        RefusalReason::Revoked,
        RefusalReason::Disabled,
        RefusalReason::TenantDisabled,
        RefusalReason::Expired,
        RefusalReason::OtherEnvironment,
        RefusalReason::Unusable(Defect::new("keys", "expires_at")),
    ];
    let shown = |reason| {
        let response = Rejection::from(Refusal::new(reason)).into_response::<String>();
        assert_eq!(response.extensions().get::<Rejection>().unwrap().refusal_reason(), Some(reason));
        (response.status(), response.headers().clone(), response.into_body())
    };
    for reason in reasons {
        assert_eq!(shown(reason), shown(RefusalReason::Unknown), "{reason:?}");
    }
    let (status, headers, body) = shown(RefusalReason::StoreUnavailable);
    assert_eq!((status, headers.get(WWW_AUTHENTICATE)), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert_eq!(headers[RETRY_AFTER], "5");
    assert_eq!(
        body,
        r#"{"error":"temporarily_unavailable","error_description":"API keys cannot be checked at the moment"}"#
    );
}

#[test]
fn errors_of_management_have_the_status_that_says_what_to_do() {
    let successor = || KeyId::new("k-2").unwrap();
    let prepare = |error| KeysError::from(error);
    for (error, status, code) in [
        (KeysError::NotFound, 404, "not_found"),
        (KeysError::NotUnique, 409, "not_unique"),
        (KeysError::PrefixTooShort { least: 8 }, 400, "prefix_too_short"),
        (KeysError::AlreadyRotated { successor: successor() }, 409, "already_rotated"),
        (KeysError::Changed { version: 7 }, 409, "changed_meanwhile"),
        (ChangeError::Revoked.into(), 422, "unprocessable"),
        (ChangeError::Unusable(Defect::new("keys", "scopes")).into(), 422, "unprocessable"),
        (ChangeError::Rotated { successor: successor() }.into(), 422, "unprocessable"),
        (prepare(PrepareError::ExpiryPassed), 422, "unprocessable"),
        (prepare(PrepareError::NotLive(RefusalReason::Revoked)), 422, "unprocessable"),
        (prepare(PrepareError::AlreadyRotated { successor: successor() }), 409, "already_rotated"),
        (prepare(PrepareError::RandomUnavailable(RandomUnavailable)), 503, "temporarily_unavailable"),
        (StoreError::Missing(Reference::Owner).into(), 404, "not_found"),
        (StoreError::UnknownCursor.into(), 400, "unknown_cursor"),
        (StoreError::Conflict.into(), 409, "conflict"),
        (StoreError::TenantDisabled(Reference::Owner).into(), 409, "tenant_disabled"),
        (StoreError::Unsupported("keys have no history").into(), 501, "unsupported"),
        (outage().into(), 503, "temporarily_unavailable"),
        (StoreError::Suppressed { table: "api_keys" }.into(), 503, "temporarily_unavailable"),
        (StoreError::Interrupted { revoked: 3, source: outage().into() }.into(), 503, "temporarily_unavailable"),
    ] {
        let (said, is_outage) = (format!("{error:?}"), error.is_outage());
        let rejection = Rejection::from(error);
        assert_eq!((rejection.status().as_u16(), rejection.error()), (status, code), "{said}");
        assert!(!is_outage || status == 503, "{said}");
        assert_eq!(rejection.retry_after().is_some(), status == 503, "{said}");
        let response = rejection.into_response::<String>();
        assert!(header(&response, WWW_AUTHENTICATE).is_empty(), "{said}: the credentials were good");
        for secret in ["password", "api_keys", "scopes", "PostgreSQL"] {
            assert!(!response.body().contains(secret), "{}", response.body());
        }
    }
    assert_eq!(Rejection::from(InvalidText::Empty).status(), 422);
    assert_eq!(Rejection::from(MissingScope).status(), 403);
}

#[test]
fn a_body_has_one_of_four_forms_and_is_escaped() {
    let odd = "a \"quoted\" \\ text\n</script>";
    let body = |form| {
        let rejection = Rejection::insufficient_scope(["a", "b"]).with_description(odd).with_form(form);
        let response = rejection.into_response::<String>();
        assert_eq!(header(&response, CACHE_CONTROL), ["no-store"]);
        let content_type = header(&response, CONTENT_TYPE).concat();
        (content_type, response.into_body())
    };
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(body(BodyForm::Empty), (String::new(), String::new()));
    assert_eq!(body(BodyForm::Plain), ("text/plain; charset=utf-8".to_owned(), odd.to_owned()));
    let (content_type, text) = body(BodyForm::Json);
    assert_eq!(content_type, "application/json");
    assert_eq!(parsed(&text), json!({ "error": "insufficient_scope", "error_description": odd, "scope": "a b" }));
    let (content_type, text) = body(BodyForm::Problem);
    assert_eq!(content_type, "application/problem+json");
    let problem = json!({
        "status": 403, "title": "Forbidden", "detail": odd, "error": "insufficient_scope", "scope": "a b"
    });
    assert_eq!(parsed(&text), problem);
}

#[test]
fn seconds_are_rounded_up() {
    for (retry_after, seconds) in [(0, "0"), (1, "1"), (1_000, "1"), (1_001, "2"), (59_999, "60")] {
        let response = Rejection::too_many_requests(Duration::from_millis(retry_after)).into_response::<String>();
        assert_eq!(header(&response, RETRY_AFTER), [seconds]);
        assert_eq!(response.status(), 429);
        assert!(header(&response, WWW_AUTHENTICATE).is_empty());
    }
    let longest = Rejection::too_many_requests(Duration::MAX).into_response::<String>();
    assert_eq!(header(&longest, RETRY_AFTER), [u64::MAX.to_string()]);
}

#[test]
fn several_challenges_are_headers_of_their_own_and_the_host_fills_in_those_of_its_scheme() {
    let basic = Challenge::of_scheme("Basic").unwrap().realm("people").unwrap();
    let rejections = Rejections::new().realm("acme").unwrap().resource_metadata("https://x.example/m").unwrap();
    let rejections = rejections.scopes(["jobs:read"]);
    let rejection = Rejection::new(RejectionKind::NoCredentials).with_challenge(basic);
    let response = rejections.apply(rejection).into_response::<String>();
    let bearer = r#"Bearer realm="acme", scope="jobs:read", resource_metadata="https://x.example/m""#;
    assert_eq!(header(&response, WWW_AUTHENTICATE), [bearer, r#"Basic realm="people""#]);
    // What a route needs counts more than what the host says of all.
    let response = rejections.apply(Rejection::insufficient_scope(["a", "b"])).into_response::<String>();
    assert!(header(&response, WWW_AUTHENTICATE)[0].contains(r#"scope="a b""#));
}

#[test]
fn a_rejection_is_formed_once() {
    let count = |rejection: Rejection| {
        let error = format!("{}!", rejection.error());
        rejection.with_error(error)
    };
    let rejections = Rejections::new().map(count).map(count);
    let once = rejections.apply(Rejection::new(RejectionKind::Conflict));
    assert_eq!(once.error(), "conflict!!");
    assert_eq!(rejections.apply(once).error(), "conflict!!");
}
