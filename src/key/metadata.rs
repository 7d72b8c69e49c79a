//! What a host keeps with a key: a bounded text that comes back byte for byte.

use std::fmt;
use std::str::FromStr;

/// The longest metadata, in bytes.
pub const MAX_METADATA_LEN: usize = 16 * 1024;

/// What the host keeps with a key. keyward never looks into it; most hosts put a JSON document there.
///
/// At most [`MAX_METADATA_LEN`] bytes, without NUL characters, which PostgreSQL cannot hold. It is not shown by
/// `Debug`, because nobody knows what is in it.
///
/// ```
/// use keyward::key::Metadata;
///
/// let metadata = Metadata::new(r#"{"plan": "pro", "big": 12345678901234567890123}"#)?;
/// assert!(metadata.as_str().ends_with("12345678901234567890123}"));
/// assert!(Metadata::new("\0").is_err());
/// # Ok::<(), keyward::key::InvalidMetadata>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Metadata(Box<str>);

impl Metadata {
    /// Takes any text.
    ///
    /// # Errors
    /// [`InvalidMetadata`] when it is longer than [`MAX_METADATA_LEN`] bytes or has a NUL character.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidMetadata> {
        let text = text.into();
        if text.len() > MAX_METADATA_LEN {
            return Err(InvalidMetadata::TooLong { limit: MAX_METADATA_LEN });
        }
        if text.contains('\0') {
            return Err(InvalidMetadata::NulCharacter);
        }
        Ok(Self(text))
    }

    /// Takes what a store holds, however long it is. For authors of stores.
    #[must_use]
    pub fn from_stored(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text, byte for byte as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Metadata {
    type Err = InvalidMetadata;

    fn from_str(text: &str) -> Result<Self, InvalidMetadata> {
        Self::new(text)
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metadata({} bytes)", self.0.len())
    }
}

/// Why a text was not taken as metadata. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// The text is too long.
    #[error("the metadata must not be longer than {limit} bytes")]
    TooLong {
        /// [`MAX_METADATA_LEN`].
        limit: usize,
    },
    /// The text has a NUL character.
    #[error("the metadata must not contain NUL characters")]
    NulCharacter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_takes_sixteen_kibibytes_and_no_byte_more() {
        assert!(Metadata::new("x".repeat(16_384)).is_ok());
        assert_eq!(Metadata::new("x".repeat(16_385)).unwrap_err(), InvalidMetadata::TooLong { limit: 16_384 });
    }
}
