//! Who issues: the identifier of an authorization server.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::broker::redirect_uri::is_loopback;

/// The identifier of an authorization server (RFC 8414 section 2): an `https` URL without query and fragment, or an `http`
/// one that leads to this very machine.
///
/// It is kept byte for byte, because clients compare it byte for byte: `https://as.example` and `https://as.example/` are
/// two issuers.
///
/// ```
/// use keyward::broker::Issuer;
///
/// let issuer: Issuer = "https://as.example/tenant".parse()?;
/// assert_eq!(issuer.as_str(), "https://as.example/tenant");
/// assert_eq!(issuer.endpoint("/token"), "https://as.example/tenant/token");
/// assert_eq!(issuer.well_known("oauth-authorization-server"), "/.well-known/oauth-authorization-server/tenant");
/// assert!("http://as.example".parse::<Issuer>().is_err());
/// assert!("https://as.example/?tenant=a".parse::<Issuer>().is_err());
/// # Ok::<(), keyward::broker::InvalidIssuer>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer(String);

impl Issuer {
    /// Checks an identifier.
    ///
    /// # Errors
    /// [`InvalidIssuer`].
    pub fn new(issuer: impl Into<String>) -> Result<Self, InvalidIssuer> {
        let issuer = issuer.into();
        if is_server_url(&issuer) && !issuer.contains('?') { Ok(Self(issuer)) } else { Err(InvalidIssuer) }
    }

    /// The identifier, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of an endpoint whose path begins with `/`.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.0.trim_end_matches('/'))
    }

    /// The path of this server, without a `/` at its end.
    #[must_use]
    pub fn path(&self) -> &str {
        path_of(&self.0).trim_end_matches('/')
    }

    /// The path of a well-known document, which stands before the path of the issuer (RFC 8414 section 3.1).
    #[must_use]
    pub fn well_known(&self, name: &str) -> String {
        format!("/.well-known/{name}{}", self.path())
    }

    /// Whether browsers reach it by `https`, so that cookies can be kept from everybody else.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

/// Whether a URL can name a server or a resource of it: absolute, `https` or to this machine, no fragment, no user.
pub(crate) fn is_server_url(url: &str) -> bool {
    let is_plain = url.len() <= 2048 && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\{}".contains(&byte));
    let Some(parsed) = Url::parse(url).ok().filter(|_| is_plain && !url.contains('#')) else { return false };
    let leads_here = || parsed.host().is_some_and(|host| is_loopback(&host));
    let has_user = !parsed.username().is_empty() || parsed.password().is_some();
    !has_user && (url.starts_with("https://") || url.starts_with("http://") && leads_here())
}

/// The path of an absolute URL and what stands behind it, as it is written.
pub(crate) fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?']).map_or("", |start| &rest[start..])
}

impl FromStr for Issuer {
    type Err = InvalidIssuer;

    fn from_str(issuer: &str) -> Result<Self, InvalidIssuer> {
        Self::new(issuer)
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({:?})", self.0)
    }
}

/// The text cannot name an authorization server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an issuer must be an https URL without query and fragment, or http on loopback")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidIssuer;

/// What tokens are for (RFC 8707 section 2): the identifier of a protected resource, an absolute URL without a fragment.
/// Kept and compared byte for byte.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Resource(String);

impl Resource {
    /// Checks an identifier: `https`, or `http` to this very machine.
    ///
    /// # Errors
    /// [`InvalidResource`].
    pub fn new(resource: impl Into<String>) -> Result<Self, InvalidResource> {
        let resource = resource.into();
        if is_server_url(&resource) { Ok(Self(resource)) } else { Err(InvalidResource) }
    }

    /// The identifier, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where its metadata is found (RFC 9728 section 3.1): the URL, with the well-known part before its path.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        let path = path_of(&self.0);
        let origin = &self.0[..self.0.len() - path.len()];
        format!("{origin}{}", self.metadata_path())
    }

    /// The path, and query, of [`metadata_url`](Self::metadata_url).
    #[must_use]
    pub fn metadata_path(&self) -> String {
        let path = path_of(&self.0);
        let path = if path == "/" { "" } else { path };
        format!("/.well-known/oauth-protected-resource{path}")
    }
}

impl FromStr for Resource {
    type Err = InvalidResource;

    fn from_str(resource: &str) -> Result<Self, InvalidResource> {
        Self::new(resource)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({:?})", self.0)
    }
}

/// The text cannot name a protected resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a resource must be an https URL without a fragment, or http on loopback")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidResource;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_stays_as_it_is_written() {
        for issuer in
            ["https://as.example", "https://as.example/", "https://AS.example:8443/a/b/", "http://127.0.0.1:1"]
        {
            assert_eq!(Issuer::new(issuer).unwrap().as_str(), issuer);
        }
        for other in [
            "",
            "as.example",
            "http://as.example",
            "https://as.example?a",
            "https://as.example#a",
            "https://user@as.example",
            "ftp://as.example",
            "https://",
            "https:as.example",
            "https://as.example/a b",
            "http://127.0.0.1.example/",
        ] {
            assert_eq!(Issuer::new(other), Err(InvalidIssuer), "{other}");
        }
    }

    #[test]
    fn the_well_known_part_stands_before_the_path() {
        let paths = |issuer: &str| {
            let issuer = Issuer::new(issuer).unwrap();
            (issuer.well_known("x"), issuer.endpoint("/token"))
        };
        assert_eq!(paths("https://a.example"), ("/.well-known/x".into(), "https://a.example/token".into()));
        assert_eq!(paths("https://a.example/"), ("/.well-known/x".into(), "https://a.example/token".into()));
        assert_eq!(paths("https://a.example/t/"), ("/.well-known/x/t".into(), "https://a.example/t/token".into()));

        let metadata = |resource: &str| Resource::new(resource).unwrap().metadata_url();
        assert_eq!(metadata("https://a.example/mcp"), "https://a.example/.well-known/oauth-protected-resource/mcp");
        assert_eq!(metadata("https://a.example/"), "https://a.example/.well-known/oauth-protected-resource");
        assert_eq!(metadata("https://a.example?x=1"), "https://a.example/.well-known/oauth-protected-resource?x=1");
    }
}
