//! Where a code may be sent: which URIs a client may register, and when a presented one is the same.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

use crate::visible::Visible;

/// A redirect URI as a client has registered it (RFC 6749 section 3.1.2), letter for letter.
///
/// `https`, `http` to this very machine (RFC 8252 section 7.3), or a private-use scheme that is a reversed domain name, such
/// as `com.example.app:/callback` (RFC 8252 section 7.1). `javascript:` and `data:` are none of them.
///
/// ```
/// use keyward::broker::{InvalidRedirectUri, RedirectUri};
///
/// let registered: RedirectUri = "http://127.0.0.1:4711/callback".parse()?;
/// assert!(registered.admits("http://127.0.0.1:52000/callback")); // the port of a loopback address may be another
/// assert!(!registered.admits("http://127.0.0.1:52000/other"));
/// assert!(!registered.admits("http://localhost:4711/callback"));
///
/// assert_eq!("javascript:alert(1)".parse::<RedirectUri>(), Err(InvalidRedirectUri::Scheme));
/// assert_eq!("http://app.example/callback".parse::<RedirectUri>(), Err(InvalidRedirectUri::NotHttps));
/// # Ok::<(), InvalidRedirectUri>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// The longest URI that is taken, in bytes.
    pub const MAX_LEN: usize = 2048;

    /// Checks a URI.
    ///
    /// # Errors
    /// [`InvalidRedirectUri`].
    pub fn new(uri: impl Into<String>) -> Result<Self, InvalidRedirectUri> {
        let uri = uri.into();
        check(&uri)?;
        Ok(Self(uri))
    }

    /// The URI, letter for letter.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a code may be sent to `presented` where this one is registered: the same letters, or, if the host is a loopback
    /// address, the same but for the port (RFC 8252 section 7.3).
    #[must_use]
    pub fn admits(&self, presented: &str) -> bool {
        if self.0 == presented {
            return true;
        }
        let (Some(own), Some(other)) = (without_loopback_port(&self.0), without_loopback_port(presented)) else {
            return false;
        };
        own == other && Self::new(presented).is_ok()
    }

    /// The host to which a code is sent, for the person who is asked; the scheme, where it belongs to an app.
    #[must_use]
    pub fn host(&self) -> String {
        let url = Url::parse(&self.0).ok();
        // What stands behind the scheme of an app is the app's own words.
        let host = url.as_ref().filter(|url| matches!(url.scheme(), "https" | "http")).and_then(Url::host_str);
        host.or_else(|| url.as_ref().map(Url::scheme)).unwrap_or_default().to_owned()
    }

    /// Whether it leads to the machine of whoever follows it.
    #[must_use]
    pub fn leads_to_own_machine(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| url.scheme() == "http" && url.host().is_some_and(|host| is_loopback(&host)))
    }

    /// Whether it belongs to an app, by a scheme of its own.
    #[must_use]
    pub fn leads_to_app(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| !matches!(url.scheme(), "https" | "http"))
    }

    /// This URI with parameters of an answer behind its own (RFC 6749 section 4.1.2).
    #[must_use]
    pub fn with_parameters(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            query.append_pair(name, value);
        }
        let separator = match self.0.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        format!("{}{separator}{}", self.0, query.finish())
    }
}

impl FromStr for RedirectUri {
    type Err = InvalidRedirectUri;

    fn from_str(uri: &str) -> Result<Self, InvalidRedirectUri> {
        Self::new(uri)
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Visible(&self.0), f)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedirectUri({:?})", Visible(&self.0))
    }
}

/// Why a text is no redirect URI. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRedirectUri {
    /// It is longer than [`RedirectUri::MAX_LEN`].
    #[error("a redirect URI must not be longer than {} bytes", RedirectUri::MAX_LEN)]
    TooLong,
    /// It is no absolute URI of printable ASCII characters.
    #[error("a redirect URI must be an absolute URI")]
    NotAbsolute,
    /// It has a fragment.
    #[error("a redirect URI must not have a fragment")]
    Fragment,
    /// It has a user or a password in front of the host.
    #[error("a redirect URI must not have a user or a password")]
    Credentials,
    /// It is `http` to another machine.
    #[error("a redirect URI must be https, unless it leads to the client's own machine")]
    NotHttps,
    /// Its scheme is neither `https` nor `http` nor a reversed domain name.
    #[error("the scheme of a redirect URI must be https, http on loopback, or a reversed domain name")]
    Scheme,
}

fn check(uri: &str) -> Result<(), InvalidRedirectUri> {
    if uri.len() > RedirectUri::MAX_LEN {
        return Err(InvalidRedirectUri::TooLong);
    }
    // Readers of URLs differ in what they make of a backslash, and leave out blanks.
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err(InvalidRedirectUri::NotAbsolute);
    }
    let url = Url::parse(uri).map_err(|_| InvalidRedirectUri::NotAbsolute)?;
    if uri.contains('#') {
        return Err(InvalidRedirectUri::Fragment);
    }
    // As it is written: the parser takes three slashes for two, and does not tell an empty user from none.
    let authority = uri.get(url.scheme().len()..).and_then(|rest| rest.strip_prefix("://")).map(authority);
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Err(InvalidRedirectUri::Credentials);
    }
    let is_written_with_authority = authority.is_some_and(|authority| !authority.is_empty());
    match url.scheme() {
        "https" if is_written_with_authority => Ok(()),
        "http" if is_written_with_authority && url.host().is_some_and(|host| is_loopback(&host)) => Ok(()),
        "https" | "http" if !is_written_with_authority => Err(InvalidRedirectUri::NotAbsolute),
        "http" => Err(InvalidRedirectUri::NotHttps),
        private if private.contains('.') => Ok(()),
        _ => Err(InvalidRedirectUri::Scheme),
    }
}

