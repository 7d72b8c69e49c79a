//! The environment that a key belongs to, so that a test key never opens a live service.

use std::fmt;
use std::str::FromStr;

/// An environment of a service, such as live or test. A verifier accepts the keys of its own environment only.
///
/// ```
/// use keyward::key::Environment;
///
/// assert_eq!(Environment::LIVE.as_str(), "live");
/// assert_eq!(Environment::new("staging")?.to_string(), "staging");
/// assert!(Environment::new("Pre-Production").is_err());
/// # Ok::<(), keyward::key::InvalidEnvironment>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Environment {
    bytes: [u8; Self::MAX_LEN],
    length: u8,
}

impl Environment {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 8;
    /// Production.
    pub const LIVE: Self = Self { bytes: *b"live\0\0\0\0", length: 4 };
    /// Development and tests.
    pub const TEST: Self = Self { bytes: *b"test\0\0\0\0", length: 4 };

    /// An environment with a name of its own.
    ///
    /// # Errors
    /// [`InvalidEnvironment`] when `name` is not 1 to 8 lowercase letters and digits.
    pub fn new(name: &str) -> Result<Self, InvalidEnvironment> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let length = u8::try_from(name.len()).map_err(|_| InvalidEnvironment)?;
        let mut bytes = [0; Self::MAX_LEN];
        let taken = bytes.get_mut(..name.len()).ok_or(InvalidEnvironment)?;
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(InvalidEnvironment);
        }
        taken.copy_from_slice(name.as_bytes());
        Ok(Self { bytes, length })
    }

    /// The name, as it stands in keys and tables.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl FromStr for Environment {
    type Err = InvalidEnvironment;

    fn from_str(name: &str) -> Result<Self, InvalidEnvironment> {
        Self::new(name)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({})", self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Environment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The text is not the name of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an environment must be 1 to 8 lowercase letters and digits")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidEnvironment;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_prints_its_name() {
        assert_eq!(format!("{0} {0:?}", Environment::LIVE), "live Environment(live)");
    }

    #[test]
    fn only_short_lowercase_words_name_environments() {
        assert_eq!(Environment::new("live"), Ok(Environment::LIVE));
        assert_eq!(Environment::new("test"), Ok(Environment::TEST));
        for name in ["a", "staging", "12345678"] {
            assert_eq!(Environment::new(name).map(|environment| environment.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "production", "Live", "a_b", "é", "li ve"] {
            assert_eq!(Environment::new(name), Err(InvalidEnvironment), "{name}");
        }
    }
}
