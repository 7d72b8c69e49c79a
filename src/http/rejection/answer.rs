//! From a rejection to a response.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response};

use super::body::Body;
use super::{Parts, Rejection};

/// Rounded up: whoever comes then is not too early.
pub(in crate::http) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

impl Rejection {
    /// The answer, for any kind of body that is made from a text. It is never to be kept by a cache (`no-store`).
    #[must_use]
    pub fn into_response<B: From<String>>(self) -> Response<B> {
        self.into_response_with(B::from)
    }

    /// The answer, with a body that `body` makes from a text.
    ///
    /// The rejection is an extension of it, for logs and metrics, and for the layer `Protect` (feature `tower`), which
    /// gives it the form that the host wants.
    #[must_use]
    pub fn into_response_with<B>(self, body: impl FnOnce(String) -> B) -> Response<B> {
        let (headers, text) = self.head();
        let mut response = Response::new(body(text));
        *response.status_mut() = self.0.status;
        *response.headers_mut() = headers;
        response.extensions_mut().insert(self);
        response
    }

    /// The headers, and the body's text.
    fn head(&self) -> (HeaderMap, String) {
        let Parts { challenges, retry_after, form, body, .. } = &*self.0;
        let Body { content_type, text } = body.clone().unwrap_or_else(|| Body::of(self, form.unwrap_or_default()));
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        if let Some(retry_after) = retry_after {
            headers.insert(RETRY_AFTER, whole_seconds(*retry_after).into());
        }
        for challenge in challenges {
            headers.append(WWW_AUTHENTICATE, challenge.to_header_value());
        }
        headers.extend(self.0.headers.clone());
        (headers, text)
    }
}
