//! Codes, tokens, client secrets and identifiers: how they are made, and the digest that alone is stored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryCryptoRng;
use zeroize::Zeroizing;

use crate::key::{HexDigest, KeyDigest};
use crate::random::RandomUnavailable;
use crate::secret::Secret;

/// How many random bytes a code, a token or a client secret has.
const SECRET_LEN: usize = 32;
/// How many random bytes the identifier of a client or a grant has.
const ID_LEN: usize = 16;

/// SHA-256 of a whole authorization code, token or client secret: the only form of it that is stored. Its comparison takes
/// the same time whatever the two hold, and `Debug` shows the first 8 characters only.
///
/// ```
/// use keyward::broker::TokenDigest;
///
/// let digest = TokenDigest::of("a token");
/// assert_eq!(TokenDigest::from_hex(digest.to_hex().as_str()), Some(digest));
/// assert_ne!(digest, TokenDigest::of("another token"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest(KeyDigest);

impl TokenDigest {
    /// The digest of the whole text.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(KeyDigest::of(token))
    }

    /// Reads exactly 64 lowercase hexadecimal characters; anything else is `None` and so matches no token.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        KeyDigest::from_hex(text).map(Self)
    }

    /// 64 lowercase hexadecimal characters.
    #[must_use]
    pub fn to_hex(&self) -> HexDigest {
        self.0.to_hex()
    }
}

impl PartialOrd for TokenDigest {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of stored digests, which says nothing about what they are of.
impl Ord for TokenDigest {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_bytes().cmp(other.0.as_bytes())
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenDigest({}…)", &self.to_hex().as_str()[..8])
    }
}

/// A new code, token or client secret: 256 random bits as 43 characters that need no escaping anywhere.
///
/// # Errors
/// [`RandomUnavailable`] when `random` fails; there is no weaker fallback.
pub(crate) fn new_secret<R: TryCryptoRng + ?Sized>(random: &mut R) -> Result<Secret, RandomUnavailable> {
    let mut bytes = Zeroizing::new([0; SECRET_LEN]);
    random.try_fill_bytes(&mut *bytes).map_err(|_| RandomUnavailable)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

/// The text of a new identifier: 128 random bits as 22 characters. It is never used twice.
///
/// # Errors
/// [`RandomUnavailable`] when `random` fails.
pub(crate) fn new_id<R: TryCryptoRng + ?Sized>(random: &mut R) -> Result<String, RandomUnavailable> {
    let mut bytes = [0; ID_LEN];
    random.try_fill_bytes(&mut bytes).map_err(|_| RandomUnavailable)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
