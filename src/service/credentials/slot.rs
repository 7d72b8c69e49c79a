//! What this process remembers of each owner's credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::key::OwnerId;
use crate::service::credentials::CredentialsError;
use crate::service::credentials::opened::Opened;
use crate::time::Timestamp;

/// The longest pause after refreshes that failed.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// One slot for each owner whose credential was asked for. Reading one takes no lock.
#[derive(Debug, Default)]
pub(super) struct Slots(papaya::HashMap<OwnerId, Arc<Slot>>);

impl Slots {
    pub(super) fn get_or_add(&self, owner: &OwnerId) -> Arc<Slot> {
        Arc::clone(self.0.pin().get_or_insert_with(owner.clone(), Arc::default))
    }

    /// The token of `owner` that is known to be good until after `deadline`.
    pub(super) fn token(&self, owner: &OwnerId, deadline: Timestamp) -> Option<Arc<Opened>> {
        let opened = self.0.pin().get(owner)?.opened.load_full()?;
        opened.is_good_until(deadline).then_some(opened)
    }

    /// Forgets a token of this generation.
    pub(super) fn forget_generation(&self, owner: &OwnerId, generation: u64) {
        if let Some(slot) = self.0.pin().get(owner) {
            slot.opened.rcu(|known| known.clone().filter(|known| known.generation != generation));
        }
    }

    /// Drops the slots of tokens that have expired and that nobody is refreshing.
    pub(super) fn forget_expired(&self, now: Timestamp) {
        self.0.pin().retain(|_, slot| {
            let is_good = slot.opened.load().as_ref().is_some_and(|opened| opened.is_good_until(now));
            is_good || slot.pause(now).is_some() || slot.flight.try_lock().is_err()
        });
    }

    /// Forgets a token, and nothing else: a refresh may be under way.
    pub(super) fn forget(&self, owner: &OwnerId) {
        if let Some(slot) = self.0.pin().get(owner) {
            slot.opened.store(None);
        }
    }

    /// Forgets everything. Whoever has read the store before this keeps what it has found in the slot that is gone.
    pub(super) fn remove(&self, owner: &OwnerId) {
        if let Some(slot) = self.0.pin().remove(owner) {
            slot.opened.store(None);
        }
    }
}

/// What this process remembers of one credential.
#[derive(Debug)]
pub(super) struct Slot {
    /// The newest token that is stored.
    pub(super) opened: ArcSwapOption<Opened>,
    /// Held by the one task that looks into the store or refreshes.
    pub(super) flight: Arc<Mutex<()>>,
    /// Whether a new pair is in memory alone.
    pub(super) is_unsaved: AtomicBool,
    /// Before when a refresh is not tried again, in microseconds.
    retry_at: AtomicI64,
    failures: AtomicU32,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            opened: ArcSwapOption::empty(),
            flight: Arc::default(),
            is_unsaved: AtomicBool::new(false),
            retry_at: AtomicI64::new(i64::MIN),
            failures: AtomicU32::new(0),
        }
    }
}

impl Slot {
    /// Keeps a token, unless a newer one is known.
    pub(super) fn keep(&self, opened: &Arc<Opened>) {
        self.opened.rcu(|known| match known {
            Some(known) if known.generation > opened.generation => Some(Arc::clone(known)),
            _ => Some(Arc::clone(opened)),
        });
    }

    /// The right to refresh, among the tasks of this process. The exchange holds it, not its caller.
    pub(super) fn begin(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.flight).try_lock_owned().ok()
    }

    /// What a caller is told who can wait no longer.
    pub(super) fn unfinished(&self, until: Timestamp) -> CredentialsError {
        if self.is_unsaved.load(Ordering::Relaxed) {
            CredentialsError::Unsaved
        } else {
            CredentialsError::Busy { until }
        }
    }

    /// Before when a refresh is not tried again, if that is still to come and no wrong clock has set it.
    pub(super) fn pause(&self, now: Timestamp) -> Option<Timestamp> {
        let retry_at = Timestamp::from_micros(self.retry_at.load(Ordering::Relaxed));
        (retry_at > now && retry_at <= now.saturating_add(LONGEST_PAUSE)).then_some(retry_at)
    }

    /// Notes a failure that spent nothing, and says when to try again: after a second, and twice as long each time, or when
    /// the server says.
    pub(super) fn fail(&self, now: Timestamp, asked: Option<Timestamp>) -> Timestamp {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).min(16);
        let pause = Duration::from_secs(1_u64 << failures).min(LONGEST_PAUSE);
        let latest = now.saturating_add(LONGEST_PAUSE);
        let retry_at = asked.unwrap_or(Timestamp::MIN).max(now.saturating_add(pause)).min(latest);
        self.retry_at.store(retry_at.as_micros(), Ordering::Relaxed);
        retry_at
    }

    pub(super) fn succeed(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.retry_at.store(i64::MIN, Ordering::Relaxed);
    }
}
