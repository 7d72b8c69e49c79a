//! API keys for Rust services: made, hashed, verified, rotated and revoked, in your own PostgreSQL or SQLite database.
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
//! use that does not cost a write per request, a NULL that must not mean "everything". keyward does these, in tables of
//! its own or in those that you have already.
//!
//! # How
//!
//! ```
//! use keyward::schemas::standard::{Standard, StandardKey};
//! use keyward::{Keys, store::MemoryKeyStore};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
//!
//! let issued = keys.issue(StandardKey::new("customer-1", "nightly import")?.scope("jobs:read")?).await?;
//! let plaintext = issued.secret.expose_secret(); // acme_live_…: show it to its owner, now or never
//!
//! // A good key says whose it is and what it permits.
//! let caller = keys.verify(plaintext).await?;
//! assert_eq!(caller.owner().as_str(), "customer-1");
//! assert!(caller.permits("jobs:read").is_ok());
//! assert!(caller.permits("jobs:write").is_err());
//!
//! // A bad one says one thing to its caller and another to the log.
//! keys.of(caller.owner()).revoke(&caller.head().id, None).await?;
//! let refusal = keys.verify(plaintext).await.unwrap_err();
//! assert!(!refusal.is_outage()); // so answer 401, not 503
//! assert_eq!(refusal.to_string(), "the API key is not valid");
//! assert_eq!(refusal.reason().code(), "revoked");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! Over HTTP, `.layer(Protect::new(keys))` protects routes, and handlers take an `Authenticated<S>`: module `http`.
//!
//! With a database, the store is another and nothing else: `SqlKeyStore::open(&engine, Standard::new("acme")?)`, where
//! `engine` is `Sqlite::open("app.db")?`, `Postgres::new(pool)` or `Engine::connect(url)`.
//!
//! # Which schema
//!
//! A [schema](schemas) is a table layout, a key format, and what only its keys record.
//! [`standard`](schemas::standard) is the one for services that have no key table; the others run on the unmodified
//! tables of existing services.
//!
//! # Which feature
//!
//! None is on by default.
//!
//! | feature | adds |
//! |---|---|
//! | `sqlite` | the SQLite engine, with SQLite compiled in |
//! | `postgres` | the PostgreSQL engine, on your own sqlx pool |
//! | `tokio` | the timer that writes last use at an interval, and quotas; both engines imply it |
//! | `seal` | secrets at rest that have to be read back: authenticated encryption, with a ring of keys |
//! | `credentials` | upstream OAuth credentials, module `credential`: DPoP keys and proofs, refreshes, answers of servers |
//! | `broker` | an OAuth 2.1 authorization server, module `broker`; with `axum`, its router |
//! | `http` | keys in requests, module `http`: the bearer token, the challenge, and answers that refuse |
//! | `tower` | the same as a layer over any service of `http` requests; with `credentials`, signed calls over any client |
//! | `axum` | the caller and the required scopes as arguments of axum's handlers |
//! | `reqwest` | refreshes and signed calls by reqwest, with rustls |
//! | `redis` | limits and quotas that processes share in Redis or Valkey |
//! | `serde` | records, pages, refusals and timestamps serialise, secrets never |
//! | `chrono`, `jiff` | conversions of [`Timestamp`] |
//! | `cli` | the program `keyward`, for the engines that are enabled beside it |
//! | `serve` | `keyward serve`, the authorization server as a program of its own |
//! | `testkit` | the conformance suite for authors of stores |
//!
//! # Read on
//!
//! - [Design](docs::design): layers, what a store promises and why, how to add a schema.
//! - [Threat model](docs::threat_model): what is protected from whom, and what is left to you.
//! - [Schemas](docs::schemas): the tables, column by column.
//! - [Authorization server](docs#modules), with the feature `broker`: grants, codes and tokens, and what is decided how.
//! - [Operating](docs::operating): the command line, events, metrics, a leaked key.
//! - [Trouble](docs::trouble): what production does to it, how that looks in the log, and what to do.

#![cfg_attr(docsrs_keyward, feature(doc_cfg))]

#[cfg(feature = "broker")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "broker")))]
pub mod broker;
#[cfg(any(feature = "broker", feature = "credentials"))]
mod client_id;
#[cfg(feature = "credentials")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "credentials")))]
pub mod credential;
pub mod docs;
#[cfg(feature = "http")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "http")))]
pub mod http;
pub mod key;
#[cfg(any(feature = "broker", feature = "http"))]
mod oauth_error;
mod random;
#[cfg(feature = "redis")]
mod redis_store;
pub mod schemas;
#[cfg(feature = "seal")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "seal")))]
pub mod seal;
mod secret;
pub mod service;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;
pub mod store;
mod time;
mod unfit;
mod visible;

/// The framework whose handlers take callers as arguments, in the version that is taken.
#[cfg(feature = "axum")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "axum")))]
#[doc(no_inline)]
pub use axum;
pub use random::RandomUnavailable;
/// The driver whose connections [`RedisStore`] takes, in the version that it takes.
#[cfg(feature = "redis")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "redis")))]
#[doc(no_inline)]
pub use redis;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "redis")))]
pub use redis_store::{DEFAULT_REDIS_TIMEOUT, InvalidRedisPrefix, RedisStore};
/// The client that refreshes and calls, in the version that is taken.
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "reqwest")))]
#[doc(no_inline)]
pub use reqwest;
/// The driver whose connections and transactions the SQLite engine takes, in the version that it takes.
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "sqlite")))]
#[doc(no_inline)]
pub use rusqlite;
pub use secret::Secret;
pub use service::{Keys, KeysBuilder, KeysError};
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "sqlite")))]
pub use sql::Sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[cfg_attr(docsrs_keyward, doc(cfg(any(feature = "sqlite", feature = "postgres"))))]
pub use sql::{Engine, SqlKeyStore};
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
pub use sql::{Postgres, ReplicaPolicy};
/// The driver whose pools and connections the PostgreSQL engine takes, in the version that it takes.
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
#[doc(no_inline)]
pub use sqlx;
pub use time::{Clock, InvalidTimestamp, ManualClock, SystemClock, Timestamp};
pub use visible::Visible;
