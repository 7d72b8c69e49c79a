//! Where tokens are sent: https, and nothing that two readers of a URL could understand differently.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::visible::Visible;

/// The absolute URL of an endpoint: `https`, or `http` to this very machine (`localhost`, `127.0.0.0/8`, `[::1]`) for
/// tests.
///
/// It is kept letter for letter. What is accepted is written in a plain way, so that every reader of URLs finds the
/// same host, port and path in it: no user or password, no fragment, ASCII (an internationalised host in its `xn--`
/// form), no `.` or `..` in the path, at most 2048 bytes.
///
/// ```
/// use keyward::credential::{Endpoint, InvalidEndpoint};
///
/// let endpoint: Endpoint = "https://pds.example/oauth/token".parse()?;
/// assert_eq!(endpoint.as_str(), "https://pds.example/oauth/token");
/// assert!("http://127.0.0.1:2583/oauth/token".parse::<Endpoint>()?.is_loopback());
///
/// assert_eq!("http://pds.example/oauth/token".parse::<Endpoint>(), Err(InvalidEndpoint::NotHttps));
/// assert_eq!("https://user@pds.example/".parse::<Endpoint>(), Err(InvalidEndpoint::Credentials));
/// # Ok::<(), InvalidEndpoint>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(String);

impl Endpoint {
    /// The longest URL that is taken, in bytes.
    pub const MAX_LEN: usize = 2048;

    /// Checks a URL.
    ///
    /// # Errors
    /// [`InvalidEndpoint`].
    pub fn new(url: impl Into<String>) -> Result<Self, InvalidEndpoint> {
        let url = url.into();
        check(&url)?;
        Ok(Self(url))
    }

    /// The URL, letter for letter.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, in brackets where it is an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        let (_, rest) = split_scheme(&self.0).unwrap_or_default();
        split_port(split_authority(rest).0).0
    }

    /// Scheme, host and port (RFC 6454), normalised: in small letters and without a default port.
    #[must_use]
    pub fn origin(&self) -> String {
        let url = target(&self.0);
        let end =
            split_scheme(&url).map_or(url.len(), |(scheme, rest)| scheme.len() + 3 + split_authority(rest).0.len());
        url[..end].to_owned()
    }

    /// Whether it leads to this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(url: &str) -> Result<Self, InvalidEndpoint> {
        Self::new(url)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Without the query.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({:?})", Visible(&target(&self.0)))
    }
}

/// `htu` of a proof (RFC 9449 section 4.2): the URL without query and fragment, normalised by its syntax and scheme as
/// servers do before they compare (section 4.3, RFC 3986 section 6.2): scheme and host in small letters, no default
/// port, and a path.
pub(super) fn target(url: &str) -> Cow<'_, str> {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = split_scheme(url) else { return url.into() };
    let (authority, path) = split_authority(rest);
    let default_port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default_port).or_else(|| authority.strip_suffix(':')).unwrap_or(authority);
    let path = if path.is_empty() { "/" } else { path };
    format!("{}://{}{path}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase()).into()
}

fn check(url: &str) -> Result<(), InvalidEndpoint> {
    if url.len() > Endpoint::MAX_LEN {
        return Err(InvalidEndpoint::TooLong);
    }
    let (scheme, rest) = split_scheme(url).ok_or(InvalidEndpoint::NotUrl)?;
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(InvalidEndpoint::NotUrl);
    }
    let is_http = scheme.eq_ignore_ascii_case("http");
    if !is_http && !scheme.eq_ignore_ascii_case("https") {
        return Err(InvalidEndpoint::NotHttps);
    }
    if rest.contains('#') {
        return Err(InvalidEndpoint::Fragment);
    }
    let (authority, rest) = split_authority(rest);
    if authority.contains('@') {
        return Err(InvalidEndpoint::Credentials);
    }
    let (host, port) = split_port(authority);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if !is_host(host) || !port.is_none_or(is_port) || !is_path_and_query(rest) {
        return Err(InvalidEndpoint::NotUrl);
    }
    if is_http && !is_loopback(host) {
        return Err(InvalidEndpoint::NotHttps);
    }
    Ok(())
}

fn split_scheme(url: &str) -> Option<(&str, &str)> {
    url.split_once("://")
}

/// The authority, and the path with what is behind it.
fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rfind(':') {
        // A colon inside brackets belongs to an address.
        Some(colon) if !authority[colon..].contains(']') => (&authority[..colon], Some(&authority[colon + 1..])),
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(inner)
    };
    // Browsers take a host whose last label is a number for an IPv4 address, in several notations.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|first: char| first.is_ascii_digit());
    host.len() <= 253 && host.split('.').all(is_label) && (!is_number || host.parse::<Ipv4Addr>().is_ok())
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// `pchar`, `/` and `?` of RFC 3986 section 3.3 and 3.4, and no segment that a reader would remove.
fn is_path_and_query(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_escape =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let allowed = |(at, byte): (usize, &u8)| match byte {
        b'%' => is_escape(at),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(byte),
    };
    let path = text.split('?').next().unwrap_or_default();
    let is_dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    bytes.iter().enumerate().all(allowed) && !path.split('/').any(is_dots)
}

