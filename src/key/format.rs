//! What a system's keys look like: how they are generated, parsed and found by a secret scanner.

use std::fmt;

use zeroize::Zeroizing;

use crate::key::{DisplayPrefix, Encoding, KeyDigest};
use crate::random::{RandomSource, RandomUnavailable};
use crate::secret::Secret;

/// The longest text that is looked at as a key at all, in bytes.
pub const MAX_PRESENTED_LENGTH: usize = 512;

/// The form of a system's keys: a fixed prefix, then encoded random bytes.
///
/// Once keys have been handed out, the prefix and the length must never change: every key would be refused.
///
/// ```
/// use keyward::key::{Encoding, KeyFormat, MalformedKey};
/// use keyward::OsRandom;
///
/// // 32 random bytes in base62 with a checksum; the first 8 characters may be shown.
/// const FORMAT: KeyFormat = match KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9) {
///     Ok(format) => format,
///     Err(_) => panic!("the format is not sound"),
/// };
///
/// let secret = FORMAT.generate(&OsRandom)?;
/// assert!(FORMAT.parse(secret.expose_secret()).is_ok());
/// assert_eq!(FORMAT.parse("acme_x").unwrap_err(), MalformedKey::WrongLength { expected: 54, found: 6 });
/// # Ok::<(), keyward::RandomUnavailable>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFormat {
    prefix: &'static str,
    random_bytes: usize,
    encoding: Encoding,
    display_length: usize,
    accepts_any_body: bool,
}

impl KeyFormat {
    /// A format with `random_bytes` random bytes behind `prefix`, of whose keys the first `display_length`
    /// characters (prefix included) are stored in clear to tell keys apart.
    ///
    /// # Errors
    /// [`InvalidFormat`] when the prefix is not 2 to 16 of `A–Z a–z 0–9 _ -`, the first a letter or digit, when there are not 16 to 64 random
    /// bytes, or when the display prefix does not reach past the prefix or would leave fewer than 96 bits hidden.
    pub const fn new(
        prefix: &'static str,
        random_bytes: usize,
        encoding: Encoding,
        display_length: usize,
    ) -> Result<Self, InvalidFormat> {
        if prefix.len() < 2 || prefix.len() > 16 {
            return Err(InvalidFormat::Prefix);
        }
        // A scanner finds the start of a word only in front of a letter or digit.
        if !prefix.as_bytes()[0].is_ascii_alphanumeric() {
            return Err(InvalidFormat::Prefix);
        }
        let mut at = 0;
        while at < prefix.len() {
            let byte = prefix.as_bytes()[at];
            if !(byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
                return Err(InvalidFormat::Prefix);
            }
            at += 1;
        }
        if random_bytes < 16 || random_bytes > 64 {
            return Err(InvalidFormat::RandomBytes);
        }
        if display_length <= prefix.len() {
            return Err(InvalidFormat::DisplayLength);
        }
        let random_length = encoding.random_length(random_bytes);
        let shown = display_length - prefix.len();
        if shown > random_length || (random_length - shown) * random_bytes * 8 < 96 * random_length {
            return Err(InvalidFormat::DisplayLength);
        }
        Ok(Self { prefix, random_bytes, encoding, display_length, accepts_any_body: false })
    }

    /// The same format, which also accepts keys of any other length and alphabet behind the same prefix: for systems
    /// whose older keys are of unknown form. What is accepted is still printable ASCII of at most
    /// [`MAX_PRESENTED_LENGTH`] bytes.
    #[must_use]
    pub const fn accepting_any_body(self) -> Self {
        Self { accepts_any_body: true, ..self }
    }

    /// The fixed characters that every key starts with.
    #[must_use]
    pub const fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// The length of a generated key, in bytes.
    #[must_use]
    pub const fn key_length(&self) -> usize {
        self.prefix.len() + self.encoding.encoded_length(self.random_bytes)
    }

    /// How many characters from the start of a key are stored in clear.
    #[must_use]
    pub const fn display_length(&self) -> usize {
        self.display_length
    }

    /// A new key.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when `random` fails; there is no weaker fallback.
    pub fn generate(&self, random: &dyn RandomSource) -> Result<Secret, RandomUnavailable> {
        let mut bytes = Zeroizing::new([0; 64]);
        let bytes = &mut bytes[..self.random_bytes];
        random.fill(bytes)?;
        let mut text = String::with_capacity(self.key_length());
        text.push_str(self.prefix);
        self.encoding.encode_into(bytes, &mut text);
        Ok(Secret::new(text))
    }

