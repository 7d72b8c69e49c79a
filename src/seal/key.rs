//! One key: 256 bits that seal and open.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rand::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::random::RandomUnavailable;
use crate::secret::Secret;

/// How many bytes a key has.
const LEN: usize = 32;

/// A key in base64url without padding.
const TEXT_LEN: usize = (LEN * 8).div_ceil(6);

/// A key of 256 bits. Its memory is wiped when the last clone is dropped; clones share the bytes.
///
/// `keyward seal-key`, [`generate`](Self::generate) and `openssl rand -base64 32` make one. A password is none.
///
/// ```
/// use keyward::seal::{InvalidSealKey, SealKey};
/// # use rand::rngs::SysRng;
///
/// let key = SealKey::generate(&mut SysRng)?;
/// let text = key.to_base64(); // 43 characters, for the environment or a file that only the service reads
/// assert!(SealKey::from_base64(text.expose_secret()).is_ok());
///
/// assert_eq!(format!("{key:?}"), "SealKey(…)");
/// assert_eq!(SealKey::from_base64("hunter2").unwrap_err(), InvalidSealKey::NotBase64);
/// assert_eq!(SealKey::from_base64("aHVudGVyMg==").unwrap_err(), InvalidSealKey::Length { bytes: 7 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SealKey(Arc<Zeroizing<[u8; LEN]>>);

impl SealKey {
    /// A new key.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when `random` fails, or gives nothing but zeros; there is no weaker fallback.
    pub fn generate<R: TryCryptoRng + ?Sized>(random: &mut R) -> Result<Self, RandomUnavailable> {
        let mut key = Self::zero();
        random.try_fill_bytes(key.bytes_mut()).map_err(|_| RandomUnavailable)?;
        key.unless_zero().ok_or(RandomUnavailable)
    }

    /// Takes exactly 32 bytes, as a key management service hands them out. Wiping the original is up to its owner.
    ///
    /// # Errors
    /// [`InvalidSealKey::Length`] when there are more or fewer; [`InvalidSealKey::AllZero`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSealKey> {
        if bytes.len() != LEN {
            return Err(InvalidSealKey::Length { bytes: bytes.len() });
        }
        let mut key = Self::zero();
        key.bytes_mut().copy_from_slice(bytes);
        key.unless_zero().ok_or(InvalidSealKey::AllZero)
    }

    /// Reads 32 bytes in base64: with `+` and `/` or with `-` and `_`, padded or not, and nothing around it.
    ///
    /// # Errors
    /// [`InvalidSealKey`] says what is wrong with the text, without repeating any of it.
    pub fn from_base64(text: &str) -> Result<Self, InvalidSealKey> {
        let alphabet = if text.contains(['+', '/']) { &STANDARD } else { &URL_SAFE };
        // All of it is reserved beforehand, so that no copy is left behind by a reallocation.
        let mut bytes = Zeroizing::new(Vec::with_capacity(base64::decoded_len_estimate(text.len())));
        decoder(alphabet).decode_vec(text, &mut bytes).map_err(|_| InvalidSealKey::NotBase64)?;
        Self::from_bytes(&bytes)
    }

    /// The key as 43 characters of base64url, without padding. Whoever has it opens whatever the key sealed.
    #[must_use]
    pub fn to_base64(&self) -> Secret {
        let mut text = vec![0; TEXT_LEN];
        // The buffer is exactly as long as the text, the one thing that this call can refuse.
        let written = URL_SAFE_NO_PAD.encode_slice(self.as_bytes(), &mut text);
        debug_assert_eq!(written, Ok(TEXT_LEN));
        // Base64 is ASCII.
        Secret::new(String::from_utf8(text).unwrap_or_default())
    }

    pub(super) fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// Whether two keys are the same, in the same time whatever they are.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// A place to write a key to, so that it is never moved.
    fn zero() -> Self {
        Self(Arc::new(Zeroizing::new([0; LEN])))
    }

    fn bytes_mut(&mut self) -> &mut [u8; LEN] {
        let bytes: &mut Zeroizing<[u8; LEN]> = Arc::make_mut(&mut self.0);
        bytes
    }

    /// A key of zeros was never filled in: a variable that is empty, a generator that does nothing.
    fn unless_zero(self) -> Option<Self> {
        let is_zero: bool = self.as_bytes().ct_eq(&[0; LEN]).into();
        (!is_zero).then_some(self)
    }
}

