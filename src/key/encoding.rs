//! How random bytes become the characters of a key.

use zeroize::Zeroizing;

/// The alphabet in which a key's random bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// Lowercase hexadecimal: two characters a byte.
    Hex,
    /// RFC 4648 section 5 (`A–Z a–z 0–9 - _`) without padding: four characters for three bytes.
    Base64Url,
    /// Base62 (`0–9 A–Z a–z`) of fixed width, then six more characters that hold its CRC-32, as GitHub's tokens
    /// do. The checksum catches typing errors and sharpens secret scanners; it is no protection against forgery.
    Base62Checked,
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM_LENGTH: usize = 6;

impl Encoding {
    /// How many characters `bytes` bytes take, checksum included.
    pub(crate) const fn encoded_length(self, bytes: usize) -> usize {
        match self {
            Self::Hex => bytes * 2,
            Self::Base64Url => (bytes * 8).div_ceil(6),
            Self::Base62Checked => base62_length(bytes) + CHECKSUM_LENGTH,
        }
    }

    /// How many of the first characters of an encoded text are random.
    pub(crate) const fn random_length(self, bytes: usize) -> usize {
        match self {
            Self::Hex | Self::Base64Url => self.encoded_length(bytes),
            Self::Base62Checked => base62_length(bytes),
        }
    }

    /// Whether `byte` can occur in an encoded text.
    pub(crate) const fn contains(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_digit() || (b'a' <= byte && byte <= b'f'),
            Self::Base64Url => byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_',
            Self::Base62Checked => byte.is_ascii_alphanumeric(),
        }
    }

    /// Appends the encoded `bytes` to `text`, whose capacity the caller has reserved so that no copy of the
    /// plaintext is left behind by a reallocation.
    pub(crate) fn encode_into(self, bytes: &[u8], text: &mut String) {
        match self {
            Self::Hex => {
                for byte in bytes {
                    for nibble in [byte >> 4, byte & 0x0f] {
                        text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
                    }
                }
            }
            Self::Base64Url => push_base64url(bytes, text),
            Self::Base62Checked => {
                let start = text.len();
                push_base62(bytes, text);
                let checksum = checksum(&text[start..]);
                text.extend(checksum.map(char::from));
            }
        }
    }

    /// Whether `body` carries the checksum that belongs to it; true where the encoding has none.
    pub(crate) fn checksum_matches(self, body: &str) -> bool {
        match self {
            Self::Hex | Self::Base64Url => true,
            Self::Base62Checked => body
                .len()
                .checked_sub(CHECKSUM_LENGTH)
                .and_then(|middle| body.split_at_checked(middle))
                .is_some_and(|(random, found)| checksum(random) == *found.as_bytes()),
        }
    }

    /// The characters of the alphabet as a character class of a regular expression.
    pub(crate) const fn character_class(self) -> &'static str {
        match self {
            Self::Hex => "[0-9a-f]",
            Self::Base64Url => "[A-Za-z0-9_-]",
            Self::Base62Checked => "[0-9A-Za-z]",
        }
    }
}

/// RFC 4648 section 5 without padding.
fn push_base64url(bytes: &[u8], text: &mut String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * digit) & 0x3f) as usize]));
        }
    }
}

/// The number of base62 digits that hold any `bytes` bytes: 8 bits a byte over log2(62) = 5.95419… a digit. Exact for
/// the lengths of keys, and small enough for 32 bits.
const fn base62_length(bytes: usize) -> usize {
    (bytes * 8 * 100_000).div_ceil(595_419)
}

/// Long division of the big-endian number `bytes` by 62, padded with zeros to its fixed width.
fn push_base62(bytes: &[u8], text: &mut String) {
    let mut number = Zeroizing::new(bytes.to_vec());
    let mut digits = Zeroizing::new(vec![0_u8; base62_length(bytes.len())]);
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u16;
        for byte in number.iter_mut() {
            let dividend = (remainder << 8) | u16::from(*byte);
            *byte = dividend.checked_div(62).and_then(|quotient| u8::try_from(quotient).ok()).unwrap_or_default();
            remainder = dividend % 62;
        }
        *digit = BASE62[usize::from(remainder)];
    }
    text.extend(digits.iter().copied().map(char::from));
}

/// CRC-32 (IEEE) of `random` in six base62 digits.
fn checksum(random: &str) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(random.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_githubs_published_example() {
        // 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, from GitHub's announcement of its token format.
        assert_eq!(&checksum("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), b"0mLq17");
        assert!(Encoding::Base62Checked.checksum_matches("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"));
        assert!(!Encoding::Base62Checked.checksum_matches("zQWBuTSOoRi4A9spHcVY5ncnsDkxkj0mLq17"));
        assert!(!Encoding::Base62Checked.checksum_matches("short"));
    }

    #[test]
    fn the_widest_number_fits_the_fixed_width_and_one_digit_less_would_not() {
        for bytes in 16..=64 {
            let mut text = String::new();
            push_base62(&vec![0xff; bytes], &mut text);
            assert_eq!(text.len(), base62_length(bytes));
            assert_ne!(text.as_bytes()[0], b'0', "{bytes} bytes waste a digit");

            // The number must be gone after its last digit: 62^width > 256^bytes.
            let bits = f64::from(u32::try_from(bytes).unwrap()) * 8.0;
            let width = f64::from(u32::try_from(text.len()).unwrap());
            assert!(width * 62_f64.log2() > bits);
        }
    }

    #[test]
    fn base64url_agrees_with_the_vectors_of_rfc_4648() {
        let encoded = |bytes: &[u8]| {
            let mut text = String::new();
            push_base64url(bytes, &mut text);
            text
        };
        let vectors = ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"];
        for (length, expected) in vectors.into_iter().enumerate() {
            assert_eq!(encoded(&b"foobar"[..length]), expected);
        }
        assert_eq!(encoded(&[0xfb, 0xff, 0xfe]), "-__-");
    }

    #[test]
    fn each_alphabet_has_its_own_characters_and_no_other() {
        let alphabet = |encoding: Encoding| {
            let contained = (0..=u8::MAX).filter(|byte| encoding.contains(*byte));
            contained.map(char::from).collect::<String>()
        };
        let (digits, upper, lower) = ("0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz");
        assert_eq!(alphabet(Encoding::Hex), "0123456789abcdef");
        assert_eq!(alphabet(Encoding::Base64Url), format!("-{digits}{upper}_{lower}"));
        assert_eq!(alphabet(Encoding::Base62Checked), format!("{digits}{upper}{lower}"));
        let classes = [Encoding::Hex, Encoding::Base64Url, Encoding::Base62Checked].map(Encoding::character_class);
        assert_eq!(classes, ["[0-9a-f]", "[A-Za-z0-9_-]", "[0-9A-Za-z]"]);
    }

    #[test]
    fn base62_is_a_plain_number_with_leading_zeros() {
        let mut text = String::new();
        let mut bytes = [0; 16];
        bytes[15] = 62;
        push_base62(&bytes, &mut text);
        assert_eq!(text, format!("{:0>22}", "10"));
    }
}
