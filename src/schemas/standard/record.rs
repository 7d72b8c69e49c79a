//! What the schema `standard` records about a key, and how a new one is described.

use crate::key::{
    Actor, Description, Draft, Environment, InvalidMetadata, InvalidRateLimit, InvalidScope, InvalidText, KeyId,
    KeyName, Metadata, OwnerId, RateLimit, Scope, Scopes, text,
};
use crate::schemas::standard::Standard;
use crate::time::Timestamp;

text! {
    /// What the host calls the foreign format of imported keys, such as the name of the service that made them.
    FormatName, at most 32
}

/// What the schema `standard` records about a key beside its head.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StandardDetails {
    /// The environment in which it is accepted.
    pub environment: Environment,
    /// What people call it.
    pub name: KeyName,
    /// What it is for.
    pub description: Option<Description>,
    /// What it permits: exact strings, see [`ScopePolicy`](crate::key::ScopePolicy).
    pub scopes: Scopes,
    /// How many requests a minute it permits, where a [`RateLimiter`](crate::service::RateLimiter) counts them.
    pub rate_limit: RateLimit,
    /// Whatever the host keeps with it, byte for byte.
    pub metadata: Option<Metadata>,
    /// The first key of those that were rotated one into the other; its own identity if it is the first.
    pub lineage: KeyId,
    /// The key that it replaced.
    pub predecessor: Option<KeyId>,
    /// The foreign format of a key that another service made.
    pub imported_from: Option<FormatName>,
}

/// Describes a new key of the schema `standard`.
///
/// ```
/// use keyward::schemas::standard::{StandardKey, StandardKeyError};
///
/// let key = StandardKey::new("customer-1", "nightly import")?
///     .scope("jobs:read")?
///     .description("Copies the day's jobs into the warehouse.")?
///     .requests_per_minute(120)?;
/// assert!(matches!(key.scope("jobs read"), Err(StandardKeyError::Scope(_))));
/// # Ok::<(), StandardKeyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a description alone issues no key"]
pub struct StandardKey {
    draft: Draft<Standard>,
}

impl StandardKey {
    /// A key of `owner` called `name`, without scopes, with the service's own rate limit, that never expires.
    ///
    /// # Errors
    /// [`StandardKeyError`] when one of them is empty, longer than 255 characters, or has a control character.
    pub fn new(owner: impl Into<String>, name: impl Into<String>) -> Result<Self, StandardKeyError> {
        let owner = OwnerId::new(owner).map_err(StandardKeyError::Owner)?;
        let details = StandardDetails {
            // The environment and the lineage are set when the key gets its identity.
            environment: Environment::TEST,
            name: KeyName::new(name).map_err(StandardKeyError::Name)?,
            description: None,
            scopes: Scopes::default(),
            rate_limit: RateLimit::ServiceDefault,
            metadata: None,
            lineage: KeyId::from_stored(""),
            predecessor: None,
            imported_from: None,
        };
        Ok(Self { draft: Draft::new(owner, details) })
    }

    /// Permits `scope` too. Naming one twice is the same as naming it once.
    ///
    /// # Errors
    /// [`StandardKeyError::Scope`], see [`Scope::new`].
    pub fn scope(self, scope: impl Into<String>) -> Result<Self, StandardKeyError> {
        let scope = Scope::new(scope)?;
        Ok(self.scopes([scope]))
    }

