//! How old the record was on which a key was accepted.

use std::time::Duration;

/// What a key was accepted on: a record that was read for this verification, or one that was read before.
///
/// ```
/// use std::time::Duration;
///
/// use keyward::key::Evidence;
///
/// assert!(Evidence::Fresh.is_fresh());
/// let cached = Evidence::Cached { age: Duration::from_secs(3) };
/// assert_eq!((cached.is_fresh(), cached.age()), (false, Duration::from_secs(3)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Evidence {
    /// The store was asked for this verification, alone or together with others who presented the same key.
    Fresh,
    /// A replica of the store was asked for this verification.
    Replicated {
        /// How far the replica was behind the store at most.
        age: Duration,
    },
    /// The record came from the cache, within its bound.
    Cached {
        /// How long before this verification the store was asked for it; what a replica was behind is counted in.
        age: Duration,
    },
    /// The store could not answer, and the [outage policy](crate::service::OutagePolicy) accepts what was good a short
    /// while ago.
    StaleOnOutage {
        /// How long before this verification the store was asked for it.
        age: Duration,
    },
}

impl Evidence {
    /// Whether the store itself was asked for this verification.
    #[must_use]
    pub const fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh)
    }

    /// How long before this verification everything that was committed to the store is known to have counted; zero when
    /// the store was asked for it.
    #[must_use]
    pub const fn age(self) -> Duration {
        match self {
            Self::Fresh => Duration::ZERO,
            Self::Replicated { age } | Self::Cached { age } | Self::StaleOnOutage { age } => age,
        }
    }
}
