//! The name of a key, which stands in clear in every envelope that the key sealed.

use std::fmt;
use std::str::FromStr;

/// The longest name of a key, in bytes.
///
/// A key in base64 is longer, so that a key which was written where a name belongs is never taken for one.
pub const MAX_SEAL_KEY_ID_LEN: usize = 32;

/// The name of a [`SealKey`](crate::seal::SealKey): 1 to 32 of `A–Z a–z 0–9 _ -`.
///
/// It is not secret: it stands in each envelope, in errors and in logs. A date is a good one. A name is used once; a new
/// key gets a new one.
///
/// ```
/// use keyward::seal::SealKeyId;
///
/// let id: SealKeyId = "2026-07".parse()?;
/// assert_eq!(id.as_str(), "2026-07");
/// assert!("2026/07".parse::<SealKeyId>().is_err());
/// # Ok::<(), keyward::seal::InvalidSealKeyId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealKeyId {
    // Behind the name there are zeros, so that names are ordered as their texts are.
    bytes: [u8; MAX_SEAL_KEY_ID_LEN],
    length: u8,
}

impl SealKeyId {
    /// Checks a name.
    ///
    /// # Errors
    /// [`InvalidSealKeyId`] when it is empty, longer than [`MAX_SEAL_KEY_ID_LEN`], or has another character than
    /// `A–Z a–z 0–9 _ -`. It does not repeat the text.
    pub fn new(id: &str) -> Result<Self, InvalidSealKeyId> {
        if id.is_empty() {
            return Err(InvalidSealKeyId::Empty);
        }
        let mut bytes = [0; MAX_SEAL_KEY_ID_LEN];
        let too_long = InvalidSealKeyId::TooLong { limit: MAX_SEAL_KEY_ID_LEN };
        bytes.get_mut(..id.len()).ok_or(too_long)?.copy_from_slice(id.as_bytes());
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            return Err(InvalidSealKeyId::Character);
        }
        let length = u8::try_from(id.len()).map_err(|_| too_long)?;
        Ok(Self { bytes, length })
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl FromStr for SealKeyId {
    type Err = InvalidSealKeyId;

    fn from_str(id: &str) -> Result<Self, InvalidSealKeyId> {
        Self::new(id)
    }
}

impl TryFrom<&str> for SealKeyId {
    type Error = InvalidSealKeyId;

    fn try_from(id: &str) -> Result<Self, InvalidSealKeyId> {
        Self::new(id)
    }
}

impl fmt::Display for SealKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SealKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKeyId({self})")
    }
}

/// Why a text is no name of a key. It does not repeat the text, which may be a key in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSealKeyId {
    /// There is no text.
    #[error("the name of a key must not be empty")]
    Empty,
    /// The text is too long.
    #[error("the name of a key must not be longer than {limit} characters")]
    TooLong {
        /// The most characters that are taken.
        limit: usize,
    },
    /// The text has a character that names do not have.
    #[error("the name of a key has other characters than A-Z, a-z, 0-9, _ and -")]
    Character,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_to_thirty_two_of_its_characters_are_a_name() {
        for id in ["a", "Z", "0", "_", "-", "2026-07", "A_b-C", &"x".repeat(32)] {
            let parsed = SealKeyId::new(id).unwrap();
            assert_eq!((parsed.as_str(), parsed.to_string()), (id, id.to_owned()));
            assert_eq!((id.parse(), SealKeyId::try_from(id)), (Ok(parsed), Ok(parsed)));
            assert_eq!(format!("{parsed:?}"), format!("SealKeyId({id})"));
        }
    }

    #[test]
    fn nothing_else_is_a_name_and_the_error_says_why() {
        assert_eq!(SealKeyId::new(""), Err(InvalidSealKeyId::Empty));
        for long in ["x".repeat(33), "é".repeat(20), "x".repeat(300)] {
            assert_eq!(SealKeyId::new(&long), Err(InvalidSealKeyId::TooLong { limit: 32 }));
        }
        for other in (0..=u8::MAX).map(char::from).filter(|c| !(c.is_ascii_alphanumeric() || "_-".contains(*c))) {
            for text in [format!("{other}"), format!("a{other}b"), format!("a{other}")] {
                assert_eq!(SealKeyId::new(&text), Err(InvalidSealKeyId::Character), "{text:?}");
            }
        }
    }

    #[test]
    fn names_are_ordered_as_their_texts_are() {
        let mut texts = ["b", "a", "ab", "a-", "B", "aa", "2026-10", "2026-1"];
        let mut ids = texts.map(|text| SealKeyId::new(text).unwrap());
        texts.sort_unstable();
        ids.sort_unstable();
        assert_eq!(ids.each_ref().map(SealKeyId::as_str), texts);
    }
}
