//! Clients that nobody has registered: the identifier is the URL of what they say of themselves.

use std::fmt;

use url::{Host, Url};

use crate::broker::ClientId;

/// The URL of a client's metadata, which is the client's identifier
/// ([OAuth Client ID Metadata Document](https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/)
/// section 3).
///
/// It is `https`, has a path, and neither a user, a fragment nor a path with dots in it; it is written as parsers would write
/// it, so that the letters that are compared are those that are fetched. Its host is a name with a dot that does not end in one
/// of those reserved for private networks, and no address: whoever has a browser can make the server fetch it.
///
/// ```
/// use keyward::broker::{ClientId, ClientMetadataUrl};
///
/// let url = |id: &str| ClientMetadataUrl::of(&ClientId::new(id).unwrap());
/// assert_eq!(url("https://app.example/client.json").unwrap().host(), "app.example");
/// assert!(url("https://169.254.169.254/latest/meta-data").is_none());
/// assert!(url("0a1b2c3d").is_none()); // one that was registered
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientMetadataUrl(ClientId);

impl ClientMetadataUrl {
    /// The URL that an identifier is; `None` for every other one.
    #[must_use]
    pub fn of(id: &ClientId) -> Option<Self> {
        let url = Url::parse(id.as_str()).ok()?;
        let is_named = match url.host()? {
            Host::Domain(name) => is_public(name),
            Host::Ipv4(_) | Host::Ipv6(_) => false,
        };
        let is_sound = url.as_str() == id.as_str()
            && url.scheme() == "https"
            && is_named
            && url.path() != "/"
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        is_sound.then(|| Self(id.clone()))
    }

    /// The client.
    #[must_use]
    pub const fn client_id(&self) -> &ClientId {
        &self.0
    }

    /// The URL, letter for letter.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Who vouches for what the client says: whoever holds this name, with the port where it is another than 443.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.as_str().trim_start_matches("https://");
        rest.split(['/', '?']).next().unwrap_or_default()
    }
}

/// Whether a name can be one of the public Internet. What it leads to is for whoever fetches to see.
fn is_public(name: &str) -> bool {
    // A name that ends in a dot is the same host under other letters.
    let Some((_, last)) = name.rsplit_once('.') else { return false };
    !["", "arpa", "internal", "lan", "local", "localdomain", "localhost", "onion"].contains(&last)
}

impl fmt::Display for ClientMetadataUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ClientMetadataUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientMetadataUrl({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(id: &str) -> Option<ClientMetadataUrl> {
        ClientMetadataUrl::of(&ClientId::new(id).unwrap())
    }

    #[test]
    fn the_letters_that_are_compared_are_those_that_are_fetched() {
        for (id, host) in [
            ("https://app.example/client.json", "app.example"),
            ("https://app.example:8443/c", "app.example:8443"),
            ("https://app.example/c?version=2", "app.example"),
            ("https://xn--bcher-kva.example/oauth/", "xn--bcher-kva.example"),
        ] {
            let url = url(id).unwrap();
            assert_eq!((url.as_str(), url.client_id().as_str(), url.host()), (id, id, host));
        }
        for other_letters in [
            "https://APP.example/c",
            "HTTPS://app.example/c",
            "https://app.example:443/c",
            "https://app.example/a/../c",
            "https://app.example/./c",
            "https://app.example/%2e%2e/c",
            "https://app.example\\c",
            "https:app.example/c",
            "https:///app.example/c",
            "https://app.example./c",
            "https://app.example",
            " https://app.example/c",
        ] {
            assert_eq!(url(other_letters), None, "{other_letters}");
        }
    }

    #[test]
    fn nothing_but_a_public_https_url_with_a_path_is_fetched() {
        for id in [
            "client-1",
            "http://app.example/c",
            "ftp://app.example/c",
            "https://app.example/",
            "https://app.example/?c",
            "https://ada@app.example/c",
            "https://:secret@app.example/c",
            "https://app.example/c#x",
            "https://127.0.0.1/c",
            "https://2130706433/c",
            "https://0x7f.1/c",
            "https://[::1]/c",
            "https://169.254.169.254/latest/meta-data",
            "https://localhost/c",
            "https://db.localhost/c",
            "https://printer.local/c",
            "https://metadata.google.internal/c",
            "https://router.home.arpa/c",
            "https://localhost.localdomain/c",
            "https://intranet/c",
        ] {
            assert_eq!(url(id), None, "{id}");
        }
    }
}
