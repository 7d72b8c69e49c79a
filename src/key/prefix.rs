//! The fixed characters that the keys of a service start with.

use std::fmt;

use crate::key::InvalidFormat;

/// The longest prefix of a key, in bytes.
pub const MAX_PREFIX_LEN: usize = 16;

/// The fixed characters that every key of a format starts with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPrefix {
    bytes: [u8; MAX_PREFIX_LEN],
    length: u8,
}

impl KeyPrefix {
    /// Checks a prefix.
    ///
    /// # Errors
    /// [`InvalidFormat::Prefix`] when it is not 2 to 16 of `A–Z a–z 0–9 _ -`, the first a letter or digit.
    pub const fn new(prefix: &str) -> Result<Self, InvalidFormat> {
        let from = prefix.as_bytes();
        // A scanner finds the start of a word only in front of a letter or digit.
        if from.len() < 2 || from.len() > MAX_PREFIX_LEN || !from[0].is_ascii_alphanumeric() {
            return Err(InvalidFormat::Prefix);
        }
        let mut bytes = [0; MAX_PREFIX_LEN];
        let mut length = 0_u8;
        while (length as usize) < from.len() {
            let byte = from[length as usize];
            if !(byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
                return Err(InvalidFormat::Prefix);
            }
            bytes[length as usize] = byte;
            length += 1;
        }
        Ok(Self { bytes, length })
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(super) const fn len(&self) -> usize {
        self.length as usize
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    /// What of `presented` stands behind this prefix, if it starts with it.
    #[inline]
    pub(super) fn strip_from<'k>(&self, presented: &'k [u8]) -> Option<&'k [u8]> {
        let starts = match presented.first_chunk() {
            // Both as one number each, of which only the bytes of the prefix count.
            Some(start) => {
                let behind = u128::MAX.checked_shl(u32::from(self.length) * 8).unwrap_or_default();
                (u128::from_le_bytes(*start) ^ u128::from_le_bytes(self.bytes)) & !behind == 0
            }
            None => presented.starts_with(self.as_bytes()),
        };
        starts.then(|| &presented[self.len()..])
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPrefix({self})")
    }
}
