//! The schema's value: the service's prefix, its environment, and what else is accepted.

use crate::key::{
    Action, Encoding, Environment, ForeignFormat, IdScheme, InvalidFormat, KeyFormat, KeyFormats, KeyId, KeyPrefix,
    KeyRecord, Labels, MAX_PREFIX_LEN, RateLimit, RefusalReason, Schema,
};
use crate::schemas::standard::StandardDetails;

/// The schema `standard`: how the keys of a service look, and which environment they belong to.
///
/// ```
/// use keyward::key::{Environment, Schema as _};
/// use keyward::schemas::standard::Standard;
///
/// let live = Standard::new("acme")?;
/// assert_eq!(live.formats().issued().prefix().as_str(), "acme_live_");
/// let test = Standard::new("acme")?.environment(Environment::TEST)?;
/// assert_eq!(test.formats().issued().prefix().as_str(), "acme_test_");
/// # Ok::<(), keyward::key::InvalidFormat>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standard {
    environment: Environment,
    prefix: Box<str>,
    /// Prefixes that the service had before.
    older: Vec<Box<str>>,
    foreign: Vec<ForeignFormat>,
    formats: KeyFormats,
}

impl Standard {
    /// Random bytes of a key. With the longest prefix the whole key has 55 bytes, which SHA-256 takes in one block.
    const RANDOM_BYTES: usize = 24;
    /// How many characters behind the prefix are shown, of 33 that are random.
    const SHOWN: usize = 4;

    /// Keys of the live environment that start with `prefix`, such as `acme` for `acme_live_…`.
    ///
    /// Once keys have been handed out, the prefix must not change; see
    /// [`accepting_prefix`](Self::accepting_prefix) for how it can.
    ///
    /// # Errors
    /// [`InvalidFormat::ServicePrefix`] when `prefix` has another character than `A–Z a–z 0–9 _ -`, does not start with a
    /// letter or digit, ends with `_`, or has more than 16 characters together with `_live_`.
    pub fn new(prefix: &str) -> Result<Self, InvalidFormat> {
        let environment = Environment::LIVE;
        let formats = formats(environment, prefix, &[], &[])?;
        Ok(Self { environment, prefix: prefix.into(), older: Vec::new(), foreign: Vec::new(), formats })
    }

    /// Keys of another environment. The keys of each environment are refused in all others.
    ///
    /// # Errors
    /// [`InvalidFormat::ServicePrefix`] when a prefix and the environment together have more than 16 characters, with the `_`
    /// behind each of them.
    pub fn environment(self, environment: Environment) -> Result<Self, InvalidFormat> {
        let formats = formats(environment, &self.prefix, &self.older, &self.foreign)?;
        Ok(Self { environment, formats, ..self })
    }

    /// Accepts keys, of the same environment, with a prefix that the service had before.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn accepting_prefix(mut self, older: &str) -> Result<Self, InvalidFormat> {
        self.older.push(older.into());
        let formats = formats(self.environment, &self.prefix, &self.older, &self.foreign)?;
        Ok(Self { formats, ..self })
    }

    /// Accepts keys that another service made and that were imported.
    #[must_use]
    pub fn accepting_foreign(mut self, format: ForeignFormat) -> Self {
        self.foreign.push(format.clone());
        Self { formats: self.formats.accepting_foreign(format), ..self }
    }
}

fn formats(
    environment: Environment,
    prefix: &str,
    older: &[Box<str>],
    foreign: &[ForeignFormat],
) -> Result<KeyFormats, InvalidFormat> {
    let issued = format(environment, prefix)?;
    let issued = KeyFormats::new(issued).of_service(KeyPrefix::new(&format!("{prefix}_"))?);
    let accepted = older
        .iter()
        .try_fold(issued, |formats, older| Ok::<_, InvalidFormat>(formats.accepting(format(environment, older)?)))?;
    Ok(foreign.iter().cloned().fold(accepted, KeyFormats::accepting_foreign))
}

fn format(environment: Environment, prefix: &str) -> Result<KeyFormat, InvalidFormat> {
    let longest = MAX_PREFIX_LEN - environment.as_str().len() - 2;
    // `acme_` and `live` would make `acme__live_`, in which nobody sees where the prefix ends.
    if prefix.ends_with('_') {
        return Err(InvalidFormat::ServicePrefix { longest });
    }
    let literal = format!("{prefix}_{environment}_");
    let shown = literal.len() + Standard::SHOWN;
    let format = KeyFormat::new(&literal, Standard::RANDOM_BYTES, Encoding::Base62Checked, shown);
    format.map_err(|_| InvalidFormat::ServicePrefix { longest })
}

impl Schema for Standard {
    type Details = StandardDetails;

    const NAME: &'static str = "standard";
    const ID_SCHEME: IdScheme = IdScheme::TimeOrderedUuid;
    const VERSIONED: bool = true;

    fn formats(&self) -> &KeyFormats {
        &self.formats
    }

