//! What becomes of a presented text: a key by its form, or the way in which it is none.

use std::fmt;

use crate::key::{DisplayPrefix, KeyDigest, KeyPrefix};

/// A presented text that has the form of a key. Nothing is known yet of whether the key exists.
#[derive(Clone, Copy)]
pub struct ParsedKey<'k> {
    key: &'k str,
    display_len: usize,
}

impl<'k> ParsedKey<'k> {
    #[inline]
    pub(crate) const fn new(key: &'k str, display_len: usize) -> Self {
        Self { key, display_len }
    }

    /// The digest by which the key is found and compared.
    #[inline]
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(self.key)
    }

    /// The first characters, which may be shown and stored; shorter than the format says only where the whole key is.
    #[must_use]
    pub fn display_prefix(&self) -> &'k str {
        &self.key[..self.display_len.min(self.key.len())]
    }

    pub(crate) fn to_display_prefix(self) -> DisplayPrefix {
        DisplayPrefix::from_stored(self.display_prefix())
    }
}

impl fmt::Debug for ParsedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key that is no longer than its display prefix would be shown whole.
        let shown = if self.key.len() > self.display_len { self.display_prefix() } else { "" };
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
        /// [`MAX_PRESENTED_LEN`](crate::key::MAX_PRESENTED_LEN).
        limit: usize,
    },
    /// The text is a key of the same service, but of another environment.
    #[error("the key belongs to another environment")]
    OtherEnvironment,
    /// The text starts otherwise.
    #[error("the key does not start with {expected}")]
    WrongPrefix {
        /// The prefix of the format.
        expected: KeyPrefix,
    },
    /// The text starts otherwise than the keys of a foreign format.
    #[error("the key has another prefix")]
    OtherPrefix,
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

impl MalformedKey {
    /// Whether the text does not even start like a key of the format.
    pub(crate) const fn is_prefix(&self) -> bool {
        matches!(self, Self::WrongPrefix { .. } | Self::OtherPrefix)
    }
}
