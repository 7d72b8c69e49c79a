//! What a schema's keys look like: how they are generated, parsed and found by a secret scanner.

use rand::TryCryptoRng;
use zeroize::Zeroizing;

use super::encoding::MAX_RANDOM_BYTES;
use crate::key::{Encoding, KeyPrefix, MalformedKey, ParsedKey};
use crate::random::RandomUnavailable;
use crate::secret::Secret;

/// The longest text that is looked at as a key at all, in bytes.
pub const MAX_PRESENTED_LEN: usize = 512;

/// The form of the keys that keyward makes: a fixed prefix, then encoded random bytes.
///
/// Once keys have been handed out, the prefix and the length must never change: every key would be refused.
///
/// ```
/// use keyward::key::{Encoding, KeyFormat, MalformedKey};
/// use rand::rngs::SysRng;
///
/// // 32 random bytes in base62 with a checksum; the first 9 characters may be shown.
/// const FORMAT: KeyFormat = match KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9) {
///     Ok(format) => format,
///     Err(_) => panic!("the format is not sound"),
/// };
///
/// let secret = FORMAT.generate(&mut SysRng)?;
/// assert!(FORMAT.parse(secret.expose_secret()).is_ok());
/// assert_eq!(FORMAT.parse("acme_x").unwrap_err(), MalformedKey::WrongLength { expected: 54, found: 6 });
/// # Ok::<(), keyward::RandomUnavailable>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFormat {
    prefix: KeyPrefix,
    random_bytes: usize,
    encoding: Encoding,
    key_len: usize,
    display_len: usize,
}

impl KeyFormat {
    /// A format with `random_bytes` random bytes behind `prefix`, of whose keys the first `display_len` characters
    /// (prefix included) are stored in clear to tell keys apart.
    ///
    /// # Errors
    /// [`InvalidFormat`] when the prefix is not 2 to 16 of `A–Z a–z 0–9 _ -`, the first a letter or digit, when there
    /// are not 16 to 64 random bytes, or when the display prefix does not reach past the prefix or would leave fewer
    /// than 96 bits hidden.
    pub const fn new(
        prefix: &str,
        random_bytes: usize,
        encoding: Encoding,
        display_len: usize,
    ) -> Result<Self, InvalidFormat> {
        let prefix = match KeyPrefix::new(prefix) {
            Ok(prefix) => prefix,
            Err(error) => return Err(error),
        };
        if random_bytes < 16 || random_bytes > MAX_RANDOM_BYTES {
            return Err(InvalidFormat::RandomBytes);
        }
        if display_len <= prefix.len() {
            return Err(InvalidFormat::DisplayLength);
        }
        let random_length = encoding.random_length(random_bytes);
        let shown = display_len - prefix.len();
        if shown > random_length || (random_length - shown) * random_bytes * 8 < 96 * random_length {
            return Err(InvalidFormat::DisplayLength);
        }
        let key_len = prefix.len() + encoding.encoded_length(random_bytes);
        Ok(Self { prefix, random_bytes, encoding, key_len, display_len })
    }

    /// The same format behind another prefix, of whose characters as many are shown.
    pub(crate) const fn with_prefix(&self, prefix: &str) -> Result<Self, InvalidFormat> {
        let shown = self.display_len - self.prefix.len();
        Self::new(prefix, self.random_bytes, self.encoding, prefix.len() + shown)
    }

    /// The fixed characters that every key starts with.
    #[must_use]
    pub const fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    /// The length of a generated key, in bytes.
    #[must_use]
    pub const fn key_len(&self) -> usize {
        self.key_len
    }

    /// How many characters from the start of a key are stored in clear.
    #[must_use]
    pub const fn display_len(&self) -> usize {
        self.display_len
    }

    /// A new key.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when `random` fails; there is no weaker fallback.
    pub fn generate<R: TryCryptoRng + ?Sized>(&self, random: &mut R) -> Result<Secret, RandomUnavailable> {
        let mut bytes = Zeroizing::new([0; MAX_RANDOM_BYTES]);
        let bytes = &mut bytes[..self.random_bytes];
        random.try_fill_bytes(bytes).map_err(|_| RandomUnavailable)?;
        let mut text = String::with_capacity(self.key_len);
        text.push_str(self.prefix.as_str());
        self.encoding.encode_into(bytes, &mut text);
        Ok(Secret::new(text))
    }

