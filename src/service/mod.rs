//! Use cases over any store, with clock and randomness injected: [`Keys`].

mod keys;
mod last_used;
#[cfg(feature = "seal")]
mod seal_keys;

pub use keys::{DEFAULT_PAGE, Keys, KeysBuilder, KeysError, MIN_PREFIX_LEN, Outcome, OwnerKeys, Page};
pub use last_used::{DEFAULT_CAPACITY, DEFAULT_INTERVAL, LastUsedMetrics};
#[cfg(feature = "seal")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "seal")))]
pub use seal_keys::{MAX_SEAL_KEYS_LEN, SealKeyProvider, SealKeysError, SealKeysOrigin};
