//! Requests and answers: forms and documents of a bounded length, in bounded time.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::refusal::refuse;
use crate::broker::OAuthErrorCode;
use crate::http::Rejection;

/// The longest body that is read, in bytes.
const MAX_BODY_LEN: usize = 64 * 1024;
/// How long a client may take to send it.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const JSON: &str = "application/json";

/// The body of a request of this media type, as text.
pub(super) async fn read(headers: &HeaderMap, body: Body, media_type: &str) -> Result<String, Rejection> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let found = types.next().and_then(|found| found.to_str().ok()).unwrap_or_default();
    let essence = found.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(media_type) || types.next().is_some() {
        return Err(refuse(OAuthErrorCode::InvalidRequest, "the body is of another media type"));
    }
    let bytes = match timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_LEN)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(refuse(OAuthErrorCode::InvalidRequest, "the body is too long, or was cut off")),
        Err(_) => {
            let late = refuse(OAuthErrorCode::InvalidRequest, "the body did not come in time");
            return Err(late.with_status(StatusCode::REQUEST_TIMEOUT));
        }
    };
    String::from_utf8(bytes.into())
        .map_err(|_| refuse(OAuthErrorCode::InvalidRequest, "the body is not encoded in UTF-8"))
}

/// A document.
pub(super) fn json(members: Map<String, Value>) -> Response {
    ([(CONTENT_TYPE, JSON)], Value::Object(members).to_string()).into_response()
}

/// A document that no cache keeps (RFC 6749 section 5.1).
pub(super) fn unstored_json(status: StatusCode, members: Map<String, Value>) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], json(members)).into_response()
}
