//! Use cases over any store, with clock and randomness injected: [`Keys`].

mod keys;
mod last_used;

pub use keys::{DEFAULT_PAGE, Keys, KeysBuilder, KeysError, MIN_PREFIX_LEN, Outcome, OwnerKeys, Page};
pub use last_used::{DEFAULT_CAPACITY, DEFAULT_INTERVAL, LastUsedMetrics};
