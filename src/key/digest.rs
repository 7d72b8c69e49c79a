//! The digest of a key: SHA-256 over the whole string, prefix included.

use std::fmt;
use std::hash::{Hash, Hasher};

use subtle::ConstantTimeEq as _;

use super::sha256::sha256;

/// SHA-256 of a whole key, the only form of it that a store ever sees.
///
/// 32 bytes in memory and 64 lowercase hexadecimal characters in a column. Comparison takes the same time
/// whatever the two digests hold, and `Debug` shows the first 8 characters only.
///
/// ```
/// use keyward::key::KeyDigest;
///
/// let digest = KeyDigest::of("riq_abc");
/// assert_eq!(KeyDigest::from_hex(digest.to_hex().as_str()), Some(digest));
/// assert_ne!(digest, KeyDigest::of("riq_abd"));
/// assert_eq!(KeyDigest::from_hex("ABCDEF"), None);
/// ```
#[derive(Clone, Copy)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of the whole key string.
    #[inline]
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(sha256(key.as_bytes()))
    }

    /// Reads exactly 64 lowercase hexadecimal characters; anything else is `None` and so matches no key.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        const FOREIGN: u8 = 0xff;
        let nibble = |character: u8| match character {
            b'0'..=b'9' => character - b'0',
            b'a'..=b'f' => character - b'a' + 10,
            _ => FOREIGN,
        };
        let text: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; 32];
        let mut foreign = 0;
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let (high, low) = (nibble(pair[0]), nibble(pair[1]));
            foreign |= high | low;
            *byte = high << 4 | low & 0x0f;
        }
        (foreign & 0xf0 == 0).then_some(Self(bytes))
    }

    /// Takes 32 bytes that are a digest already, for stores that keep them as bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// 64 lowercase hexadecimal characters, on the stack.
    #[must_use]
    pub fn to_hex(&self) -> HexDigest {
        let mut text = [0; 64];
        // The buffer is exactly twice as long as the digest, the one thing that this call can refuse.
        let encoded = hex::encode_to_slice(self.0, &mut text);
        debug_assert!(encoded.is_ok());
        HexDigest(text)
    }

    /// The 32 bytes.
    #[inline]
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for KeyDigest {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // What differs anywhere, in one word, takes a fraction of the time of 32 bytes.
        let [one, other] = [self, other].map(|digest| digest.0.as_chunks().0.iter().copied().map(u64::from_ne_bytes));
        let difference = one.zip(other).fold(0, |difference, (one, other)| difference | (one ^ other));
        difference.ct_eq(&0).into()
    }
}

impl Eq for KeyDigest {}

impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({}…)", &self.to_hex().as_str()[..8])
    }
}

/// Shortened as in `Debug`: a whole digest has no place in a response or a log.
#[cfg(feature = "serde")]
impl serde::Serialize for KeyDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}…", &self.to_hex().as_str()[..8]))
    }
}

/// A digest as the 64 characters that a column holds.
#[derive(Clone, Copy)]
pub struct HexDigest([u8; 64]);

impl HexDigest {
    /// The 64 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for HexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HexDigest({}…)", &self.as_str()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reproduces_the_fixed_vector() {
        // printf %s riq_example_key_0123456789 | sha256sum
        let digest = KeyDigest::of("riq_example_key_0123456789");
        assert_eq!(digest.to_hex().as_str(), "5cc8a52dc5b5b49473939b481fb7254c572726dd73dbbe4c7a34247c83b28c8f");
    }

    #[test]
    fn only_sixty_four_lowercase_hexadecimal_characters_are_a_digest() {
        let good = KeyDigest::of("x").to_hex();
        assert!(KeyDigest::from_hex(good.as_str()).is_some());
        assert!(KeyDigest::from_hex(&good.as_str()[..63]).is_none());
        assert!(KeyDigest::from_hex(&good.as_str().to_uppercase()).is_none());
        assert!(KeyDigest::from_hex(&format!("{}0", good.as_str())).is_none());
        assert!(KeyDigest::from_hex(&"g".repeat(64)).is_none());
        assert!(KeyDigest::from_hex("").is_none());
    }

    #[test]
    fn every_byte_survives_the_way_through_hexadecimal() {
        for byte in 0..=u8::MAX {
            let mut bytes = [byte; 32];
            bytes[31] = !byte;
            let hex = KeyDigest::from_bytes(bytes).to_hex();
            let expected = format!("{}{:02x}", format!("{byte:02x}").repeat(31), !byte);
            assert_eq!(hex.as_str(), expected);
            assert_eq!(KeyDigest::from_hex(&expected).map(|digest| *digest.as_bytes()), Some(bytes));
        }
    }

    #[test]
    fn one_foreign_character_in_any_place_spoils_a_digest() {
        let good = KeyDigest::of("x").to_hex();
        for place in 0..64 {
            for foreign in ["g", "A", "/", ":", "`", " "] {
                let (before, behind) = (&good.as_str()[..place], &good.as_str()[place + 1..]);
                assert!(KeyDigest::from_hex(&format!("{before}{foreign}{behind}")).is_none(), "{foreign} at {place}");
            }
        }
    }

    #[test]
    fn digests_that_differ_in_one_bit_anywhere_are_not_equal() {
        let digest = KeyDigest::of("x");
        assert_eq!(digest, KeyDigest::of("x"));
        for bit in 0..256 {
            let mut bytes = *digest.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(KeyDigest::from_bytes(bytes), digest, "bit {bit}");
        }
    }

    #[test]
    fn different_digests_have_different_hashes() {
        use std::hash::{BuildHasher as _, RandomState};

        let hasher = RandomState::new();
        let hash = |key| hasher.hash_one(KeyDigest::of(key));
        assert_eq!(hash("x"), hash("x"));
        assert_ne!(hash("x"), hash("y"));
    }

    #[test]
    fn debug_shows_eight_characters() {
        let digest = KeyDigest::of("x");
        assert_eq!(format!("{digest:?}"), "KeyDigest(2d711642…)");
        assert_eq!(format!("{:?}", digest.to_hex()), "HexDigest(2d711642…)");
    }
}