/// What of the text behind `://` names the host.
fn authority(rest: &str) -> &str {
    &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
}

/// Whether a host is this very machine.
pub(super) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// What stands before and behind the port of a `http` URI to a loopback address; `None` for every other URI.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    const SCHEME: &str = "http://";
    let rest = uri.strip_prefix(SCHEME)?;
    let authority = authority(rest);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let address: IpAddr =
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()?;
    address.is_loopback().then(|| (&uri[..SCHEME.len() + host.len()], &rest[authority.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_https_loopback_and_reversed_domain_names_and_nothing_else() {
        use InvalidRedirectUri::{Credentials, Fragment, NotAbsolute, NotHttps, Scheme, TooLong};

        for uri in [
            "https://app.example/callback",
            "https://app.example",
            "https://app.example/callback?tenant=a",
            "https://app.example/users/@ada?to=a@b",
            "http://localhost:4711/callback",
            "http://127.0.0.1/",
            "http://127.8.9.1:1/",
            "http://[::1]:80/x",
            "com.example.app:/callback",
            "com.example.app://callback",
        ] {
            assert_eq!(RedirectUri::new(uri).map(|taken| taken.as_str().to_owned()).as_deref(), Ok(uri));
        }
        for (uri, expected) in [
            ("", NotAbsolute),
            ("/callback", NotAbsolute),
            ("https:app.example", NotAbsolute),
            ("https://", NotAbsolute),
            ("https:///callback", NotAbsolute),
            ("https://app.example/a b", NotAbsolute),
            ("https://app.example\\@evil.example/", NotAbsolute),
            ("https://äpp.example/", NotAbsolute),
            ("https://app.example/#top", Fragment),
            ("https://app.example/#", Fragment),
            ("https://user@app.example/", Credentials),
            ("https://user:secret@app.example/", Credentials),
            ("https://@app.example/", Credentials),
            ("https://:@app.example/", Credentials),
            ("com.example.app://@", Credentials),
            ("http://app.example/", NotHttps),
            ("http://127.0.0.1.example/", NotHttps),
            ("http://localhost.example/", NotHttps),
            ("http://0.0.0.0/", NotHttps),
            ("javascript:alert(1)", Scheme),
            ("data:text/html,x", Scheme),
            ("file:///etc/passwd", Scheme),
            ("ftp://app.example/", Scheme),
            ("myapp:/callback", Scheme),
            (&format!("https://app.example/{}", "a".repeat(2048)), TooLong),
        ] {
            assert_eq!(RedirectUri::new(uri), Err(expected), "{uri}");
        }
    }

    #[test]
    fn nothing_but_the_port_of_a_loopback_address_may_be_another() {
        let admits = |registered: &str, presented: &str| RedirectUri::new(registered).unwrap().admits(presented);
        assert!(admits("http://127.0.0.1/cb", "http://127.0.0.1:52000/cb"));
        assert!(admits("http://[::1]:1/cb?a=b", "http://[::1]/cb?a=b"));
        for (registered, presented) in [
            ("http://127.0.0.1:1/cb", "http://127.0.0.2:1/cb"),
            ("http://127.0.0.1:1/cb", "https://127.0.0.1:1/cb"),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:1/cb/"),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:1/cb?x=y"),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:99999/cb"),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:@evil.example/cb"),
            ("http://127.0.0.1/cb", "http://user@127.0.0.1:1/cb"),
            ("http://localhost:1/cb", "http://localhost:2/cb"),
            ("https://app.example:1/cb", "https://app.example:2/cb"),
            ("https://app.example/cb", "https://APP.example/cb"),
            ("https://app.example", "https://app.example/"),
        ] {
            assert!(!admits(registered, presented), "{registered} {presented}");
        }
    }

    #[test]
    fn parameters_stand_behind_those_that_are_there() {
        let with =
            |uri: &str| RedirectUri::new(uri).unwrap().with_parameters(&[("code", "a b"), ("iss", "https://x/?")]);
        assert_eq!(with("https://a.example/"), "https://a.example/?code=a+b&iss=https%3A%2F%2Fx%2F%3F");
        assert_eq!(with("https://a.example/?"), "https://a.example/?code=a+b&iss=https%3A%2F%2Fx%2F%3F");
        assert_eq!(with("https://a.example/?t=1"), "https://a.example/?t=1&code=a+b&iss=https%3A%2F%2Fx%2F%3F");
    }

    #[test]
    fn a_person_sees_the_host_or_the_scheme_of_an_app() {
        let host = |uri: &str| RedirectUri::new(uri).unwrap().host();
        assert_eq!(host("https://app.example:8443/cb"), "app.example");
        assert_eq!(host("http://[::1]:1/cb"), "[::1]");
        assert_eq!(host("com.example.app:/cb"), "com.example.app");
        let kinds = |uri: &str| {
            let uri = RedirectUri::new(uri).unwrap();
            (uri.leads_to_own_machine(), uri.leads_to_app())
        };
        assert_eq!(kinds("https://localhost/cb"), (false, false));
        assert_eq!(kinds("http://localhost/cb"), (true, false));
        assert_eq!(kinds("com.example.app://127.0.0.1/cb"), (false, true));
    }
}
