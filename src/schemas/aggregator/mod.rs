//! The schema `aggregator`: one key for each aggregator, in the aggregator's own row. The DID is the owner and the key's
//! identity.
//!
//! The table is the host's `aggregators`; only its `api_key_*` columns are touched. Rows come and go with the host's
//! indexer, and a key goes with its row.

mod record;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

pub use record::{Aggregator, AggregatorDetails, AggregatorKey, InvalidDid};
#[cfg(all(feature = "credentials", any(feature = "sqlite", feature = "postgres")))]
#[cfg_attr(docsrs_keyward, doc(cfg(all(feature = "credentials", any(feature = "sqlite", feature = "postgres")))))]
pub use sql::AggregatorCredentials;
