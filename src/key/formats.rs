//! All the forms of key that a verifier accepts: the one in which it issues, older ones, and foreign ones.

use std::ops::RangeInclusive;

use crate::key::{
    DisplayPrefix, Environment, InvalidFormat, KeyFormat, KeyPrefix, MAX_PRESENTED_LEN, MalformedKey, ParsedKey,
};

/// Keys that another service made and that go on being accepted: a prefix, and anything printable behind it.
///
/// Nothing is known of how such keys were made, so that they have no checksum and no fixed length.
///
/// ```
/// use keyward::key::ForeignFormat;
///
/// let format = ForeignFormat::new("sk_live_", 24..=64)?;
/// assert!(format.parse("sk_live_4eC39HqLyjWDarjtT1zdp7dc").is_ok());
/// assert!(format.parse("sk_live_4eC39HqLyjWDarjtT1zdp7d\n").is_err());
/// # Ok::<(), keyward::key::InvalidFormat>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignFormat {
    prefix: Box<str>,
    shortest: usize,
    longest: usize,
    display_len: usize,
}

impl ForeignFormat {
    /// Keys that start with `prefix`, which may be empty, and have a length within `lengths`, in bytes.
    ///
    /// # Errors
    /// [`InvalidFormat::Prefix`] when the prefix has more than 32 characters or one that is not printable ASCII;
    /// [`InvalidFormat::Lengths`] when the lengths are no range within 8 to 512, or leave fewer than 8 characters
    /// behind the prefix.
    pub fn new(prefix: &str, lengths: RangeInclusive<usize>) -> Result<Self, InvalidFormat> {
        let (shortest, longest) = (*lengths.start(), *lengths.end());
        if prefix.len() > 32 || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidFormat::Prefix);
        }
        if shortest > longest || longest > MAX_PRESENTED_LEN || shortest < prefix.len().saturating_add(8) {
            return Err(InvalidFormat::Lengths);
        }
        Ok(Self { prefix: prefix.into(), shortest, longest, display_len: prefix.len() + 4 })
    }

    /// Whatever starts with the prefix of a schema whose older keys are of unknown form.
    pub(crate) fn anything_behind(format: &KeyFormat) -> Self {
        let prefix = format.prefix().as_str();
        Self {
            prefix: prefix.into(),
            shortest: prefix.len() + 1,
            longest: MAX_PRESENTED_LEN,
            display_len: format.display_len(),
        }
    }

    /// The characters that every key starts with; empty where there is no prefix.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether `prefix` can be the start of such a key, and leaves at least 8 characters of the shortest one hidden.
    pub(crate) fn may_show(&self, prefix: &DisplayPrefix) -> bool {
        let prefix = prefix.as_str();
        prefix.starts_with(&*self.prefix) && prefix.len().saturating_add(8) <= self.shortest
    }

    /// Looks at a presented text before anything is hashed or asked of a store.
    ///
    /// # Errors
    /// [`MalformedKey`] says in what the text differs from this format, without repeating any of it.
    pub fn parse<'k>(&self, presented: &'k str) -> Result<ParsedKey<'k>, MalformedKey> {
        let Some(body) = presented.strip_prefix(&*self.prefix) else { return Err(MalformedKey::OtherPrefix) };
        if presented.len() > self.longest {
            return Err(MalformedKey::TooLong { limit: self.longest });
        }
        if presented.len() < self.shortest {
            return Err(MalformedKey::WrongLength { expected: self.shortest, found: presented.len() });
        }
        match body.bytes().position(|byte| !byte.is_ascii_graphic()) {
            Some(position) => Err(MalformedKey::ForeignCharacter { position: self.prefix.len() + position }),
            None => Ok(ParsedKey::new(presented, self.display_len)),
        }
    }
}