    /// Looks at a presented text before anything is hashed or asked of a store.
    ///
    /// # Errors
    /// [`MalformedKey`] says in what the text differs from this format, without repeating any of it.
    pub fn parse<'k>(&self, presented: &'k str) -> Result<ParsedKey<'k>, MalformedKey> {
        let Some(body) = presented.strip_prefix(self.prefix) else {
            return Err(if presented.is_empty() {
                MalformedKey::Empty
            } else {
                MalformedKey::WrongPrefix { expected: self.prefix }
            });
        };
        if presented.len() > MAX_PRESENTED_LENGTH {
            return Err(MalformedKey::TooLong { limit: MAX_PRESENTED_LENGTH });
        }
        if body.is_empty() || !self.accepts_any_body && presented.len() != self.key_length() {
            return Err(MalformedKey::WrongLength { expected: self.key_length(), found: presented.len() });
        }
        let belongs =
            |byte: &u8| if self.accepts_any_body { byte.is_ascii_graphic() } else { self.encoding.contains(*byte) };
        // Looking at every byte is faster than stopping at the first foreign one, which is rare.
        if !body.bytes().fold(true, |all, byte| all & belongs(&byte)) {
            let position = body.bytes().position(|byte| !belongs(&byte)).unwrap_or_default();
            return Err(MalformedKey::ForeignCharacter { position: self.prefix.len() + position });
        }
        if !self.accepts_any_body && !self.encoding.checksum_matches(body) {
            return Err(MalformedKey::WrongChecksum);
        }
        Ok(ParsedKey { key: presented, display_length: self.display_length })
    }

    /// A key that this format has just generated, and that needs no look.
    pub(crate) fn generated<'k>(&self, secret: &'k Secret) -> ParsedKey<'k> {
        ParsedKey { key: secret.expose_secret(), display_length: self.display_length }
    }

    /// A regular expression that finds generated keys in text, for secret scanners such as GitHub's or gitleaks.
    /// It uses only what RE2, PCRE and Rust's `regex` share.
    ///
    /// Older keys that [`KeyFormat::accepting_any_body`] lets through are of unknown form and not described by it.
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

/// The formats of the systems whose tables keyward runs on. They are frozen.
impl KeyFormat {
    /// System A: `ckapi_` and 64 hexadecimal characters, 70 bytes; the first 12 are shown.
    pub const AGGREGATOR: Self = sound(Self::new("ckapi_", 32, Encoding::Hex, 12));
    /// System B: `cm_` and 43 base64url characters, 46 bytes; the first 11 are shown.
    pub const MESH: Self = sound(Self::new("cm_", 32, Encoding::Base64Url, 11));
    /// System C: `riq_` and 43 base64url characters, 47 bytes; the first 8 are shown. Any other body is accepted
    /// too, because nothing is known of the keys that the system issued itself.
    pub const SCRAPER: Self = sound(Self::new("riq_", 32, Encoding::Base64Url, 8)).accepting_any_body();
}

/// Turns an unsound constant into a compile error.
const fn sound(format: Result<KeyFormat, InvalidFormat>) -> KeyFormat {
    match format {
        Ok(format) => format,
        Err(_) => panic!("the key format is not sound"),
    }
}

/// A presented text that has the form of a key. Nothing is known yet of whether the key exists.
#[derive(Clone, Copy)]
pub struct ParsedKey<'k> {
    key: &'k str,
    display_length: usize,
}

impl<'k> ParsedKey<'k> {
    /// The digest by which the key is found and compared.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(self.key)
    }

    /// The first characters, which may be shown and stored; shorter than the format says only where the whole key is.
    #[must_use]
    pub fn display_prefix(&self) -> &'k str {
        &self.key[..self.display_length.min(self.key.len())]
    }

    pub(crate) fn to_display_prefix(self) -> DisplayPrefix {
        DisplayPrefix::from_stored(self.display_prefix())
    }
}

impl fmt::Debug for ParsedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key that is no longer than its display prefix would be shown whole.
        let shown = if self.key.len() > self.display_length { self.display_prefix() } else { "" };
        write!(f, "ParsedKey({shown}…)")
    }
}

