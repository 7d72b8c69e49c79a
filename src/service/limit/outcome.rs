//! What a limiter answers.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::key::{Rate, Taken};

/// The request is within the limit of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admitted {
    /// The limit that the key has.
    pub rate: Rate,
    /// How many more requests would be admitted right now. Where the request was not counted, the whole burst.
    pub remaining: u32,
    /// How long until the whole burst is there again.
    pub full_after: Duration,
    /// Where it was counted.
    pub counted: Counted,
}

impl Admitted {
    pub(super) const fn of(taken: Taken, counted: Counted) -> Self {
        Self { rate: taken.rate(), remaining: taken.remaining(), full_after: taken.full_after(), counted }
    }

    pub(super) const fn uncounted(rate: Rate) -> Self {
        let remaining = rate.burst().get();
        Self { rate, remaining, full_after: Duration::ZERO, counted: Counted::Nowhere }
    }
}

/// Where a request was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counted {
    /// In this process alone.
    InProcess,
    /// In the store that the processes share.
    Shared,
    /// Nowhere: the store could not be asked, and the host has said [`OnOutage::Admit`].
    Nowhere,
}

impl Counted {
    /// In one `snake_case` word, for logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InProcess => "in_process",
            Self::Shared => "shared",
            Self::Nowhere => "nowhere",
        }
    }
}

/// The request of a good key is not admitted. That says nothing against the key: it is never answered with 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateLimited {
    /// The key's limit is used up: 429.
    #[error("there were more requests than the {} a minute that the key permits", rate.requests_per_minute())]
    Exceeded {
        /// The limit.
        rate: Rate,
        /// How long until a request is admitted; no more than a minute.
        retry_after: Duration,
    },
    /// The key's row holds a limit that permits no request, now or later: 403.
    #[error("the key permits no requests")]
    DenyAll,
    /// The store that the processes share could not be asked, and the host has said [`OnOutage::Refuse`]: 503.
    #[error("rate limits cannot be checked at the moment")]
    Unavailable {
        /// When the store is asked again.
        retry_after: Duration,
    },
}

impl RateLimited {
    /// How long until the same request may be admitted; `None` where waiting does not help.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Exceeded { retry_after, .. } | Self::Unavailable { retry_after } => Some(*retry_after),
            Self::DenyAll => None,
        }
    }

    /// Whether nothing is known about the limit: 503 rather than 429.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// What becomes of requests while the store that the processes share cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnOutage {
    /// They are refused ([`RateLimited::Unavailable`]): no limit is ever exceeded, and without the store there is no service.
    Refuse,
    /// They are admitted uncounted ([`Counted::Nowhere`]): the service goes on, and there is no limit.
    Admit,
    /// Each process counts its own ([`Counted::InProcess`]): the service goes on, and so many processes admit at most so many
    /// times the limit.
    CountInProcess,
}

/// What became of requests so far, and what is remembered of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RateLimitMetrics {
    /// Lineages that this process remembers now.
    pub remembered: usize,
    /// Lineages that it forgot before their bursts were whole again, because there were too many. They got a fresh one.
    pub forgotten: u64,
    /// Requests that exceeded a limit.
    pub exceeded: u64,
    /// Requests that came while the shared store could not be asked, whatever became of them.
    pub during_outage: u64,
}

pub(super) fn exceeded(taken: Taken) -> RateLimited {
    RateLimited::Exceeded { rate: taken.rate(), retry_after: taken.retry_after() }
}

/// The limit of a key, unless it permits nothing.
pub(super) fn rate(requests_per_minute: u32, burst: Option<NonZeroU32>) -> Result<Rate, RateLimited> {
    let requests = NonZeroU32::new(requests_per_minute).ok_or(RateLimited::DenyAll)?;
    let rate = Rate::per_minute(requests);
    Ok(burst.map_or(rate, |burst| rate.with_burst(burst)))
}