/// The form in which a schema issues keys, and all those that it accepts besides.
///
/// ```
/// use keyward::key::{Encoding, ForeignFormat, KeyFormat, KeyFormats};
///
/// let formats = KeyFormats::new(KeyFormat::new("acme_", 24, Encoding::Base62Checked, 10)?)
///     .accepting_foreign(ForeignFormat::new("sk_live_", 24..=64)?);
/// assert!(formats.parse("sk_live_4eC39HqLyjWDarjtT1zdp7dc").is_ok());
/// assert!(formats.parse("pk_live_4eC39HqLyjWDarjtT1zdp7dc").is_err());
/// # Ok::<(), keyward::key::InvalidFormat>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFormats {
    issued: KeyFormat,
    older: Vec<KeyFormat>,
    foreign: Vec<ForeignFormat>,
    service: Option<KeyPrefix>,
}

impl KeyFormats {
    /// Keys of this form and no other.
    #[must_use]
    pub const fn new(issued: KeyFormat) -> Self {
        Self { issued, older: Vec::new(), foreign: Vec::new(), service: None }
    }

    /// Accepts keys of `older` too, such as those with a prefix that the service had before.
    #[must_use]
    pub fn accepting(mut self, older: KeyFormat) -> Self {
        self.older.push(older);
        self
    }

    /// Accepts keys of `foreign` too.
    #[must_use]
    pub fn accepting_foreign(mut self, foreign: ForeignFormat) -> Self {
        self.foreign.push(foreign);
        self
    }

    /// Reports keys that start with `service`, but with no prefix that is accepted, as keys of another environment.
    #[must_use]
    pub(crate) fn of_service(self, service: KeyPrefix) -> Self {
        Self { service: Some(service), ..self }
    }

    /// The form of new keys.
    #[must_use]
    pub const fn issued(&self) -> &KeyFormat {
        &self.issued
    }

    /// The foreign formats that are accepted.
    #[must_use]
    pub fn foreign(&self) -> &[ForeignFormat] {
        &self.foreign
    }

    /// Looks at a presented text before anything is hashed or asked of a store.
    ///
    /// # Errors
    /// [`MalformedKey`] says in what the text differs from the format that it comes closest to.
    #[inline]
    pub fn parse<'k>(&self, presented: &'k str) -> Result<ParsedKey<'k>, MalformedKey> {
        match self.issued.parse(presented) {
            Ok(parsed) => Ok(parsed),
            Err(malformed) => self.parse_other(presented, malformed),
        }
    }

    fn parse_other<'k>(&self, presented: &'k str, mut malformed: MalformedKey) -> Result<ParsedKey<'k>, MalformedKey> {
        // A foreign format may be wide enough to take such a key in.
        if self.is_of_another_environment(presented) {
            return Err(MalformedKey::OtherEnvironment);
        }
        let older = self.older.iter().map(|format| format.parse(presented));
        for other in older.chain(self.foreign.iter().map(|format| format.parse(presented))) {
            match other {
                Ok(parsed) => return Ok(parsed),
                // The format whose prefix the text has says more than those whose prefix it has not.
                Err(other) if !other.is_prefix() => malformed = other,
                Err(_) => {}
            }
        }
        match self.service {
            Some(service) if malformed.is_prefix() && presented.starts_with(service.as_str()) => {
                Err(MalformedKey::OtherEnvironment)
            }
            _ => Err(malformed),
        }
    }
}

