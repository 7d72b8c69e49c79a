//! What only system C records about a key, and how a new one is described.

use std::fmt;
use std::num::NonZeroU32;

use serde_json::Value as Json;

use crate::key::{Draft, IdScheme, InvalidText, KeyFormat, OwnerId, Profile, check_text, text};
use crate::time::Timestamp;

/// System C, the profile.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a name for a system, nothing more")]
pub struct Scraper;

impl Profile for Scraper {
    type Details = ScraperDetails;

    const NAME: &'static str = "scraper";
    const FORMAT: KeyFormat = KeyFormat::SCRAPER;
    const ID_SCHEME: IdScheme = IdScheme::Uuid;
}

/// What a client may ask a minute where its key's row does not say (`rate_limit_rpm` is NULL).
pub const DEFAULT_REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// What only system C records about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScraperDetails {
    /// What people call it.
    pub name: KeyName,
    /// What it permits, as stored: exact strings, see [`ScopePolicy`](crate::scraper::ScopePolicy).
    pub scopes: Vec<Scope>,
    /// How many requests a minute it permits. keyward hands the number out and does not count requests.
    pub rate_limit: RateLimit,
    /// Whatever the host keeps with it.
    pub metadata: Option<Json>,
}

/// How many requests a minute a key permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a column is NULL, positive, or not")]
pub enum RateLimit {
    /// As many as the system grants by default; NULL in the table.
    SystemDefault,
    /// This many.
    PerMinute(NonZeroU32),
    /// None: the row holds zero or less. Such a key is refused.
    Nothing,
}

impl RateLimit {
    /// Requests a minute, where the system grants `system_default` to keys that do not say.
    #[must_use]
    pub const fn requests_per_minute(self, system_default: NonZeroU32) -> u32 {
        match self {
            Self::SystemDefault => system_default.get(),
            Self::PerMinute(limit) => limit.get(),
            Self::Nothing => 0,
        }
    }
}

text! {
    /// What people call a key.
    KeyName, at most 255
}

/// A permission, an opaque string such as `jobs:read`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scope(String);

impl Scope {
    /// Checks a scope: 1 to 255 printable ASCII characters but space, `"` and `\` (RFC 6749 section 3.3).
    ///
    /// # Errors
    /// [`ScraperKeyError::Scope`].
    pub fn new(scope: impl Into<String>) -> Result<Self, ScraperKeyError> {
        let scope = scope.into();
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if (1..=255).contains(&scope.len()) && scope.bytes().all(allowed) {
            Ok(Self(scope))
        } else {
            Err(ScraperKeyError::Scope)
        }
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn from_stored(scope: String) -> Self {
        Self(scope)
    }

    /// The string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", self.0)
    }
}

/// Describes a new key of system C.
///
/// ```
/// use keyward::scraper::{ScraperKey, ScraperKeyError};
///
/// let draft = ScraperKey::named("acme", "nightly import")?
///     .scope("jobs:read")?
///     .requests_per_minute(120)?;
/// assert!(matches!(draft.scope("jobs read"), Err(ScraperKeyError::Scope)));
/// # Ok::<(), ScraperKeyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a description alone issues no key"]
pub struct ScraperKey {
    draft: Draft<ScraperDetails>,
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
            scopes: Vec::new(),
            rate_limit: RateLimit::PerMinute(DEFAULT_REQUESTS_PER_MINUTE),
            metadata: None,
        };
        Ok(Self { draft: Draft { owner, expires_at: None, details } })
    }

    /// Permits `scope` too. Naming one twice is the same as naming it once.
    ///
    /// # Errors
    /// [`ScraperKeyError::Scope`], see [`Scope::new`].
    pub fn scope(mut self, scope: impl Into<String>) -> Result<Self, ScraperKeyError> {
        let scope = Scope::new(scope)?;
        if !self.draft.details.scopes.contains(&scope) {
            self.draft.details.scopes.push(scope);
        }
        Ok(self)
    }

    /// Permits `limit` requests a minute.
    ///
    /// # Errors
    /// [`ScraperKeyError::RateLimit`] when it is zero or more than 2,147,483,647, the most that the column holds.
    pub fn requests_per_minute(mut self, limit: u32) -> Result<Self, ScraperKeyError> {
        let fits = i32::try_from(limit).is_ok();
        let limit = NonZeroU32::new(limit).filter(|_| fits).ok_or(ScraperKeyError::RateLimit)?;
        self.draft.details.rate_limit = RateLimit::PerMinute(limit);
        Ok(self)
    }

    /// Permits as many requests as the system grants by default, now and later (NULL in the table).
    pub fn system_rate_limit(mut self) -> Self {
        self.draft.details.rate_limit = RateLimit::SystemDefault;
        self
    }

    /// The key dies at `at`.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.draft.expires_at = Some(at);
        self
    }

    /// Keeps `metadata` with the key.
    ///
    /// # Errors
    /// [`ScraperKeyError::Metadata`] when it has a NUL character, which PostgreSQL cannot hold, or is nested deeper than
    /// 127 levels.
    pub fn metadata(mut self, metadata: Json) -> Result<Self, ScraperKeyError> {
        // What cannot be read back must not be stored.
        let is_readable = serde_json::from_str::<Json>(&metadata.to_string()).is_ok();
        if has_nul(&metadata) || !is_readable {
            return Err(ScraperKeyError::Metadata);
        }
        self.draft.details.metadata = Some(metadata);
        Ok(self)
    }
}

impl From<ScraperKey> for Draft<ScraperDetails> {
    fn from(key: ScraperKey) -> Self {
        key.draft
    }
}

fn has_nul(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(has_nul),
        Json::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
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
    #[error("a scope must be 1 to 255 printable ASCII characters but space, \" and \\")]
    Scope,
    /// The rate limit.
    #[error("the rate limit must be 1 to 2147483647 requests a minute")]
    RateLimit,
    /// The metadata.
    #[error("the metadata must not contain NUL characters or be nested deeper than 127 levels")]
    Metadata,
}
