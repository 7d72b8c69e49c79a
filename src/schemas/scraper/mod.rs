//! The schema `scraper`: keys of a scraping service's clients, with scopes, a rate limit and metadata.
//!
//! The table is `api_keys`, unmodified. What it cannot hold, the time and the reason of a revocation and the fact of a
//! rotation, goes to the optional side tables `revocations` and `rotations`.

mod permissions;
mod record;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

pub use record::{DEFAULT_REQUESTS_PER_MINUTE, Scraper, ScraperDetails, ScraperKey, ScraperKeyError};
