//! API keys for Rust services: made, hashed, verified, rotated and revoked, on your own PostgreSQL or SQLite tables.
//!
//! # What
//!
//! [`Keys`] is the whole life of a key over any [store](store::KeyStore). Verifying gives either proof that the key is
//! good, with its owner and permissions, or a [refusal](key::Refusal) with two faces: one sentence for the caller, the
//! same for every bad key, and the exact reason for the log.
//!
//! # Why
//!
//! Handing out keys is a few lines. The rest is not: keys that cannot be read back from the database, a revocation that
//! no cache survives, a rotation that two people start at once, an outage that must not look like a wrong key, a last
//! use that does not cost a write per request, a NULL that must not mean "everything". keyward does these, on tables
//! that you may have already.
//!
//! # How
//!
//! ```
//! use keyward::scraper::{ScopePolicy, Scraper, ScraperKey};
//! use keyward::{Keys, store::MemoryKeyStore};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let keys = Keys::builder(Scraper, MemoryKeyStore::new()).build();
//!
//! let draft = ScraperKey::named("acme", "nightly import")?.scope("jobs:read")?;
//! let issued = keys.issue(draft.into()).await?;
//! let plaintext = issued.secret.expose_secret(); // show it to its owner, now or never
//!
//! // A good key says whose it is and what it permits.
//! let accepted = keys.verify(plaintext).await?;
//! assert_eq!(accepted.head().owner.as_str(), "acme");
//! assert!(accepted.details().permits("jobs:read", ScopePolicy::exact()).is_ok());
//! assert!(accepted.details().permits("jobs:write", ScopePolicy::exact()).is_err());
//!
//! // A bad one says one thing to its caller and another to the log.
//! keys.revoke(&issued.record.head.id, None).await?;
//! let refusal = keys.verify(plaintext).await.unwrap_err();
//! assert!(!refusal.is_outage()); // so answer 401, not 503
//! assert_eq!(refusal.to_string(), "the API key is not valid");
//! assert_eq!(refusal.reason().code(), "revoked");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! With a database, the store is another and nothing else: `SqliteKeyStore::<Scraper>::open("keys.db")` or
//! `PostgresKeyStore::<Scraper>::open(pool)`.
//!
//! # Which feature
//!
//! None is on by default.
//!
//! | feature | adds |
//! |---|---|
//! | `sqlite` | `SqliteKeyStore`, with SQLite compiled in |
//! | `postgres` | `PostgresKeyStore`, on your own sqlx pool |
//! | `cli` | the program `keyward`, for the engines that are enabled beside it |
//! | `testkit` | the conformance suite for authors of stores, and a seeded generator |
//!
//! # Read on
//!
//! - [Design](docs::design): layers, what a store promises and why, how to add a system.
//! - [Threat model](docs::threat_model): what is protected from whom, and what is left to you.
//! - [Schemas](docs::schemas): the tables, column by column.
//! - [Operating](docs::operating): the command line, events, metrics, a leaked key.

#![cfg_attr(docsrs_keyward, feature(doc_cfg))]

pub mod aggregator;
pub mod docs;
pub mod key;
pub mod mesh;
mod random;
pub mod scraper;
mod secret;
pub mod service;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;
pub mod store;
mod time;

#[cfg(feature = "testkit")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "testkit")))]
pub use random::SeededRandom;
pub use random::{OsRandom, RandomSource, RandomUnavailable};
/// The driver whose connections and transactions [`SqliteKeyStore`] takes, in the version that it takes.
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "sqlite")))]
#[doc(no_inline)]
pub use rusqlite;
pub use secret::Secret;
pub use service::{Keys, KeysBuilder, KeysError};
#[cfg(feature = "postgres")]
pub use sql::PostgresKeyStore;
#[cfg(feature = "sqlite")]
pub use sql::SqliteKeyStore;
/// The driver whose pools and connections [`PostgresKeyStore`] takes, in the version that it takes.
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
#[doc(no_inline)]
pub use sqlx;
pub use time::{Clock, InvalidTimestamp, ManualClock, SystemClock, Timestamp};