    /// Looks at a presented text before anything is hashed or asked of a store.
    ///
    /// # Errors
    /// [`MalformedKey`] says in what the text differs from this format, without repeating any of it.
    #[inline]
    pub fn parse<'k>(&self, presented: &'k str) -> Result<ParsedKey<'k>, MalformedKey> {
        if self.accepts(presented.as_bytes()) {
            Ok(ParsedKey::new(presented, self.display_len))
        } else {
            Err(self.malformed(presented.as_bytes()))
        }
    }

    #[inline]
    fn accepts(&self, presented: &[u8]) -> bool {
        presented.len() == self.key_len
            && self
                .prefix
                .strip_from(presented)
                .is_some_and(|body| self.encoding.contains_all(body) && self.encoding.checksum_matches(body))
    }

    /// In what a text that is not accepted differs.
    #[cold]
    fn malformed(&self, presented: &[u8]) -> MalformedKey {
        if presented.is_empty() {
            return MalformedKey::Empty;
        }
        let Some(body) = self.prefix.strip_from(presented) else {
            return MalformedKey::WrongPrefix { expected: self.prefix };
        };
        if presented.len() > MAX_PRESENTED_LEN {
            return MalformedKey::TooLong { limit: MAX_PRESENTED_LEN };
        }
        if presented.len() != self.key_len {
            return MalformedKey::WrongLength { expected: self.key_len, found: presented.len() };
        }
        if self.encoding.contains_all(body) {
            return MalformedKey::WrongChecksum;
        }
        let position = body.iter().position(|byte| !self.encoding.contains(*byte)).unwrap_or_default();
        MalformedKey::ForeignCharacter { position: self.prefix.len() + position }
    }

    /// A key that this format has just generated, and that needs no look.
    pub(crate) fn generated<'k>(&self, secret: &'k Secret) -> ParsedKey<'k> {
        ParsedKey::new(secret.expose_secret(), self.display_len)
    }

    /// A regular expression that finds generated keys in text, for secret scanners such as GitHub's or gitleaks.
    /// It uses only what RE2, PCRE and Rust's `regex` share.
    ///
    /// ```
    /// use keyward::key::KeyFormat;
    ///
    /// assert_eq!(KeyFormat::AGGREGATOR.scanner_regex(), r"\bckapi_[0-9a-f]{64}\b");
    /// ```
    #[must_use]
    pub fn scanner_regex(&self) -> String {
        let class = self.encoding.character_class();
        let length = self.encoding.encoded_length(self.random_bytes);
        // `-` is no word character: behind a body that may end in one, `\b` would miss keys.
        let end = if matches!(self.encoding, Encoding::Base64Url) { "" } else { r"\b" };
        format!(r"\b{}{class}{{{length}}}{end}", self.prefix)
    }
}

/// Turns an unsound constant into a compile error.
pub(crate) const fn sound(format: Result<KeyFormat, InvalidFormat>) -> KeyFormat {
    match format {
        Ok(format) => format,
        Err(_) => panic!("the key format is not sound"),
    }
}

