//! What this process remembers of each owner's credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::key::OwnerId;
use crate::service::credentials::CredentialsError;
use crate::service::credentials::opened::Opened;
use crate::store::StoreError;
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
            is_good || slot.pause(now).is_some() || slot.refreshing.flight.try_lock().is_err()
        });
    }

    /// Forgets a token, and nothing of a refresh that may be under way. Whoever has read the store before this keeps what it
    /// has found in the slot that is gone.
    pub(super) fn forget(&self, owner: &OwnerId) {
        self.0.pin().update(owner.clone(), |slot| Arc::new(slot.without_token()));
    }

    /// Forgets everything, as [`forget`](Self::forget) does the token.
    pub(super) fn remove(&self, owner: &OwnerId) {
        self.0.pin().remove(owner);
    }
}

/// Says something for as long as it lives.
pub(super) struct Meanwhile<'s>(&'s AtomicBool);

impl<'s> Meanwhile<'s> {
    pub(super) fn say(said: &'s AtomicBool) -> Self {
        said.store(true, Ordering::Relaxed);
        Self(said)
    }
}

impl Drop for Meanwhile<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// What this process remembers of one credential.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// The newest token that is stored.
    opened: ArcSwapOption<Opened>,
    pub(super) refreshing: Arc<Refreshing>,
}

/// How refreshes of one credential go in this process, whichever token is known.
#[derive(Debug)]
pub(super) struct Refreshing {
    /// Held by the one task that looks into the store or refreshes.
    pub(super) flight: Arc<Mutex<()>>,
    /// Whether the store is being asked whether a refresh may be sent.
    pub(super) asks_store: AtomicBool,
    /// Whether a new pair is in memory alone.
    pub(super) is_unsaved: AtomicBool,
    /// Before when a refresh is not tried again, in microseconds.
    retry_at: AtomicI64,
    failures: AtomicU32,
}

impl Default for Refreshing {
    fn default() -> Self {
        Self {
            flight: Arc::default(),
            asks_store: AtomicBool::new(false),
            is_unsaved: AtomicBool::new(false),
            retry_at: AtomicI64::new(i64::MIN),
            failures: AtomicU32::new(0),
        }
    }
}

impl Slot {
    fn without_token(&self) -> Self {
        Self { opened: ArcSwapOption::empty(), refreshing: Arc::clone(&self.refreshing) }
    }

    /// Keeps a token, unless a newer one is known.
    pub(super) fn keep(&self, opened: &Arc<Opened>) {
        self.opened.rcu(|known| match known {
            Some(known) if known.generation > opened.generation => Some(Arc::clone(known)),
            _ => Some(Arc::clone(opened)),
        });
    }

    /// The right to refresh, among the tasks of this process. The exchange holds it, not its caller.
    pub(super) fn begin(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.refreshing.flight).try_lock_owned().ok()
    }

    /// What a caller is told who can wait no longer.
    pub(super) fn unfinished(&self, until: Timestamp) -> CredentialsError {
        let Refreshing { asks_store, is_unsaved, .. } = &*self.refreshing;
        if is_unsaved.load(Ordering::Relaxed) {
            CredentialsError::Unsaved
        } else if asks_store.load(Ordering::Relaxed) {
            let source = "it has not said in time whether the credential may be refreshed".into();
            StoreError::Unavailable { backend: "the store", source }.into()
        } else {
            CredentialsError::Busy { until }
        }
    }

    /// Before when a refresh is not tried again, if that is still to come and no wrong clock has set it.
    pub(super) fn pause(&self, now: Timestamp) -> Option<Timestamp> {
        let retry_at = Timestamp::from_micros(self.refreshing.retry_at.load(Ordering::Relaxed));
        (retry_at > now && retry_at <= now.saturating_add(LONGEST_PAUSE)).then_some(retry_at)
    }

    /// Notes a failure that spent nothing, and says when to try again: after a second, and twice as long each time, or when
    /// the server says.
    pub(super) fn fail(&self, now: Timestamp, asked: Option<Timestamp>) -> Timestamp {
        let failures = self.refreshing.failures.fetch_add(1, Ordering::Relaxed).min(16);
        let pause = Duration::from_secs(1_u64 << failures).min(LONGEST_PAUSE);
        let latest = now.saturating_add(LONGEST_PAUSE);
        let retry_at = asked.unwrap_or(Timestamp::MIN).max(now.saturating_add(pause)).min(latest);
        self.refreshing.retry_at.store(retry_at.as_micros(), Ordering::Relaxed);
        retry_at
    }

    pub(super) fn succeed(&self) {
        self.refreshing.failures.store(0, Ordering::Relaxed);
        self.refreshing.retry_at.store(i64::MIN, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn opened(expires_at: i64) -> Arc<Opened> {
        Arc::new(Opened {
            token: Arc::new(Secret::new("token".to_owned())),
            expires_at: Some(Timestamp::from_micros(expires_at)),
            dpop: None,
            resource_server: None,
            nonce: ArcSwapOption::empty(),
            generation: 1,
            was_refused: AtomicBool::new(false),
        })
    }

    #[test]
    fn what_was_read_before_a_token_was_forgotten_is_known_to_nobody() {
        let (slots, owner) = (Slots::default(), OwnerId::new("owner").unwrap());
        let slot = slots.get_or_add(&owner);
        slot.keep(&opened(1_000));
        assert!(slots.token(&owner, Timestamp::MIN).is_some());
        let flight = slot.begin();
        slots.forget(&owner);
        assert!(slots.token(&owner, Timestamp::MIN).is_none());
        slot.keep(&opened(1_000));
        assert!(slots.token(&owner, Timestamp::MIN).is_none(), "it may have been replaced");
        assert!(slots.get_or_add(&owner).begin().is_none(), "the refresh that is under way is known");
        drop(flight);
        assert!(slots.get_or_add(&owner).begin().is_some());
        slots.remove(&owner);
        slot.keep(&opened(1_000));
        assert!(slots.token(&owner, Timestamp::MIN).is_none());
    }

    #[test]
    fn slots_go_with_their_tokens_and_never_from_under_an_exchange() {
        let (slots, now) = (Slots::default(), Timestamp::from_micros(1_000));
        let slot = |name: &str| slots.get_or_add(&OwnerId::new(name).unwrap());
        slot("good").keep(&opened(1_001));
        slot("expired").keep(&opened(1_000));
        slot("never opened");
        slot("paused").fail(now, None);
        let refreshed = slot("refreshed").begin();
        assert!(refreshed.is_some());

        slots.forget_expired(now);
        let left = || {
            let mut left: Vec<_> = slots.0.pin().keys().map(|owner| owner.as_str().to_owned()).collect();
            left.sort();
            left
        };
        assert_eq!(left(), ["good", "paused", "refreshed"]);
        drop(refreshed);
        slots.forget_expired(now.saturating_add(LONGEST_PAUSE));
        assert!(left().is_empty());
    }
}
