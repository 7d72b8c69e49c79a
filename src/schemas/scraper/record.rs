//! What only the schema `scraper` records about a key, and how a new one is described.

use std::num::NonZeroU32;

use crate::key::{
    Action, Draft, Encoding, ForeignFormat, IdScheme, InvalidMetadata, InvalidRateLimit, InvalidScope, InvalidText,
    KeyFormat, KeyFormats, KeyName, KeyRecord, Labels, Metadata, OwnerId, RateLimit, RefusalReason, Schema, Scope,
    Scopes, sound,
};
use crate::time::Timestamp;

impl KeyFormat {
    /// `riq_` and 43 base64url characters, 47 bytes; the first 8 are shown. The schema `scraper` has frozen it.
    pub const SCRAPER: Self = sound(Self::new("riq_", 32, Encoding::Base64Url, 8));
}

/// The schema `scraper`. A key's owner is a client.
///
/// Any text behind `riq_` is accepted as a key, because nothing is known of the keys that the service issued itself.
#[derive(Clone, Debug)]
pub struct Scraper {
    formats: KeyFormats,
}

impl Scraper {
    /// The schema as the service has it.
    #[must_use]
    pub fn new() -> Self {
        let format = KeyFormat::SCRAPER;
        let older = ForeignFormat::anything_behind(&format);
        Self { formats: KeyFormats::new(format).accepting_foreign(older) }
    }
}

impl Default for Scraper {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema for Scraper {
    type Details = ScraperDetails;

    const NAME: &'static str = "scraper";
    const ID_SCHEME: IdScheme = IdScheme::Uuid;
    const VERSIONED: bool = false;

    fn formats(&self) -> &KeyFormats {
        &self.formats
    }

    fn admits(&self, _key: &KeyRecord<Self>) -> Result<(), RefusalReason> {
        Ok(())
    }

    fn labels(details: &ScraperDetails) -> Labels<'_> {
        Labels::named(details.name.as_str())
    }

    fn origin(_details: &ScraperDetails) -> Action {
        Action::Issued
    }

    fn begin(&self, _key: &mut KeyRecord<Self>) {}

    fn succeed(&self, _predecessor: &KeyRecord<Self>, _successor: &mut KeyRecord<Self>) {}

    fn rate_limit(details: &ScraperDetails) -> RateLimit {
        details.rate_limit
    }
}

/// What a client may ask a minute where its key's row does not say (`rate_limit_rpm` is NULL).
pub const DEFAULT_REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// What only the schema `scraper` records about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ScraperDetails {
    /// What people call it.
    pub name: KeyName,
    /// What it permits, as stored: exact strings, see [`ScopePolicy`](crate::key::ScopePolicy).
    pub scopes: Scopes,
    /// How many requests a minute it permits, where a [`RateLimiter`](crate::service::RateLimiter) counts them.
    pub rate_limit: RateLimit,
    /// Whatever the host keeps with it, as the database writes it, whatever its numbers and however deep. PostgreSQL's
    /// column is `jsonb`, which keeps the value and not its spelling. What is no text reads as absent.
    pub metadata: Option<Metadata>,
}

/// Describes a new key of the schema `scraper`.
///
/// ```
/// use keyward::schemas::scraper::{ScraperKey, ScraperKeyError};
///
/// let draft = ScraperKey::named("acme", "nightly import")?
///     .scope("jobs:read")?
///     .requests_per_minute(120)?;
/// assert!(matches!(draft.scope("jobs read"), Err(ScraperKeyError::Scope(_))));
/// # Ok::<(), ScraperKeyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a description alone issues no key"]
pub struct ScraperKey {
    draft: Draft<Scraper>,
}

impl ScraperKey {
    /// A key of `client` called `name`, without scopes, for [`DEFAULT_REQUESTS_PER_MINUTE`], that never expires.
    ///
    /// # Errors
    /// [`ScraperKeyError`] when one of them is empty, longer than 255 characters, or has a control character.
    pub fn named(client: impl Into<String>, name: impl Into<String>) -> Result<Self, ScraperKeyError> {
        let owner = OwnerId::new(client).map_err(ScraperKeyError::Client)?;
        let details = ScraperDetails {
            name: KeyName::new(name).map_err(ScraperKeyError::Name)?,
            scopes: Scopes::default(),
            rate_limit: RateLimit::PerMinute(DEFAULT_REQUESTS_PER_MINUTE),
            metadata: None,
        };
        Ok(Self { draft: Draft::new(owner, details) })
    }

    /// Permits `scope` too. Naming one twice is the same as naming it once.
    ///
    /// # Errors
    /// [`ScraperKeyError::Scope`], see [`Scope::new`].
    pub fn scope(mut self, scope: impl Into<String>) -> Result<Self, ScraperKeyError> {
        self.draft.details.scopes.extend([Scope::new(scope)?]);
        Ok(self)
    }

    /// Permits `limit` requests a minute.
    ///
    /// # Errors
    /// [`ScraperKeyError::RateLimit`] when it is zero or more than 2,147,483,647, the most that the column holds.
    pub fn requests_per_minute(mut self, limit: u32) -> Result<Self, ScraperKeyError> {
        self.draft.details.rate_limit = RateLimit::per_minute(limit)?;
        Ok(self)
    }

    /// Permits as many requests as the service grants by default, now and later (NULL in the table).
    pub fn default_rate_limit(mut self) -> Self {
        self.draft.details.rate_limit = RateLimit::ServiceDefault;
        self
    }

    /// The key dies at `at`.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.draft.expires_at = Some(at);
        self
    }

    /// Keeps `metadata` with the key, a JSON document.
    ///
    /// # Errors
    /// [`ScraperKeyError::Metadata`] when it is too long or has a NUL character. That it is a JSON document, nested at
    /// most 127 levels deep and with numbers below 1e308, is checked when it is stored.
    pub fn metadata(mut self, metadata: impl Into<Box<str>>) -> Result<Self, ScraperKeyError> {
        self.draft.details.metadata = Some(Metadata::new(metadata)?);
        Ok(self)
    }
}

impl From<ScraperKey> for Draft<Scraper> {
    fn from(key: ScraperKey) -> Self {
        key.draft
    }
}

/// Why a description of a key was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScraperKeyError {
    /// The client's identity.
    #[error("the client {0}")]
    Client(InvalidText),
    /// The name.
    #[error("the name {0}")]
    Name(InvalidText),
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