/// Why a URL was not taken as an endpoint. It does not repeat the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// It is no absolute URL, or is written in a way that readers understand differently.
    #[error("an endpoint must be an absolute URL, plainly written")]
    NotUrl,
    /// It is longer than [`Endpoint::MAX_LEN`].
    #[error("an endpoint must not be longer than 2048 bytes")]
    TooLong,
    /// It is neither `https` nor `http` to this machine.
    #[error("an endpoint must be https, or http to this very machine in tests")]
    NotHttps,
    /// It names a user or password.
    #[error("an endpoint must not have a user or password in it")]
    Credentials,
    /// It has a fragment.
    #[error("an endpoint must not have a fragment")]
    Fragment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_taken_letter_for_letter() {
        for url in [
            "https://a.example",
            "https://a.example/",
            "HTTPS://A.Example/Oauth/Token",
            "https://a.example:8443/t?tenant=a%20b&x='",
            "https://xn--bcher-kva.example/t",
            "https://10.0.0.7/t",
            "https://[2001:db8::1]:444/t",
            "https://a_b.example/~x;y=1/@:/..x/",
        ] {
            let endpoint = Endpoint::new(url).unwrap();
            assert_eq!((endpoint.as_str(), endpoint.to_string()), (url, url.to_owned()));
            assert!(!endpoint.is_loopback());
        }
    }

    #[test]
    fn http_is_taken_to_this_machine_and_nowhere_else() {
        for url in
            ["http://localhost:80/t", "http://LOCALHOST", "http://127.0.0.1/", "http://127.9.9.9:1/", "http://[::1]/"]
        {
            assert!(Endpoint::new(url).unwrap().is_loopback(), "{url}");
        }
        for url in [
            "http://a.example/",
            "http://localhost.a.example/",
            "http://128.0.0.1/",
            "http://0.0.0.0/",
            "http://[::]/",
            "ftp://localhost/",
            "file:///etc/passwd",
            "javascript://localhost/",
        ] {
            let error = Endpoint::new(url).unwrap_err();
            assert!(matches!(error, InvalidEndpoint::NotHttps | InvalidEndpoint::NotUrl), "{url}: {error:?}");
        }
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for url in [
            "",
            "https",
            "https:",
            "https:/a.example",
            "https://",
            "https:///t",
            "https://:443/",
            "//a.example/t",
            "/oauth/token",
            " https://a.example/",
            "https://a.example/ ",
            "https://a.example/\n",
            "https://a.exa\u{ad}mple/",
            "https://ä.example/",
            "https://a.example/ä",
            "https://a.example\\b/",
            "https://a..example/",
            "https://a.example./",
            "https://a%2eexample/",
            "https://0x7f.1/",
            "https://1.2.3/",
            "https://a.1/",
            "https://127.0.0.01/",
            "https://[::1/",
            "https://[::1%25eth0]/",
            "https://a.example:/",
            "https://a.example:+1/",
            "https://a.example:65536/",
            "https://a.example:1:2/",
            "https://a.example/../t",
            "https://a.example/x/%2E%2e/t",
            "https://a.example/.",
            "https://a.example/%zz",
            "https://a.example/%4",
            "https://a.example/<x>",
            "https://a.example/{x}",
            "https://a.example/t?a|b",
        ] {
            assert_eq!(Endpoint::new(url), Err(InvalidEndpoint::NotUrl), "{url:?}");
        }
        assert_eq!(Endpoint::new("https://u:p@a.example/"), Err(InvalidEndpoint::Credentials));
        assert_eq!(Endpoint::new("https://a.example/#x"), Err(InvalidEndpoint::Fragment));
        assert_eq!(Endpoint::new("https://a.example#x"), Err(InvalidEndpoint::Fragment));
        let long = format!("https://a.example/{}", "x".repeat(Endpoint::MAX_LEN));
        assert_eq!(Endpoint::new(long), Err(InvalidEndpoint::TooLong));
    }

    #[test]
    fn the_target_of_a_proof_has_no_query_and_is_normalised() {
        for (url, expected) in [
            ("https://a.example/t", "https://a.example/t"),
            ("https://a.example/T?x=1#y", "https://a.example/T"),
            ("https://a.example/t#y?x", "https://a.example/t"),
            ("HTTPS://A.Example:443?x", "https://a.example/"),
            ("https://a.example:80/t", "https://a.example:80/t"),
            ("http://localhost:80/t/", "http://localhost/t/"),
            ("http://[::1]:443/t", "http://[::1]:443/t"),
            ("no url?x", "no url"),
        ] {
            assert_eq!(target(url), expected);
        }
    }

    #[test]
    fn a_query_is_not_printed_by_debug() {
        let endpoint = Endpoint::new("https://a.example/t?token=x").unwrap();
        assert_eq!(format!("{endpoint:?}"), r#"Endpoint("https://a.example/t")"#);
    }
}
