//! A store that did not answer, and when it is worth asking again.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::time::Timestamp;

/// A store that did not answer is asked again after this time, by one request. So one that stands still costs one request
/// in this time its wait, and not all of them.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Whether a store is lost.
#[derive(Debug)]
pub(super) struct Outage {
    is_lost: AtomicBool,
    /// Microseconds since 1970 until when nobody asks.
    paused_until: AtomicI64,
}

impl Outage {
    pub(super) const fn none() -> Self {
        Self { is_lost: AtomicBool::new(false), paused_until: AtomicI64::new(i64::MIN) }
    }

    /// Whether this request asks the store: each while it is not lost, and one in a while then.
    pub(super) fn lets_ask(&self, now: Timestamp) -> bool {
        if !self.is_lost.load(Ordering::Relaxed) {
            return true;
        }
        let until = self.paused_until.load(Ordering::Relaxed);
        let next = now.saturating_add(PAUSE).as_micros();
        // A clock that was set back must not make the pause longer.
        let is_over = until <= now.as_micros() || until > next;
        is_over && self.paused_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The store has answered; says whether that ends an outage.
    pub(super) fn ends(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed) && self.is_lost.swap(false, Ordering::Relaxed)
    }

    /// The store has not answered; says whether that begins an outage.
    pub(super) fn begins(&self, now: Timestamp) -> bool {
        self.paused_until.store(now.saturating_add(PAUSE).as_micros(), Ordering::Relaxed);
        !self.is_lost.swap(true, Ordering::Relaxed)
    }
}
