//! A moment by two clocks, of which the one that makes what was read older counts.

use std::time::Duration;

use crate::time::{Clock, Timestamp};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) elapsed: Duration,
}

impl Moment {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self { now: clock.now(), elapsed: clock.elapsed() }
    }

    /// So much earlier.
    pub(crate) fn before(self, age: Duration) -> Self {
        Self { now: self.now.saturating_sub(age), elapsed: self.elapsed.saturating_sub(age) }
    }

    /// How long after `earlier` this is. The clock of the day stands still for nothing but being set, the other one
    /// while a machine sleeps.
    pub(crate) fn age_of(self, earlier: Self) -> Duration {
        let by_day = self.now.as_micros().saturating_sub(earlier.now.as_micros());
        let by_day = Duration::from_micros(u64::try_from(by_day).unwrap_or_default());
        by_day.max(self.elapsed.saturating_sub(earlier.elapsed))
    }
}
