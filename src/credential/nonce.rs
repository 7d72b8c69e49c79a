//! What a server wants to find in the next proof.

use std::fmt;

/// A nonce of a server (RFC 9449 section 8): opaque, not secret, and good for minutes. Each server has its own; the
/// newest is the one to send.
///
/// ```
/// use keyward::credential::{DpopNonce, InvalidNonce};
///
/// let nonce: DpopNonce = "eyJ7S_zG.eyJH0-Z.HX4w-7v".parse()?;
/// assert_eq!(nonce.as_str(), "eyJ7S_zG.eyJH0-Z.HX4w-7v");
/// assert_eq!("two words".parse::<DpopNonce>(), Err(InvalidNonce));
/// # Ok::<(), InvalidNonce>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DpopNonce(String);

impl DpopNonce {
    /// The longest nonce that is taken, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Checks a nonce: 1 to 1024 printable ASCII characters but space, `"` and `\` (RFC 9449 section 8.1).
    ///
    /// # Errors
    /// [`InvalidNonce`].
    pub fn new(nonce: impl Into<String>) -> Result<Self, InvalidNonce> {
        let nonce = nonce.into();
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if (1..=Self::MAX_LEN).contains(&nonce.len()) && nonce.bytes().all(allowed) {
            Ok(Self(nonce))
        } else {
            Err(InvalidNonce)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for DpopNonce {
    type Err = InvalidNonce;

    fn from_str(nonce: &str) -> Result<Self, InvalidNonce> {
        Self::new(nonce)
    }
}

impl fmt::Debug for DpopNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DpopNonce({:?})", self.0)
    }
}

/// The text is no nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a DPoP nonce must be 1 to 1024 printable ASCII characters but space, \" and \\")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidNonce;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_printable_and_bounded() {
        for taken in ["!", "#[]~", &"n".repeat(DpopNonce::MAX_LEN)] {
            assert_eq!(DpopNonce::new(taken).unwrap().as_str(), taken);
        }
        for refused in ["", " ", "a b", "a\"", "a\\", "a\r\nb", "é", "\u{7f}", &"n".repeat(DpopNonce::MAX_LEN + 1)] {
            assert_eq!(DpopNonce::new(refused), Err(InvalidNonce), "{refused:?}");
        }
    }
}
