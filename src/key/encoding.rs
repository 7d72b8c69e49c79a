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

/// The most random bytes of a key.
pub(super) const MAX_RANDOM_BYTES: usize = 64;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What each digit stands for.
const BASE62_VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 62 {
        values[BASE62[value as usize] as usize] = value;
        value += 1;
    }
    values
};
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
            Self::Hex => is_hex(byte),
            Self::Base64Url => is_base64url(byte),
            Self::Base62Checked => is_base62(byte),
        }
    }

    /// Whether nothing but what [`contains`](Self::contains) occurs in `text`.
    #[inline]
    pub(crate) fn contains_all(self, text: &[u8]) -> bool {
        match self {
            Self::Hex => all(text, is_hex),
            Self::Base64Url => all(text, is_base64url),
            Self::Base62Checked => all(text, is_base62),
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
    #[inline]
    pub(crate) fn checksum_matches(self, body: &[u8]) -> bool {
        match self {
            Self::Hex | Self::Base64Url => true,
            Self::Base62Checked => body
                .split_last_chunk()
                .is_some_and(|(random, digits)| base62_number(*digits) == u64::from(crc32fast::hash(random))),
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

const fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')
}

const fn is_base64url(byte: u8) -> bool {
    is_base62(byte) || byte == b'-' || byte == b'_'
}

const fn is_base62(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Whether every byte `belongs`. Sixteen bytes at a time, then the last sixteen, some of them again, because bytes that
/// are left over would be looked at one by one; and every one of them, because a foreign one is rare.
#[inline]
fn all(text: &[u8], belongs: impl Fn(u8) -> bool) -> bool {
    let Some(last) = text.last_chunk::<16>() else { return text.iter().copied().all(belongs) };
    let each = |chunk: &[u8; 16]| chunk.iter().fold(true, |all, byte| all & belongs(*byte));
    text.as_chunks().0.iter().fold(each(last), |all, chunk| all & each(chunk))
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
    /// What five digits count up to: the remainder in front of another limb fits 64 bits.
    const FIVE_DIGITS: u64 = 62_u64.pow(5);
    // Both start with what counts least.
    let mut limbs = Zeroizing::new([0_u32; MAX_RANDOM_BYTES / 4]);
    let (first, rest) = bytes.as_rchunks();
    for (limb, bytes) in limbs.iter_mut().zip(rest.iter().rev()) {
        *limb = u32::from_be_bytes(*bytes);
    }
    if let Some(limb) = limbs.get_mut(rest.len()) {
        *limb = first.iter().fold(0, |limb, byte| limb << 8 | u32::from(*byte));
    }
    let width = base62_length(bytes.len());
    let mut fives = Zeroizing::new([0_u32; base62_length(MAX_RANDOM_BYTES).div_ceil(5)]);
    let fives = &mut fives[..width.div_ceil(5)];
    for (divided, five) in fives.iter_mut().enumerate() {
        // Every division takes more than 29 bits away, whatever the number is.
        let left = (bytes.len() * 8 - divided * 29).div_ceil(32);
        let mut remainder = 0;
        for limb in limbs[..left].iter_mut().rev() {
            let dividend = remainder << 32 | u64::from(*limb);
            *limb = low(dividend / FIVE_DIGITS);
            remainder = dividend % FIVE_DIGITS;
        }
        *five = low(remainder);
    }
    if let Some((first, rest)) = fives.split_last() {
        let digits = Zeroizing::new(base62_digits::<5>(*first));
        text.extend(digits[rest.len() * 5 + 5 - width..].iter().copied().map(char::from));
        for five in rest.iter().rev() {
            text.extend(base62_digits::<5>(*five).map(char::from));
        }
    }
}

/// A number that is known to fit 32 bits.
fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

/// The last `N` base62 digits of `number`.
fn base62_digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize];
        number /= 62;
    }
    digits
}

/// CRC-32 (IEEE) of `random` in six base62 digits.
fn checksum(random: &str) -> [u8; CHECKSUM_LENGTH] {
    base62_digits(crc32fast::hash(random.as_bytes()))
}

/// The number that six base62 digits stand for; any number where one of them is no digit.
#[inline]
fn base62_number(digits: [u8; CHECKSUM_LENGTH]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 62 + u64::from(BASE62_VALUES[usize::from(*digit)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_githubs_published_example() {
        // 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, from GitHub's announcement of its token format.
        assert_eq!(&checksum("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), b"0mLq17");
        assert!(Encoding::Base62Checked.checksum_matches(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"));
        assert!(!Encoding::Base62Checked.checksum_matches(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkj0mLq17"));
        assert!(!Encoding::Base62Checked.checksum_matches(b"short"));
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

    #[test]
    fn base62_is_what_long_division_of_one_byte_after_the_other_gives() {
        let divided = |bytes: &[u8]| {
            let mut number = bytes.to_vec();
            let mut digits = vec![0; base62_length(bytes.len())];
            for digit in digits.iter_mut().rev() {
                let mut remainder = 0_u16;
                for byte in &mut number {
                    let dividend = remainder << 8 | u16::from(*byte);
                    *byte = u8::try_from(dividend / 62).unwrap();
                    remainder = dividend % 62;
                }
                *digit = BASE62[usize::from(remainder)];
            }
            assert!(number.iter().all(|byte| *byte == 0), "digits are missing");
            String::from_utf8(digits).unwrap()
        };
        for length in 16..=MAX_RANDOM_BYTES {
            // One with a pattern and one without.
            for number in 0..=u8::MAX {
                let mut scattered = vec![0; length];
                let mut state = u32::from(number) + 1;
                for byte in &mut scattered {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *byte = state.to_be_bytes()[0];
                }
                for bytes in [vec![number; length], scattered] {
                    let mut text = String::new();
                    push_base62(&bytes, &mut text);
                    assert_eq!(text, divided(&bytes));
                }
            }
        }
    }

    #[test]
    fn a_foreign_byte_is_found_wherever_it_stands_in_a_text_of_any_length() {
        for encoding in [Encoding::Hex, Encoding::Base64Url, Encoding::Base62Checked] {
            for length in [0, 1, 15, 16, 17, 31, 32, 33, 64, 86] {
                let mut text = vec![b'a'; length];
                assert!(encoding.contains_all(&text));
                for position in 0..length {
                    for byte in 0..=u8::MAX {
                        text[position] = byte;
                        assert_eq!(encoding.contains_all(&text), encoding.contains(byte), "{byte} at {position}");
                    }
                    text[position] = b'a';
                }
            }
        }
    }

    #[test]
    fn a_checksum_of_digits_that_are_none_or_that_stand_for_too_much_matches_nothing() {
        let encoded = |random: &str| format!("{random}{}", String::from_utf8(checksum(random).to_vec()).unwrap());
        let good = encoded("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ");
        for position in good.len() - CHECKSUM_LENGTH..good.len() {
            for byte in (0..=u8::MAX).filter(|byte| *byte != good.as_bytes()[position]) {
                let mut text = good.clone().into_bytes();
                text[position] = byte;
                assert!(!Encoding::Base62Checked.checksum_matches(&text), "{byte} at {position}");
            }
        }
        // The same number and 2^32 more, which six digits can write.
        let number = base62_number(*b"0mLq17") + (1 << 32);
        let mut rest = number;
        let mut digits = [0; CHECKSUM_LENGTH];
        for digit in digits.iter_mut().rev() {
            *digit = BASE62[usize::try_from(rest % 62).unwrap()];
            rest /= 62;
        }
        assert_eq!(base62_number(digits), number);
        let text = [b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ".as_slice(), &digits].concat();
        assert!(!Encoding::Base62Checked.checksum_matches(&text));
    }
}
