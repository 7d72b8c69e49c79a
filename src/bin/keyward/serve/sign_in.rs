//! Who is at the browser, as the proxy in front says.

use axum::http::{HeaderMap, HeaderName};
use keyward::broker::{Subject, SubjectId};
use keyward::http::{BrowserRequest, SignIn, SignInUnavailable};

/// The header in which a proxy says who is signed in. There is no password that could be typed here.
pub(super) struct UserHeader(HeaderName);

impl UserHeader {
    pub(super) const fn new(name: HeaderName) -> Self {
        Self(name)
    }

    /// A header that is there twice was set by somebody else as well, and is not believed.
    fn subject(&self, headers: &HeaderMap) -> Option<Subject> {
        let mut values = headers.get_all(&self.0).iter();
        let user = values.next().filter(|_| values.next().is_none())?;
        SubjectId::new(user.to_str().ok()?).ok().map(Subject::new)
    }
}

#[async_trait::async_trait]
impl SignIn for UserHeader {
    async fn current_subject(&self, request: &BrowserRequest<'_>) -> Result<Option<Subject>, SignInUnavailable> {
        let subject = self.subject(request.headers());
        if subject.is_none() {
            tracing::warn!(event = "person.not_signed_in", header = %self.0, "the proxy in front has to say who is signed in");
        }
        Ok(subject)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_header_is_believed_that_is_there_once_and_can_be_read() {
        let header = UserHeader(HeaderName::from_static("x-user"));
        let subject = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-user", HeaderValue::from_bytes(value).unwrap());
            }
            header.subject(&headers).map(|subject| subject.id.as_str().to_owned())
        };
        assert_eq!(subject(&[b"ada"]), Some("ada".to_owned()));
        let odd: [&[&[u8]]; 6] = [&[], &[b""], &[b"ada", b"ada"], &[b"ada", b"bob"], &[b"\xff"], &[b"a\tb"]];
        for odd in odd {
            assert_eq!(subject(odd), None, "{odd:?}");
        }
    }
}
