//! Asking a person: what the host decides, and what it is told for that.

use std::fmt;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;

use crate::broker::{AuthorizationRequest, Parameters};
use crate::service::Approval;

/// What a browser has sent to the authorization endpoint.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct BrowserRequest<'r> {
    pub(super) uri: &'r Uri,
    pub(super) headers: &'r HeaderMap,
    pub(super) form: Option<&'r Parameters<'r>>,
    pub(super) is_https: bool,
}

impl<'r> BrowserRequest<'r> {
    /// A request as the endpoint would make it, for tests of a host's own [`Consent`] and
    /// [`SignIn`](crate::http::SignIn).
    #[must_use]
    pub const fn new(uri: &'r Uri, headers: &'r HeaderMap) -> Self {
        Self { uri, headers, form: None, is_https: true }
    }

    /// The same, with the form that a page has sent back.
    #[must_use]
    pub const fn with_form(self, form: &'r Parameters<'r>) -> Self {
        Self { form: Some(form), ..self }
    }

    /// The headers, cookies among them.
    #[must_use]
    pub const fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// The path and the query, which is the authorization request: whoever sends the browser somewhere else to sign in,
    /// sends it back to this.
    #[must_use]
    pub const fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// The query, as the client has written it.
    #[must_use]
    pub fn query(&self) -> &'r str {
        self.uri.query().unwrap_or_default()
    }

    /// The form that a page has sent back; `None` when the person comes from the client.
    #[must_use]
    pub const fn form(&self) -> Option<&'r Parameters<'r>> {
        self.form
    }

    /// Whether browsers come by `https`.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// The value of a cookie. Of several of one name, none is taken.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'r str> {
        let headers = self.headers.get_all(COOKIE).into_iter();
        let pairs = headers.filter_map(|header| header.to_str().ok()).flat_map(|header| header.split(';'));
        let mut values = pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    }
}

/// The path and the names of fields: headers are cookies and sessions, and the query and the form have what is nobody else's.
impl fmt::Debug for BrowserRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserRequest")
            .field("path", &self.uri.path())
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// What became of asking.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConsentOutcome {
    /// The person has said yes.
    Approved(Box<Approval>),
    /// The person has said no.
    Denied,
    /// There is something to be seen or done first: a page, or a way to where the person signs in.
    Respond(Response),
    /// Nobody can be asked at the moment: the client is told to try again later.
    Unavailable,
}

/// Asks whoever sits at the browser. [`ConsentPage`](crate::http::ConsentPage) is the one that is built in; a host with
/// pages of its own implements this.
///
/// It is asked once for each request to the authorization endpoint that is in order. Whatever it does to find out who the
/// person is and what they want, it has to show which client asks, and where the answer goes: anybody can register under
/// any name. What comes back in a form has to come from the browser that was shown the page.
#[async_trait::async_trait]
pub trait Consent: Send + Sync + 'static {
    /// Asks for this request.
    async fn ask(&self, request: &AuthorizationRequest, from: &BrowserRequest<'_>) -> ConsentOutcome;
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn nothing_that_a_browser_keeps_for_itself_is_printed() {
        let uri = Uri::from_static("/authorize?state=a-state");
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static("session=a-session"))]);
        let form = Parameters::parse("password=a-password");
        let request = BrowserRequest { uri: &uri, headers: &headers, form: Some(&form), is_https: true };
        let shown = format!("{request:?}");
        assert_eq!(shown, r#"BrowserRequest { path: "/authorize", form: Some({"password"}), .. }"#);
        assert_eq!(request.cookie("session"), Some("a-session"));
    }

    #[test]
    fn of_two_cookies_of_one_name_none_is_taken() {
        let uri = Uri::from_static("/");
        let cookie = |values: &[&'static str]| {
            let headers: HeaderMap = values.iter().map(|value| (COOKIE, HeaderValue::from_static(value))).collect();
            let request = BrowserRequest { uri: &uri, headers: &headers, form: None, is_https: true };
            request.cookie("a").map(str::to_owned)
        };
        assert_eq!(cookie(&["b=2; a=1 ; c"]).as_deref(), Some("1"));
        for values in [&["a=1; a=1"][..], &["a=1", "a=2"], &["aa=1"], &["A=1"], &["\"a=1\""], &[]] {
            assert_eq!(cookie(values), None, "{values:?}");
        }
    }
}
