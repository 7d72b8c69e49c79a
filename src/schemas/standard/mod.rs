//! The schema `standard`: keys of any service that has no table of keys, under the service's own prefix.
//!
//! A key is `acme_live_` or `acme_test_` and 39 characters: the service's prefix, the environment, 192 random bits in
//! base62, and a checksum. Its tables, `keys`, `key_uses` and `key_history`, are keyward's own; they hold everything
//! that a store can represent, so that no side table is needed.

mod permissions;
mod record;
mod schema;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
mod update;

pub use record::{FormatName, StandardDetails, StandardKey, StandardKeyError};
pub use schema::Standard;
pub use update::StandardUpdate;
