//! The envelope of one secret, as the text that a column holds.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::seal::ring::TAG_LEN;
use crate::seal::{InvalidSealKeyId, MAX_SEALED_PLAINTEXT_LEN, SealKeyId, SealNonce};

/// What every envelope starts with, its version included.
const START: &str = "keyward.1.";

/// The longest envelope, in bytes of text. All of them are ASCII.
pub const MAX_SEALED_LEN: usize = START.len()
    + crate::seal::MAX_SEAL_KEY_ID_LEN
    + 1
    + ((SealNonce::LEN + MAX_SEALED_PLAINTEXT_LEN + TAG_LEN) * 8).div_ceil(6);

/// A sealed secret: `keyward.1.<key id>.<base64url of nonce, ciphertext and tag>`.
///
/// It is made by [`SealKeys::seal`](crate::seal::SealKeys::seal), kept in a column of text, read back by
/// [`parse`](Self::parse), and opened by [`SealKeys::open`](crate::seal::SealKeys::open). Around a plaintext of *n*
/// bytes it is 11 + ⁴⁄₃ (*n* + 40) characters long, rounded up, besides the name of its key. `Debug` shows that name and
/// the length alone.
///
/// ```
/// use keyward::seal::{InvalidSealed, Sealed};
///
/// let sealed: Sealed = "keyward.1.2026-07.ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7HVOL1Zlc7PHvEOlQzQrT6bk7wVGTRb7YrDQKh-j3-reY\
///     n4xl8htDhEZpW2QyZg"
///     .parse()?;
/// assert_eq!(sealed.key_id().as_str(), "2026-07");
///
/// // What was never sealed is told from what was altered.
/// assert_eq!(Sealed::parse("a plaintext"), Err(InvalidSealed::NotSealed));
/// assert_eq!(Sealed::parse(&sealed.as_str()[..38]), Err(InvalidSealed::TooShort));
/// # Ok::<(), InvalidSealed>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed {
    text: String,
    key_id: SealKeyId,
}

impl Sealed {
    /// Puts an envelope around `payload`: nonce, ciphertext and tag.
    pub(super) fn new(key_id: SealKeyId, payload: &[u8]) -> Self {
        let start = START.len() + key_id.as_str().len() + 1;
        let mut text = String::with_capacity(start + (payload.len() * 8).div_ceil(6));
        text.push_str(START);
        text.push_str(key_id.as_str());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        Self { text, key_id }
    }

    /// Reads what a column holds. There is one text for each envelope: no padding, no white space, no bits to spare.
    ///
    /// Whether the envelope is genuine shows only when it is opened.
    ///
    /// # Errors
    /// [`InvalidSealed`] says what is wrong with the text, and does not repeat it: it may be a plaintext.
    pub fn parse(text: &str) -> Result<Self, InvalidSealed> {
        let key_id = read(text)?;
        Ok(Self { text: text.to_owned(), key_id })
    }

    /// How every envelope begins that was sealed with this key.
    #[must_use]
    pub fn start(key_id: &SealKeyId) -> String {
        format!("{START}{key_id}.")
    }

    /// The text, which a column holds as it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Which key it was sealed with, as it says itself. Opening proves it.
    #[must_use]
    pub const fn key_id(&self) -> &SealKeyId {
        &self.key_id
    }

    /// Nonce, ciphertext and tag; at least as many bytes as the first and the last of them have.
    pub(super) fn payload(&self) -> Vec<u8> {
        let start = START.len() + self.key_id.as_str().len() + 1;
        // The text was decoded before, or was encoded here.
        URL_SAFE_NO_PAD.decode(&self.text[start..]).unwrap_or_default()
    }
}

/// Checks a whole envelope, and returns the name of its key.
fn read(text: &str) -> Result<SealKeyId, InvalidSealed> {
    let Some(rest) = text.strip_prefix(START) else {
        let other = text.strip_prefix("keyward.").and_then(|rest| rest.split_once('.'));
        let is_version = |version: &str| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        return Err(match other {
            Some((version, _)) if is_version(version) => InvalidSealed::Version,
            _ => InvalidSealed::NotSealed,
        });
    };
    if text.len() > MAX_SEALED_LEN {
        return Err(InvalidSealed::TooLong { limit: MAX_SEALED_LEN });
    }
    let (key_id, payload) = rest.split_once('.').ok_or(InvalidSealed::TooShort)?;
    let key_id = SealKeyId::new(key_id)?;
    // This decoder takes neither padding nor bits behind the last byte.
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| InvalidSealed::NotBase64)?;
    if payload.len() < SealNonce::LEN + TAG_LEN {
        return Err(InvalidSealed::TooShort);
    }
    if payload.len() > SealNonce::LEN + MAX_SEALED_PLAINTEXT_LEN + TAG_LEN {
        return Err(InvalidSealed::TooLong { limit: MAX_SEALED_LEN });
    }
    Ok(key_id)
}

impl FromStr for Sealed {
    type Err = InvalidSealed;