    /// Imported keys do not show their environment, so that the record says it.
    fn admits(&self, key: &KeyRecord<Self>) -> Result<(), RefusalReason> {
        if key.details.environment == self.environment { Ok(()) } else { Err(RefusalReason::OtherEnvironment) }
    }

    fn labels(details: &StandardDetails) -> Labels<'_> {
        Labels::named(details.name.as_str()).in_environment(details.environment)
    }

    fn origin(details: &StandardDetails) -> Action {
        if details.imported_from.is_some() { Action::Imported } else { Action::Issued }
    }

    fn begin(&self, key: &mut KeyRecord<Self>) {
        key.details.environment = self.environment;
        key.details.lineage = key.head.id.clone();
        key.details.predecessor = None;
    }

    fn succeed(&self, predecessor: &KeyRecord<Self>, successor: &mut KeyRecord<Self>) {
        let KeyRecord { head, details } = predecessor;
        // The successor must not be good where its predecessor was not.
        successor.details.environment = details.environment;
        successor.details.lineage = details.lineage.clone();
        successor.details.predecessor = Some(head.id.clone());
        successor.details.imported_from = None;
    }

    fn rate_limit(details: &StandardDetails) -> RateLimit {
        details.rate_limit
    }

    fn lineage(key: &KeyRecord<Self>) -> &KeyId {
        // One that cannot be read must not make all such keys one.
        let lineage = &key.details.lineage;
        if lineage.as_str().is_empty() { &key.head.id } else { lineage }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::MalformedKey;

    fn key(schema: &Standard) -> String {
        let mut key = schema.formats().issued().prefix().to_string();
        Encoding::Base62Checked.encode_into(&[7; Standard::RANDOM_BYTES], &mut key);
        key
    }

    #[test]
    fn a_key_with_the_longest_prefix_fits_one_block_of_sha_256() {
        let longest = Standard::new("acme-corp1").unwrap();
        let format = longest.formats().issued();
        assert_eq!(format.prefix().as_str().len(), 16);
        assert_eq!((format.key_len(), format.display_len()), (55, 20));
        assert_eq!(key(&longest).len(), 55);
        assert_eq!(Standard::new("acme-corp12"), Err(InvalidFormat::ServicePrefix { longest: 10 }));
        assert_eq!(longest.environment("staging".parse().unwrap()), Err(InvalidFormat::ServicePrefix { longest: 7 }));
    }

    #[test]
    fn keys_of_another_environment_are_refused_in_both_directions() {
        let live = Standard::new("acme").unwrap();
        let test = live.clone().environment(Environment::TEST).unwrap();
        assert!(live.formats().parse(&key(&live)).is_ok());
        assert!(test.formats().parse(&key(&test)).is_ok());
        assert_eq!(live.formats().parse(&key(&test)).unwrap_err(), MalformedKey::OtherEnvironment);
        assert_eq!(test.formats().parse(&key(&live)).unwrap_err(), MalformedKey::OtherEnvironment);
    }

    #[test]
    fn an_older_prefix_is_accepted_in_the_same_environment_alone() {
        let old = Standard::new("old").unwrap();
        let old_test = old.clone().environment(Environment::TEST).unwrap();
        let new = Standard::new("acme").unwrap();
        assert!(new.formats().parse(&key(&old)).is_err());

        let new = new.accepting_prefix("old").unwrap();
        assert_eq!(new.formats().issued().prefix().as_str(), "acme_live_");
        assert!(new.formats().parse(&key(&old)).is_ok());
        assert!(new.formats().parse(&key(&old_test)).is_err());
        let new_test = new.environment(Environment::TEST).unwrap();
        assert!(new_test.formats().parse(&key(&old_test)).is_ok());
        assert!(new_test.formats().parse(&key(&old)).is_err());
    }

    #[test]
    fn a_declared_foreign_format_survives_a_change_of_the_environment() {
        let foreign = ForeignFormat::new("sk_", 20..=40).unwrap();
        let schema = Standard::new("acme").unwrap().accepting_foreign(foreign).environment(Environment::TEST).unwrap();
        assert!(schema.formats().parse(&format!("sk_{}", "x".repeat(24))).is_ok());
        assert!(Standard::new("acme").unwrap().formats().parse(&format!("sk_{}", "x".repeat(24))).is_err());
    }

    #[test]
    fn prefixes_that_would_make_odd_keys_are_refused() {
        for prefix in ["", "_", "acme_", "_acme", "ac me", "acmé", "acme.", "a-rather-long-one"] {
            assert_eq!(Standard::new(prefix), Err(InvalidFormat::ServicePrefix { longest: 10 }), "{prefix}");
            assert_eq!(
                Standard::new("acme").unwrap().accepting_prefix(prefix),
                Err(InvalidFormat::ServicePrefix { longest: 10 })
            );
        }
        for prefix in ["a", "acme", "acme_eu", "Acme-2"] {
            assert!(Standard::new(prefix).is_ok(), "{prefix}");
        }
    }
}
