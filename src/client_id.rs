//! The identifier of an OAuth client, at our own authorization server and at those of others.

use std::fmt;
use std::str::FromStr;

use crate::visible::Visible;

/// The identifier of a client (RFC 6749 section 2.2): opaque, or the URL of the client's metadata. Compared letter for
/// letter.
///
/// ```
/// # #[cfg(feature = "credentials")] use keyward::credential::ClientId;
/// # #[cfg(not(feature = "credentials"))] use keyward::broker::ClientId;
/// assert_eq!(ClientId::new("https://app.example/client.json")?.as_str(), "https://app.example/client.json");
/// assert!(ClientId::new("").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// The longest identifier that is taken, in bytes.
    pub const MAX_LEN: usize = 2048;

    /// Checks an identifier: 1 to 2048 printable ASCII characters (RFC 6749 appendix A.1).
    ///
    /// # Errors
    /// [`InvalidClientId`].
    pub fn new(id: impl Into<String>) -> Result<Self, InvalidClientId> {
        let id = id.into();
        if is_printable(&id, Self::MAX_LEN) { Ok(Self(id)) } else { Err(InvalidClientId) }
    }

    /// The identifier, letter for letter.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes what a store holds, odd as it may be: it is shown, never trusted. For authors of stores.
    #[cfg(feature = "broker")]
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "broker")))]
    #[must_use]
    pub fn from_stored(id: impl Into<String>) -> Self {
        Self(id.into())
    }
}

impl FromStr for ClientId {
    type Err = InvalidClientId;

    fn from_str(id: &str) -> Result<Self, InvalidClientId> {
        Self::new(id)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Visible(&self.0), f)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({:?})", Visible(&self.0))
    }
}

/// The text is no identifier of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client id must be 1 to 2048 printable ASCII characters")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidClientId;

/// Whether a text has 1 to `limit` characters, all of them printable ASCII.
pub(crate) fn is_printable(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_printable_and_bounded() {
        assert!(ClientId::new("x".repeat(ClientId::MAX_LEN)).is_ok());
        for refused in ["", "a\n", "ä", &"x".repeat(ClientId::MAX_LEN + 1)] {
            assert_eq!(ClientId::new(refused), Err(InvalidClientId));
        }
    }
}