    fn from_str(text: &str) -> Result<Self, InvalidSealed> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Sealed {
    type Error = InvalidSealed;

    fn try_from(text: String) -> Result<Self, InvalidSealed> {
        let key_id = read(&text)?;
        Ok(Self { text, key_id })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({}, {} bytes)", self.key_id, self.text.len())
    }
}

/// Why a text is no envelope. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSealed {
    /// The text is something else, such as a plaintext that was stored before secrets were sealed.
    #[error("this is no sealed secret")]
    NotSealed,
    /// The envelope is of a version that this one does not know: a newer program has written it.
    #[error("the sealed secret is of a version that this program does not know")]
    Version,
    /// The name of the key is none.
    #[error("the sealed secret names no key: {0}")]
    KeyId(#[from] InvalidSealKeyId),
    /// The payload is not base64url without padding, or not in its only form.
    #[error("the sealed secret is not in base64url")]
    NotBase64,
    /// The end is missing.
    #[error("the sealed secret is cut off")]
    TooShort,
    /// The text is longer than any that was sealed.
    #[error("the sealed secret is longer than {limit} bytes")]
    TooLong {
        /// The most bytes that are taken.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "keyward.1.k.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn an_envelope_comes_back_letter_for_letter() {
        let sealed = Sealed::parse(GOOD).unwrap();
        assert_eq!((sealed.as_str(), sealed.key_id().as_str()), (GOOD, "k"));
        assert_eq!(sealed.payload(), [0; 40]);
        assert_eq!(Sealed::try_from(GOOD.to_owned()), Ok(sealed.clone()));
        assert_eq!(Sealed::new(*sealed.key_id(), &[0; 40]), sealed);
        assert_eq!(format!("{sealed:?}"), "Sealed(k, 66 bytes)");
    }

    #[test]
    fn what_was_never_sealed_is_told_from_what_a_newer_program_wrote() {
        for text in ["", "a", "ya29.token", "keyward", "keyward.", "keyward.1", "Keyward.1.k.AAAA", "keyward.x.k.AAAA"]
        {
            assert_eq!(Sealed::parse(text), Err(InvalidSealed::NotSealed), "{text:?}");
        }
        for text in [" ", "\u{feff}", "\n", "\0"] {
            assert_eq!(Sealed::parse(&format!("{text}{GOOD}")), Err(InvalidSealed::NotSealed));
        }
        for version in ["2", "01", "10", "0", "99999999999999999999"] {
            assert_eq!(Sealed::parse(&GOOD.replacen('1', version, 1)), Err(InvalidSealed::Version), "{version}");
        }
    }

    #[test]
    fn each_part_has_its_own_error() {
        let with = |key_id: &str, payload: &str| Sealed::parse(&format!("keyward.1.{key_id}.{payload}"));
        let payload = "A".repeat(54);
        assert!(with("k", &payload).is_ok());
        assert_eq!(with("", &payload), Err(InvalidSealed::KeyId(InvalidSealKeyId::Empty)));
        assert_eq!(with("k k", &payload), Err(InvalidSealed::KeyId(InvalidSealKeyId::Character)));
        let long = InvalidSealed::KeyId(InvalidSealKeyId::TooLong { limit: 32 });
        assert_eq!(with(&"k".repeat(33), &payload), Err(long));
        assert_eq!(Sealed::parse("keyward.1.k"), Err(InvalidSealed::TooShort));
        assert_eq!(with("k", ""), Err(InvalidSealed::TooShort));
        assert_eq!(with("k", &payload[..52]), Err(InvalidSealed::TooShort));
        assert_eq!(with("k", &payload[..53]), Err(InvalidSealed::NotBase64), "no number of bytes has 53 characters");
    }

    #[test]
    fn there_is_one_text_for_each_envelope() {
        let payload = &GOOD[..GOOD.len() - 1];
        // 40 bytes leave 4 bits of the last character unused, which are zero.
        for last in "BCDEFGHIJKLMNOP-_9".chars() {
            assert_eq!(Sealed::parse(&format!("{payload}{last}")), Err(InvalidSealed::NotBase64), "{last}");
        }
        for last in ["Q", "g", "w"] {
            assert!(Sealed::parse(&format!("{payload}{last}")).is_ok(), "{last}");
        }
        for behind in ["=", "==", "\n", " ", "\0", ".", ".AAAA", "é"] {
            assert_eq!(Sealed::parse(&format!("{GOOD}{behind}")), Err(InvalidSealed::NotBase64), "{behind:?}");
        }
        for inside in ["+", "/", " ", "\n", "\r\n", "\t", "\0", ".", "="] {
            let text = format!("{}{inside}{}", &GOOD[..20], &GOOD[20 + inside.len()..]);
            assert_eq!(Sealed::parse(&text), Err(InvalidSealed::NotBase64), "{inside:?}");
        }
    }

    #[test]
    fn the_longest_envelope_is_taken_and_one_byte_more_is_not() {
        let longest_id = "k".repeat(32).parse().unwrap();
        let bytes = SealNonce::LEN + MAX_SEALED_PLAINTEXT_LEN + TAG_LEN;
        let longest = Sealed::new(longest_id, &vec![0; bytes]);
        assert_eq!(longest.as_str().len(), MAX_SEALED_LEN);
        assert_eq!(Sealed::parse(longest.as_str()), Ok(longest));
        let too_long = Err(InvalidSealed::TooLong { limit: MAX_SEALED_LEN });
        assert_eq!(Sealed::parse(Sealed::new(longest_id, &vec![0; bytes + 1]).as_str()), too_long);
        // A short name leaves room in the text, and none for the plaintext.
        let short_id = "k".parse().unwrap();
        assert_eq!(Sealed::parse(Sealed::new(short_id, &vec![0; bytes + 1]).as_str()), too_long);
        assert_eq!(Sealed::parse(&format!("{GOOD}{}", "A".repeat(MAX_SEALED_LEN))), too_long);
    }

    #[test]
    fn no_error_repeats_the_text() {
        for text in ["hunter2-hunter2", "keyward.1.hunter2!.AAAA", "keyward.1.k.hunter2!", "keyward.7.hunter2.x"] {
            let error = Sealed::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
