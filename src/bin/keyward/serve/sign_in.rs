//! Who sits at the browser, as the proxy in front says.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::IntoResponse as _;
use keyward::broker::{AuthorizationRequest, Subject, SubjectId};
use keyward::http::{AskPerson, Asked, BrowserRequest, ConsentPage, SignIn};

/// The header in which a proxy says who is signed in.
#[derive(Clone)]
struct UserHeader(HeaderName);

impl UserHeader {
    /// A header that is there twice was set by somebody else as well, and is not believed.
    fn subject(&self, headers: &HeaderMap) -> Option<Subject> {
        let mut values = headers.get_all(&self.0).iter();
        let user = values.next().filter(|_| values.next().is_none())?;
        SubjectId::new(user.to_str().ok()?).ok().map(Subject::new)
    }
}

#[async_trait::async_trait]
impl SignIn for UserHeader {
    async fn signed_in(&self, request: &BrowserRequest<'_>) -> Option<Subject> {
        self.subject(request.headers())
    }
}

/// The page that asks whoever the proxy has signed in, and nobody else: there is no password that could be typed.
pub(super) struct AskSignedIn {
    header: UserHeader,
    page: ConsentPage<UserHeader>,
}

impl AskSignedIn {
    pub(super) fn new(header: HeaderName) -> Self {
        let header = UserHeader(header);
        Self { page: ConsentPage::new(header.clone()), header }
    }
}

#[async_trait::async_trait]
impl AskPerson for AskSignedIn {
    async fn ask(&self, request: &AuthorizationRequest, from: &BrowserRequest<'_>) -> Asked {
        if self.header.subject(from.headers()).is_some() {
            return self.page.ask(request, from).await;
        }
        tracing::warn!(event = "person.not_signed_in", client = %request.client.id, header = %self.header.0);
        let said =
            "Nobody is signed in: the proxy in front of this server has to sign people in and say who they are.\n";
        Asked::Shown((StatusCode::UNAUTHORIZED, [(CONTENT_TYPE, "text/plain; charset=utf-8")], said).into_response())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_header_is_believed_that_is_there_once_and_can_be_read() {
        let header = UserHeader(HeaderName::from_static("x-user"));
        let subject = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-user", HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            header.subject(&headers).map(|subject| subject.id.as_str().to_owned())
        };
        assert_eq!(subject(&["ada"]), Some("ada".to_owned()));
        for odd in [&[][..], &[""], &["ada", "ada"], &["ada", "bob"], &["zo\u{eb}"], &["a\tb"]] {
            assert_eq!(subject(odd), None, "{odd:?}");
        }
    }
}