    /// Permits all of `scopes` too.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.draft.details.scopes.extend(scopes);
        self
    }

    /// Says what the key is for.
    ///
    /// # Errors
    /// [`StandardKeyError::Description`] when it is empty, longer than 1000 characters, or has a control character.
    pub fn description(mut self, description: impl Into<String>) -> Result<Self, StandardKeyError> {
        let description = Description::new(description).map_err(StandardKeyError::Description)?;
        self.draft.details.description = Some(description);
        Ok(self)
    }

    /// Keeps `metadata` with the key.
    ///
    /// # Errors
    /// [`StandardKeyError::Metadata`] when it is longer than 16 KiB or has a NUL character.
    pub fn metadata(mut self, metadata: impl Into<Box<str>>) -> Result<Self, StandardKeyError> {
        self.draft.details.metadata = Some(Metadata::new(metadata)?);
        Ok(self)
    }

    /// Permits `limit` requests a minute instead of as many as the service grants by default.
    ///
    /// # Errors
    /// [`StandardKeyError::RateLimit`] when it is zero or more than 2,147,483,647.
    pub fn requests_per_minute(mut self, limit: u32) -> Result<Self, StandardKeyError> {
        self.draft.details.rate_limit = RateLimit::per_minute(limit)?;
        Ok(self)
    }

    /// The key dies at `at`.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.draft.expires_at = Some(at);
        self
    }

    /// The key is issued by `actor`, instead of by whom [`Keys::by`](crate::Keys::by) says.
    pub fn created_by(mut self, actor: Actor) -> Self {
        self.draft.created_by = Some(actor);
        self
    }

    /// The key was made by another service, in the foreign format that the host calls `format`. For keys that are
    /// [imported](crate::Keys::import); their history says so.
    ///
    /// # Errors
    /// [`StandardKeyError::Format`] when it is empty, longer than 32 characters, or has a control character.
    pub fn imported_from(mut self, format: impl Into<String>) -> Result<Self, StandardKeyError> {
        let format = FormatName::new(format).map_err(StandardKeyError::Format)?;
        self.draft.details.imported_from = Some(format);
        Ok(self)
    }
}

impl From<StandardKey> for Draft<Standard> {
    fn from(key: StandardKey) -> Self {
        key.draft
    }
}

/// Why a description of a key was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StandardKeyError {
    /// The owner.
    #[error("the owner {0}")]
    Owner(InvalidText),
    /// The name.
    #[error("the name {0}")]
    Name(InvalidText),
    /// The description.
    #[error("the description {0}")]
    Description(InvalidText),
    /// The name of a foreign format.
    #[error("the name of the foreign format {0}")]
    Format(InvalidText),
    /// A scope.
    #[error(transparent)]
    Scope(#[from] InvalidScope),
    /// The rate limit.
    #[error(transparent)]
    RateLimit(#[from] InvalidRateLimit),
    /// The metadata.
    #[error(transparent)]
    Metadata(#[from] InvalidMetadata),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_description_is_checked_and_named_when_it_is_refused() {
        let key = || StandardKey::new("customer", "import").unwrap();
        let empty = InvalidText::Empty;
        assert_eq!(StandardKey::new("", "import").unwrap_err(), StandardKeyError::Owner(empty));
        assert_eq!(StandardKey::new("customer", " ").unwrap_err(), StandardKeyError::Name(empty));
        assert_eq!(key().description("").unwrap_err(), StandardKeyError::Description(empty));
        assert_eq!(key().scope("a b").unwrap_err(), StandardKeyError::Scope(InvalidScope));
        assert_eq!(key().requests_per_minute(0).unwrap_err(), StandardKeyError::RateLimit(InvalidRateLimit));
        assert_eq!(key().metadata("\0").unwrap_err(), StandardKeyError::Metadata(InvalidMetadata::NulCharacter));
        let too_long = StandardKeyError::Format(InvalidText::TooLong { limit: 32 });
        assert_eq!(key().imported_from("x".repeat(33)).unwrap_err(), too_long);
        assert_eq!(too_long.to_string(), "the name of the foreign format must not be longer than 32 characters");
    }

    #[test]
    fn scopes_add_up() {
        let key = StandardKey::new("customer", "import").unwrap().scope("a").unwrap();
        let draft = Draft::from(key.scopes(["b", "a"].map(|scope| Scope::new(scope).unwrap())));
        assert_eq!(draft.details.scopes.to_string(), "a b");
    }
}
