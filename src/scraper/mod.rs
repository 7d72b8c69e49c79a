//! System C: keys of a scraping service's clients, with string scopes, a rate limit and free metadata.
//!
//! The table is `api_keys`, unmodified. What it cannot hold, the time and the reason of a revocation and the fact of a
//! rotation, goes to the optional side tables `keyward_revocations` and `keyward_rotations`.

mod permissions;
mod record;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

pub use permissions::{MissingScope, ScopePolicy};
pub use record::{
    DEFAULT_REQUESTS_PER_MINUTE, KeyName, RateLimit, Scope, Scraper, ScraperDetails, ScraperKey, ScraperKeyError,
};