impl KeyFormats {
    /// Whether `presented` is a whole key as the service issues them in another environment.
    fn is_of_another_environment(&self, presented: &str) -> bool {
        let Some(behind) = self.service.and_then(|service| presented.strip_prefix(service.as_str())) else {
            return false;
        };
        let Some((environment, _)) = behind.split_once('_') else { return false };
        let length = presented.len() - behind.len() + environment.len();
        let prefix = &presented[..=length];
        Environment::new(environment).is_ok()
            && prefix != self.issued.prefix().as_str()
            && self.issued.with_prefix(prefix).is_ok_and(|format| format.parse(presented).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Encoding;

    fn formats() -> KeyFormats {
        let new = |prefix| KeyFormat::new(prefix, 24, Encoding::Base62Checked, prefix.len() + 4).unwrap();
        KeyFormats::new(new("acme_live_"))
            .accepting(new("old_live_"))
            .accepting_foreign(ForeignFormat::new("sk_", 20..=30).unwrap())
            .of_service(KeyPrefix::new("acme_").unwrap())
    }

    #[test]
    fn no_foreign_format_takes_in_a_key_of_another_environment() {
        let wide = formats().accepting_foreign(ForeignFormat::new("", 20..=80).unwrap());
        assert_eq!(wide.parse(&key("acme_test_")).unwrap_err(), MalformedKey::OtherEnvironment);
        // What only looks like one may be a foreign key.
        assert!(wide.parse("acme_test_x0123456789abc").is_ok());
        assert!(wide.parse(&key("acme_TEST_")).is_ok());
        assert!(wide.parse(&key("acme_live_")).is_ok());
    }

    fn key(prefix: &str) -> String {
        let mut key = prefix.to_owned();
        Encoding::Base62Checked.encode_into(&[7; 24], &mut key);
        key
    }

    #[test]
    fn each_accepted_format_is_parsed_and_no_other() {
        for accepted in [key("acme_live_"), key("old_live_"), format!("sk_{}", "x".repeat(20))] {
            assert!(formats().parse(&accepted).is_ok(), "{accepted}");
        }
        assert_eq!(formats().parse(&key("acme_test_")).unwrap_err(), MalformedKey::OtherEnvironment);
        assert_eq!(formats().parse("acme_test_x").unwrap_err(), MalformedKey::OtherEnvironment);
        assert!(formats().parse(&key("other_")).unwrap_err().is_prefix());
        assert_eq!(formats().parse("").unwrap_err(), MalformedKey::Empty);
        assert!(matches!(formats().parse("sk_short"), Err(MalformedKey::WrongLength { .. })));
        assert!(matches!(formats().parse("old_live_x"), Err(MalformedKey::WrongLength { .. })));
    }

    #[test]
    fn a_display_prefix_shows_the_start_of_a_foreign_key_and_hides_the_rest() {
        let format = ForeignFormat::new("sk_", 20..=64).unwrap();
        let may_show = |prefix| format.may_show(&DisplayPrefix::new(prefix).unwrap());
        assert!(may_show("sk_") && may_show("sk_a1b2") && may_show("sk_123456789"));
        assert!(!may_show("sk_1234567890") && !may_show("pk_a1b2"));
    }

    #[test]
    fn a_foreign_format_takes_its_shortest_and_its_longest_key_and_says_what_is_wrong_with_others() {
        let format = ForeignFormat::new("sk_", 20..=30).unwrap();
        assert_eq!(format.prefix(), "sk_");
        let error = |text: &str| format.parse(text).unwrap_err();
        let key = |length: usize| format!("sk_{}", "x".repeat(length - 3));
        assert!(format.parse(&key(20)).is_ok() && format.parse(&key(30)).is_ok());
        assert_eq!(error(&key(19)), MalformedKey::WrongLength { expected: 20, found: 19 });
        assert_eq!(error(&key(31)), MalformedKey::TooLong { limit: 30 });
        assert_eq!(error(&format!("{} {}", key(20), key(5))), MalformedKey::ForeignCharacter { position: 20 });
        assert_eq!(error("pk_0123456789abcdefghij"), MalformedKey::OtherPrefix);

        let anything = ForeignFormat::anything_behind(&KeyFormat::SCRAPER);
        assert!(anything.parse("riq_").is_err());
        assert!(anything.parse("riq_x").is_ok());
        assert_eq!(anything.parse("riq_0123456789").unwrap().display_prefix(), "riq_0123");
    }

    #[test]
    fn foreign_formats_that_accept_almost_anything_are_refused() {
        assert_eq!(ForeignFormat::new("", 4..=64), Err(InvalidFormat::Lengths));
        assert_eq!(ForeignFormat::new("sk_", 10..=64), Err(InvalidFormat::Lengths));
        assert_eq!(ForeignFormat::new("sk_", 20..=513), Err(InvalidFormat::Lengths));
        assert_eq!(ForeignFormat::new("s k", 20..=64), Err(InvalidFormat::Prefix));
        assert!(ForeignFormat::new("", 32..=64).is_ok());
    }
}