/// Takes padding where it is right, and no bits behind the last byte.
const fn decoder(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

/// As [`SealKey::from_base64`].
impl FromStr for SealKey {
    type Err = InvalidSealKey;

    fn from_str(text: &str) -> Result<Self, InvalidSealKey> {
        Self::from_base64(text)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// Why something is no key. It shows none of it: a key with a typing error is nearly a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSealKey {
    /// The text is not base64, mixes its two alphabets, or has something around it.
    #[error("the key is not in base64")]
    NotBase64,
    /// It has another length.
    #[error("the key has {bytes} bytes, and not 32")]
    Length {
        /// How many bytes there are.
        bytes: usize,
    },
    /// All of it is zero.
    #[error("the key is nothing but zeros")]
    AllZero,
}

#[cfg(test)]
pub(super) mod tests {
    use std::convert::Infallible;

    use rand::TryRng;

    use super::*;

    /// 1, 2, 3 and so on.
    #[derive(Default)]
    pub(in crate::seal) struct Counting(u8);

    impl TryRng for Counting {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            let mut bytes = [0; size_of::<u32>()];
            self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            let mut bytes = [0; size_of::<u64>()];
            self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            for byte in bytes {
                self.0 += 1;
                *byte = self.0;
            }
            Ok(())
        }
    }

    impl TryCryptoRng for Counting {}

    /// Fills in something, and then fails.
    pub(in crate::seal) struct Broken;

    impl TryRng for Broken {
        type Error = RandomUnavailable;

        fn try_next_u32(&mut self) -> Result<u32, RandomUnavailable> {
            Err(RandomUnavailable)
        }

        fn try_next_u64(&mut self) -> Result<u64, RandomUnavailable> {
            Err(RandomUnavailable)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
            bytes.fill(7);
            Err(RandomUnavailable)
        }
    }

    impl TryCryptoRng for Broken {}

    /// Does nothing, and says that it went well.
    struct Idle;

    impl TryRng for Idle {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(0)
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
            Ok(())
        }
    }

    impl TryCryptoRng for Idle {}

    /// 32 bytes of which base64 uses both characters that differ between the alphabets.
    const BYTES: [u8; LEN] = {
        let mut bytes = [0; LEN];
        bytes[0] = 0xfb;
        bytes[1] = 0xff;
        bytes[31] = 1;
        bytes
    };
    const PADDED: &str = "+/8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=";

    #[test]
    fn a_key_is_read_in_both_alphabets_padded_or_not() {
        let url_safe = PADDED.replace('+', "-").replace('/', "_");
        for text in [PADDED, &PADDED[..43], &url_safe, &url_safe[..43]] {
            assert_eq!(*SealKey::from_base64(text).unwrap().as_bytes(), BYTES, "{text}");
            assert_eq!(*text.parse::<SealKey>().unwrap().as_bytes(), BYTES, "{text}");
        }
        let key = SealKey::from_bytes(&BYTES).unwrap();
        assert_eq!(key.to_base64().expose_secret(), &url_safe[..43]);
    }

    #[test]
    fn nothing_else_is_a_key_and_the_error_says_why() {
        let refused = |text: &str| SealKey::from_base64(text).unwrap_err();
        for text in ["hunter2", "é", "_/8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=", &PADDED.replace("E=", "F=")] {
            assert_eq!(refused(text), InvalidSealKey::NotBase64, "{text}");
        }
        for around in ["{} ", " {}", "{}\n", "\t{}", "{}=", "{},", "\"{}\"", "\0{}"] {
            assert_eq!(refused(&around.replace("{}", PADDED)), InvalidSealKey::NotBase64, "{around:?}");
        }
        assert_eq!(refused(""), InvalidSealKey::Length { bytes: 0 });
        assert_eq!(refused(&PADDED[..40]), InvalidSealKey::Length { bytes: 30 });
        assert_eq!(refused(&PADDED.repeat(2).replace('=', "")), InvalidSealKey::NotBase64);
        assert_eq!(refused(&"A".repeat(44)), InvalidSealKey::Length { bytes: 33 });
        // A key in hexadecimal looks like base64.
        assert_eq!(refused(&"ab".repeat(32)), InvalidSealKey::Length { bytes: 48 });
        assert_eq!(refused(&"A".repeat(43)), InvalidSealKey::AllZero);
        assert_eq!(SealKey::from_bytes(&[0; 32]).unwrap_err(), InvalidSealKey::AllZero);
        assert_eq!(SealKey::from_bytes(&[1; 31]).unwrap_err(), InvalidSealKey::Length { bytes: 31 });
        assert_eq!(SealKey::from_bytes(&[1; 33]).unwrap_err(), InvalidSealKey::Length { bytes: 33 });
    }

    #[test]
    fn a_key_is_what_the_generator_gives_and_no_generator_gives_none() {
        let expected: [u8; LEN] = std::array::from_fn(|at| u8::try_from(at).unwrap() + 1);
        assert_eq!(*SealKey::generate(&mut Counting::default()).unwrap().as_bytes(), expected);
        assert_eq!(SealKey::generate(&mut Broken).unwrap_err(), RandomUnavailable);
        assert_eq!(SealKey::generate(&mut Idle).unwrap_err(), RandomUnavailable);
    }

    #[test]
    fn keys_are_the_same_when_all_bytes_are() {
        let key = SealKey::from_bytes(&BYTES).unwrap();
        assert!(key.is(&key.clone()) && key.is(&SealKey::from_bytes(&BYTES).unwrap()));
        for place in 0..LEN {
            let mut bytes = BYTES;
            bytes[place] ^= 0x80;
            assert!(!key.is(&SealKey::from_bytes(&bytes).unwrap()), "{place}");
        }
    }
}
