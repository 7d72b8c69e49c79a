//! Whether the cache is in step with what others do to the store.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::service::cache::Moment;
use crate::time::Timestamp;

/// The last moment of which it is known that nothing from before it is missing. It keeps the step for a while: whoever
/// watches need do nothing, such as when it stands still, for the cache to be without it.
#[derive(Debug)]
pub(super) struct Step {
    /// In microseconds.
    now: AtomicI64,
    /// In microseconds, and [`NEVER`].
    elapsed: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Default for Step {
    fn default() -> Self {
        Self { now: AtomicI64::new(0), elapsed: AtomicU64::new(NEVER) }
    }
}

impl Step {
    /// Every change from before `at` has been told.
    #[cfg(feature = "tokio")]
    pub(super) fn confirm(&self, at: Moment) {
        // Two watches may confirm at once, and each is right: whichever parts of theirs are read together, one of them
        // was as late as the earlier part.
        self.now.store(at.now.as_micros(), Ordering::Release);
        self.elapsed.store(u64::try_from(at.elapsed.as_micros()).unwrap_or(NEVER), Ordering::Release);
    }

    #[cfg(feature = "tokio")]
    pub(super) fn lose(&self) {
        self.elapsed.store(NEVER, Ordering::Release);
    }

    pub(super) fn is_kept(&self, at: Moment, bound: Duration) -> bool {
        let elapsed = self.elapsed.load(Ordering::Acquire);
        let now = Timestamp::from_micros(self.now.load(Ordering::Acquire));
        elapsed != NEVER && at.age_of(Moment { now, elapsed: Duration::from_micros(elapsed) }) <= bound
    }
}