/// In what a presented text differs from the format. It never repeats any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedKey {
    /// There is no text at all.
    #[error("the key is empty")]
    Empty,
    /// The text is longer than any key.
    #[error("the key is longer than {limit} bytes")]
    TooLong {
        /// [`MAX_PRESENTED_LENGTH`].
        limit: usize,
    },
    /// The text starts otherwise.
    #[error("the key does not start with {expected}")]
    WrongPrefix {
        /// The prefix of the format.
        expected: &'static str,
    },
    /// The text is too long or too short.
    #[error("the key has {found} bytes instead of {expected}")]
    WrongLength {
        /// Bytes of a key of this format.
        expected: usize,
        /// Bytes of the presented text.
        found: usize,
    },
    /// A byte is not of the format's alphabet.
    #[error("the key has a foreign character at byte {position}")]
    ForeignCharacter {
        /// Where, in bytes from the start.
        position: usize,
    },
    /// The checksum does not belong to the key: most likely it was mistyped or cut.
    #[error("the key's checksum is wrong")]
    WrongChecksum,
}

/// Why a [`KeyFormat`] would not be sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFormat {
    /// The prefix is not 2 to 16 of `A–Z a–z 0–9 _ -`, the first a letter or digit.
    #[error("the prefix must be 2 to 16 of A-Z a-z 0-9 _ -, the first a letter or digit")]
    Prefix,
    /// Fewer than 16 or more than 64 random bytes.
    #[error("a key must have 16 to 64 random bytes")]
    RandomBytes,
    /// The display prefix shows nothing, or leaves fewer than 96 bits hidden.
    #[error("the display prefix must reach past the prefix and leave at least 96 bits hidden")]
    DisplayLength,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefixes_and_lengths_of_the_three_systems_are_frozen() {
        let facts =
            |format: KeyFormat| (format.prefix, format.key_length(), format.display_length, format.accepts_any_body);
        assert_eq!(facts(KeyFormat::AGGREGATOR), ("ckapi_", 70, 12, false));
        assert_eq!(facts(KeyFormat::MESH), ("cm_", 46, 11, false));
        assert_eq!(facts(KeyFormat::SCRAPER), ("riq_", 47, 8, true));
    }

    #[test]
    fn every_kind_of_malformed_key_has_its_own_error() {
        use MalformedKey::{Empty, ForeignCharacter, TooLong, WrongChecksum, WrongLength, WrongPrefix};

        let aggregator = |text: &str| KeyFormat::AGGREGATOR.parse(text).unwrap_err();
        assert_eq!(aggregator(""), Empty);
        assert_eq!(aggregator("cm_x"), WrongPrefix { expected: "ckapi_" });
        assert_eq!(aggregator(" ckapi_"), WrongPrefix { expected: "ckapi_" });
        assert_eq!(aggregator("ckapi_"), WrongLength { expected: 70, found: 6 });
        assert_eq!(aggregator(&format!("ckapi_{}", "F".repeat(64))), ForeignCharacter { position: 6 });
        assert_eq!(aggregator(&format!("ckapi_{}\0", "f".repeat(63))), ForeignCharacter { position: 69 });
        assert_eq!(aggregator(&format!("ckapi_{}", "é".repeat(32))), ForeignCharacter { position: 6 });
        assert_eq!(aggregator(&format!("ckapi_{}", "f".repeat(600))), TooLong { limit: 512 });

        let scraper = |text: &'static str| KeyFormat::SCRAPER.parse(text);
        assert!(scraper("riq_a").is_ok());
        assert_eq!(scraper("riq_").unwrap_err(), WrongLength { expected: 47, found: 4 });
        assert_eq!(scraper("riq_a b").unwrap_err(), ForeignCharacter { position: 5 });
        assert_eq!(scraper("riq_a\0").unwrap_err(), ForeignCharacter { position: 5 });

        let checked = KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9).unwrap();
        let mut key = String::from("acme_");
        Encoding::Base62Checked.encode_into(&[7; 32], &mut key);
        assert!(checked.parse(&key).is_ok());
        let mistyped = key.replacen(key.chars().nth(10).unwrap(), "z", 1);
        assert_eq!(checked.parse(&mistyped).unwrap_err(), WrongChecksum);
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
