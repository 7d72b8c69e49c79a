//! What a use of a quota comes to.

use std::time::Duration;

use crate::key::Quota;
use crate::time::Timestamp;

/// The use is within the quota of the key, and is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct QuotaUse {
    /// The quota.
    pub quota: Quota,
    /// How many units were left when this process last asked, less those that it has spent since. Other processes may have
    /// spent some too.
    pub left: u64,
    /// When the next period begins.
    pub resets_at: Timestamp,
}

/// The use of a good key is not admitted. That says nothing against the key: it is never answered with 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuotaExceeded {
    /// The quota is used up: 429.
    #[error("the quota of {} is used up until {resets_at}", quota.units())]
    UsedUp {
        /// The quota.
        quota: Quota,
        /// When the next period begins.
        resets_at: Timestamp,
        /// How long until then.
        retry_after: Duration,
    },
    /// The store could not be asked, and nothing that was taken before is left: 503. Whether to serve the request uncounted is
    /// up to the host.
    #[error("quotas cannot be checked at the moment")]
    Unavailable {
        /// When the store is asked again.
        retry_after: Duration,
    },
}

impl QuotaExceeded {
    /// How long until the same use may be admitted.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        match self {
            Self::UsedUp { retry_after, .. } | Self::Unavailable { retry_after } => *retry_after,
        }
    }

    /// Whether nothing is known about the quota: 503 rather than 429.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// What became of uses so far, and of the units that were taken for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct QuotaMetrics {
    /// Lineages and kinds of period for which this process holds units, or did a moment ago.
    pub remembered: usize,
    /// Uses for which a quota was used up.
    pub used_up: u64,
    /// Uses that were refused because the store could not be asked.
    pub unavailable: u64,
    /// Requests to the store.
    pub leases: u64,
}
