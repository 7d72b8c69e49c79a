//! New values for the fields of a key after its issue.

use crate::key::{
    ChangeError, Description, FieldChange, InvalidRateLimit, KeyName, KeyRecord, Metadata, RateLimit, Scope, Scopes,
    Update,
};
use crate::schemas::standard::Standard;
use crate::time::Timestamp;

/// New values for some fields of a key; what is not named stays as it is.
///
/// ```
/// use keyward::key::{KeyName, Scope};
/// use keyward::schemas::standard::StandardUpdate;
///
/// let update = StandardUpdate::new()
///     .rename(KeyName::new("hourly import")?)
///     .scopes([Scope::new("jobs:read")?])
///     .description(None);
/// # let _ = update;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "pass it to `Keys::update`"]
pub struct StandardUpdate {
    name: Field<KeyName>,
    description: Field<Option<Description>>,
    scopes: Field<Scopes>,
    rate_limit: Field<RateLimit>,
    metadata: Field<Option<Metadata>>,
    expires_at: Field<Option<Timestamp>>,
}

/// What becomes of a field.
#[derive(Clone, Debug, Default)]
enum Field<T> {
    #[default]
    Keep,
    Set(T),
}

impl StandardUpdate {
    /// Changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls the key `name`.
    pub fn rename(self, name: KeyName) -> Self {
        Self { name: Field::Set(name), ..self }
    }

    /// Says what the key is for, or no longer.
    pub fn description(self, description: Option<Description>) -> Self {
        Self { description: Field::Set(description), ..self }
    }

    /// Permits exactly `scopes`.
    pub fn scopes(self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { scopes: Field::Set(scopes.into_iter().collect()), ..self }
    }

    /// Permits so many requests a minute, or as many as the service grants by default.
    ///
    /// # Errors
    /// [`InvalidRateLimit`] for [`RateLimit::DenyAll`], which no key is given (disable it instead), and for more than
    /// [`RateLimit::MAX`] requests.
    pub fn rate_limit(self, limit: RateLimit) -> Result<Self, InvalidRateLimit> {
        let limit = match limit {
            RateLimit::ServiceDefault => limit,
            RateLimit::PerMinute(requests) => RateLimit::per_minute(requests.get())?,
            RateLimit::DenyAll => return Err(InvalidRateLimit),
        };
        Ok(Self { rate_limit: Field::Set(limit), ..self })
    }

    /// Keeps `metadata` with the key, or none.
    pub fn metadata(self, metadata: Option<Metadata>) -> Self {
        Self { metadata: Field::Set(metadata), ..self }
    }

    /// The key dies at `at`, or never.
    pub fn expires_at(self, at: Option<Timestamp>) -> Self {
        Self { expires_at: Field::Set(at), ..self }
    }
}

impl Update<Standard> for StandardUpdate {
    fn apply(self, key: &mut KeyRecord<Standard>, _at: Timestamp) -> Result<Vec<FieldChange>, ChangeError> {
        let KeyRecord { head, details } = key;
        let changes = [
            self.name.apply("name", &mut details.name, |name| Some(name.as_str().to_owned())),
            self.description.apply("description", &mut details.description, |description| {
                description.as_ref().map(|description| description.as_str().to_owned())
            }),
            self.scopes.apply("scopes", &mut details.scopes, |scopes| Some(scopes.joined())),
            self.rate_limit.apply("requests_per_minute", &mut details.rate_limit, |limit| {
                limit.to_stored().map(|requests| requests.to_string())
            }),
            self.metadata.apply("metadata", &mut details.metadata, |metadata| {
                metadata.as_ref().map(|metadata| metadata.as_str().to_owned())
            }),
            self.expires_at.apply("expires_at", &mut head.expires_at, |at| at.as_ref().map(Timestamp::to_string)),
        ];
        Ok(changes.into_iter().flatten().collect())
    }
}

impl<T: PartialEq> Field<T> {
    /// Gives the field its new value; `None` when it has it already.
    fn apply(self, name: &str, field: &mut T, show: impl Fn(&T) -> Option<String>) -> Option<FieldChange> {
        match self {
            Self::Set(new) if new != *field => {
                let change = FieldChange::new(name, show(field), show(&new));
                *field = new;
                Some(change)
            }
            Self::Set(_) | Self::Keep => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{DisplayPrefix, Draft, KeyHead, KeyId};
    use crate::schemas::standard::StandardKey;

    fn record() -> KeyRecord<Standard> {
        let key = StandardKey::new("customer", "import").unwrap().scope("a").unwrap().metadata("{}").unwrap();
        let draft = Draft::from(key.requests_per_minute(60).unwrap());
        let (id, prefix) = (KeyId::from_stored("1"), DisplayPrefix::from_stored("acme_live_1234"));
        KeyRecord::new(KeyHead::new(id, draft.owner, prefix, None), draft.details)
    }

    fn changes(update: StandardUpdate) -> Vec<FieldChange> {
        update.apply(&mut record(), Timestamp::from_micros(0)).unwrap()
    }

    fn change(field: &str, before: Option<&str>, after: Option<&str>) -> FieldChange {
        FieldChange::new(field, before.map(str::to_owned), after.map(str::to_owned))
    }

    #[test]
    fn every_field_that_is_now_another_is_named_with_both_values() {
        let update = StandardUpdate::new()
            .rename(KeyName::new("export").unwrap())
            .description(Some(Description::new("why").unwrap()))
            .scopes(["b", "c"].map(|scope| Scope::new(scope).unwrap()))
            .rate_limit(RateLimit::ServiceDefault)
            .unwrap()
            .metadata(None)
            .expires_at(Some(Timestamp::from_micros(1_000_000)));
        let expected = [
            change("name", Some("import"), Some("export")),
            change("description", None, Some("why")),
            change("scopes", Some("a"), Some("b c")),
            change("requests_per_minute", Some("60"), None),
            change("metadata", Some("{}"), None),
            change("expires_at", None, Some("1970-01-01T00:00:01Z")),
        ];
        assert_eq!(changes(update), expected);
    }

    #[test]
    fn a_value_that_is_there_already_is_no_change() {
        assert_eq!(changes(StandardUpdate::new()), []);
        let same = StandardUpdate::new()
            .rename(KeyName::new("import").unwrap())
            .scopes([Scope::new("a").unwrap()])
            .description(None)
            .expires_at(None);
        assert_eq!(changes(same), []);
    }

    #[test]
    fn a_limit_that_no_key_can_have_is_refused() {
        let too_many = RateLimit::PerMinute(std::num::NonZeroU32::MAX);
        for limit in [RateLimit::DenyAll, too_many] {
            assert!(StandardUpdate::new().rate_limit(limit).is_err(), "{limit:?}");
        }
    }
}
