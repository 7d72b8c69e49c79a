//! Keyward.

pub mod key;
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
pub use secret::Secret;
pub use service::{Keys, KeysBuilder, KeysError};
#[cfg(feature = "postgres")]
pub use sql::PostgresKeyStore;
#[cfg(feature = "sqlite")]
pub use sql::SqliteKeyStore;
pub use time::{Clock, InvalidTimestamp, ManualClock, SystemClock, Timestamp};
