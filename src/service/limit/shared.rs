//! Asking the store that the processes share, and what happens while it does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::OnOutage;
use crate::key::{Lineage, Rate, Taken};
use crate::store::{LimitStore, StoreError};
use crate::time::Timestamp;
use crate::visible::Causes;

/// A store that did not answer is asked again after this time, by one request. So one that stands still costs one request
/// in this time its wait, and not all of them.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// A store, and whether it is worth asking.
#[derive(Debug)]
pub(super) struct SharedStore {
    store: Arc<dyn LimitStore>,
    pub(super) on_outage: OnOutage,
    /// Microseconds since 1970 until when nobody asks.
    paused_until: AtomicI64,
    is_lost: AtomicBool,
}

impl SharedStore {
    pub(super) fn new(store: Arc<dyn LimitStore>, on_outage: OnOutage) -> Self {
        Self { store, on_outage, paused_until: AtomicI64::new(i64::MIN), is_lost: AtomicBool::new(false) }
    }

    /// `None` when it cannot be said.
    pub(super) async fn take(&self, lineage: Lineage<'_>, rate: Rate, now: Timestamp) -> Option<Taken> {
        if self.is_lost.load(Ordering::Relaxed) && !self.may_try(now) {
            return None;
        }
        match self.store.take(lineage, rate).await {
            Ok(taken) => {
                self.answered();
                Some(taken)
            }
            Err(error) => {
                self.did_not_answer(&error, now);
                None
            }
        }
    }

    /// Whether this request is the one that asks again.
    fn may_try(&self, now: Timestamp) -> bool {
        let until = self.paused_until.load(Ordering::Relaxed);
        let next = now.saturating_add(PAUSE).as_micros();
        // A clock that was set back must not make the pause longer.
        let is_over = until <= now.as_micros() || until > next;
        is_over && self.paused_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn answered(&self) {
        if self.is_lost.load(Ordering::Relaxed) && self.is_lost.swap(false, Ordering::Relaxed) {
            tracing::info!(event = "limit.shared_again", "the processes keep one limit between them again");
        }
    }

    fn did_not_answer(&self, error: &StoreError, now: Timestamp) {
        self.paused_until.store(now.saturating_add(PAUSE).as_micros(), Ordering::Relaxed);
        if !self.is_lost.swap(true, Ordering::Relaxed) {
            let requests_are = match self.on_outage {
                OnOutage::Refuse => "refused",
                OnOutage::Admit => "admitted uncounted",
                OnOutage::CountInProcess => "counted in each process",
            };
            tracing::error!(
                event = "limit.not_shared",
                requests_are,
                error = %Causes(error),
                "said once until it is over"
            );
        }
    }
}