/// Why a [`KeyFormat`] would not be sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFormat {
    /// The prefix is not 2 to 16 of `A–Z a–z 0–9 _ -`, the first a letter or digit.
    #[error("the prefix must be 2 to 16 of A-Z a-z 0-9 _ -, the first a letter or digit")]
    Prefix,
    /// A service's prefix ends with `_`, or is too long together with its environment.
    #[error(
        "the service's prefix must be 1 to {longest} of A-Z a-z 0-9 _ -, start with a letter or digit, and not end with _"
    )]
    ServicePrefix {
        /// The most characters that leave room for `_`, the environment and another `_`.
        longest: usize,
    },
    /// Fewer than 16 or more than 64 random bytes.
    #[error("a key must have 16 to 64 random bytes")]
    RandomBytes,
    /// A foreign format's lengths are no range within 8 to 512 bytes, or leave too little behind the prefix.
    #[error("a foreign format takes a prefix and lengths from 8 to 512 bytes, at least 8 of them behind the prefix")]
    Lengths,
    /// The display prefix shows nothing, or leaves fewer than 96 bits hidden.
    #[error("the display prefix must reach past the prefix and leave at least 96 bits hidden")]
    DisplayLength,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefixes_and_lengths_of_the_host_schemas_are_frozen() {
        let facts = |format: KeyFormat| (format.prefix.to_string(), format.key_len(), format.display_len);
        assert_eq!(facts(KeyFormat::AGGREGATOR), ("ckapi_".to_owned(), 70, 12));
        assert_eq!(facts(KeyFormat::MESH), ("cm_".to_owned(), 46, 11));
        assert_eq!(facts(KeyFormat::SCRAPER), ("riq_".to_owned(), 47, 8));
    }

    #[test]
    fn every_kind_of_malformed_key_has_its_own_error() {
        use MalformedKey::{Empty, ForeignCharacter, TooLong, WrongChecksum, WrongLength, WrongPrefix};

        let aggregator = |text: &str| KeyFormat::AGGREGATOR.parse(text).unwrap_err();
        assert_eq!(aggregator(""), Empty);
        let expected = KeyPrefix::new("ckapi_").unwrap();
        assert_eq!(aggregator("cm_x"), WrongPrefix { expected });
        assert_eq!(aggregator(" ckapi_"), WrongPrefix { expected });
        assert_eq!(aggregator("ckapi_"), WrongLength { expected: 70, found: 6 });
        assert_eq!(aggregator(&format!("ckapi_{}", "F".repeat(64))), ForeignCharacter { position: 6 });
        assert_eq!(aggregator(&format!("ckapi_{}\0", "f".repeat(63))), ForeignCharacter { position: 69 });
        assert_eq!(aggregator(&format!("ckapi_{}", "é".repeat(32))), ForeignCharacter { position: 6 });
        assert_eq!(aggregator(&format!("ckapi_{}", "f".repeat(506))), WrongLength { expected: 70, found: 512 });
        assert_eq!(aggregator(&format!("ckapi_{}", "f".repeat(507))), TooLong { limit: 512 });

        let checked = KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9).unwrap();
        let mut key = String::from("acme_");
        Encoding::Base62Checked.encode_into(&[7; 32], &mut key);
        assert!(checked.parse(&key).is_ok());
        let mistyped = key.replacen(key.chars().nth(10).unwrap(), "z", 1);
        assert_eq!(checked.parse(&mistyped).unwrap_err(), WrongChecksum);
    }

    #[test]
    fn a_parsed_key_shows_its_display_prefix_and_never_the_whole_key() {
        let key = format!("ckapi_{}", "0a".repeat(32));
        assert_eq!(format!("{:?}", KeyFormat::AGGREGATOR.parse(&key).unwrap()), "ParsedKey(ckapi_0a0a0a…)");
        assert_eq!(format!("{:?}", ParsedKey::new("riq_x", 8)), "ParsedKey(…)");
        assert_eq!(format!("{:?}", ParsedKey::new("riq_0123", 8)), "ParsedKey(…)");
        assert_eq!(format!("{:?}", KeyFormat::AGGREGATOR.prefix()), "KeyPrefix(ckapi_)");
    }

    #[test]
    fn a_scanner_looks_for_the_prefix_and_a_whole_body() {
        assert_eq!(KeyFormat::AGGREGATOR.scanner_regex(), r"\bckapi_[0-9a-f]{64}\b");
        assert_eq!(KeyFormat::MESH.scanner_regex(), r"\bcm_[A-Za-z0-9_-]{43}");
    }

    #[test]
    fn unsound_formats_are_refused() {
        let new = |prefix, bytes, shown| KeyFormat::new(prefix, bytes, Encoding::Hex, shown).unwrap_err();
        assert_eq!(new("x", 32, 8), InvalidFormat::Prefix);
        assert_eq!(new("riq.", 32, 8), InvalidFormat::Prefix);
        assert_eq!(new("a_very_long_prefix", 32, 20), InvalidFormat::Prefix);
        assert_eq!(new("riq_", 15, 8), InvalidFormat::RandomBytes);
        assert_eq!(new("riq_", 65, 8), InvalidFormat::RandomBytes);
        assert_eq!(new("riq_", 32, 4), InvalidFormat::DisplayLength);
        assert_eq!(new("riq_", 16, 13), InvalidFormat::DisplayLength);
    }
}
