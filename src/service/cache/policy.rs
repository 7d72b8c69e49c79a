//! What a cache may hold, how long it may rely on it, and what holds while the store cannot answer.

use std::time::Duration;

/// Asking for changes more often than four times in it would cost more than it saves.
const SHORTEST_BOUND: Duration = Duration::from_millis(100);

/// What the verification cache of [`Keys`](crate::Keys) may hold, and for how long it may rely on it.
///
/// A revocation, rotation or change that is made through the same [`Keys`](crate::Keys), or a clone of them, is in force
/// when its call returns, and a key that is issued through them is accepted at once, whatever this says. It bounds
/// how long others go unnoticed, such as those that another process makes.
///
/// The ages that are allowed while `Keys::watch` runs and is in step are long; those that are
/// allowed otherwise are short, and zero unless set: then the cache answers nothing.
///
/// ```
/// use std::time::Duration;
///
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::service::CachePolicy;
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// // No other process changes these keys.
/// let policy = CachePolicy::new().unwatched_max_age(Duration::from_secs(30));
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).cache(policy).build();
/// let issued = keys.issue(StandardKey::new("customer-1", "production")?).await?;
///
/// let presented = issued.secret.expose_secret();
/// assert!(keys.verify(presented).await?.evidence().is_fresh());
/// assert!(!keys.verify(presented).await?.evidence().is_fresh()); // from the cache
/// assert!(keys.verify_fresh(presented).await?.evidence().is_fresh());
///
/// keys.revoke(&issued.record.head.id, None).await?;
/// assert!(keys.verify(presented).await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "pass it to `KeysBuilder::cache`"]
pub struct CachePolicy {
    pub(super) capacity: usize,
    pub(super) max_age: Duration,
    pub(super) unwatched_max_age: Duration,
    pub(super) bound: Duration,
    pub(super) refusals: usize,
    pub(super) refusals_max_age: Duration,
    pub(super) outage: OutagePolicy,
}

impl CachePolicy {
    /// How many accepted keys are held unless [`capacity`](Self::capacity) says otherwise.
    pub const DEFAULT_CAPACITY: usize = 10_000;
    /// How old a record may be while the cache is in step unless [`max_age`](Self::max_age) says otherwise: 60 seconds.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_mins(1);
    /// For how long a change elsewhere can go unnoticed by a watched cache unless [`bound`](Self::bound) says otherwise:
    /// 2 seconds.
    pub const DEFAULT_BOUND: Duration = Duration::from_secs(2);
    /// How many refusals are held unless [`refusals`](Self::refusals) says otherwise.
    pub const DEFAULT_REFUSALS: usize = 1_000;
    /// How old a refusal may be unless [`refusals`](Self::refusals) says otherwise: 1 second.
    pub const DEFAULT_REFUSALS_MAX_AGE: Duration = Duration::from_secs(1);

    /// The defaults, with which the cache answers only while `Keys::watch` is in step.
    pub const fn new() -> Self {
        Self {
            capacity: Self::DEFAULT_CAPACITY,
            max_age: Self::DEFAULT_MAX_AGE,
            unwatched_max_age: Duration::ZERO,
            bound: Self::DEFAULT_BOUND,
            refusals: Self::DEFAULT_REFUSALS,
            refusals_max_age: Self::DEFAULT_REFUSALS_MAX_AGE,
            outage: OutagePolicy::Refuse,
        }
    }

    /// How many accepted keys are held. One takes about 110 bytes beside its record, which is about 500 bytes. Where there
    /// are more in use, those that were not asked for lately go.
    pub const fn capacity(self, keys: usize) -> Self {
        Self { capacity: keys, ..self }
    }

    /// How old a record may be on which a key is accepted, while the cache is in step with the store. It counts from
    /// when the store was asked.
    pub const fn max_age(self, age: Duration) -> Self {
        Self { max_age: age, ..self }
    }

    /// How old a record may be while nobody watches the store for changes, or the watch is behind. A revocation
    /// in another process goes unnoticed for that long at most. Zero unless set; more than
    /// [`max_age`](Self::max_age) counts as that.
    pub const fn unwatched_max_age(self, age: Duration) -> Self {
        Self { unwatched_max_age: age, ..self }
    }

    /// For how long a change that another process makes, or somebody with plain SQL, can go unnoticed at most while
    /// `Keys::watch` runs: it asks four times in that time, and a cache that was not told for so
    /// long that it is in step counts as unwatched. Most changes are noticed sooner, where the store says when to ask.
    ///
    /// At least 100 milliseconds.
    pub fn bound(self, bound: Duration) -> Self {
        Self { bound: bound.max(SHORTEST_BOUND), ..self }
    }

    /// How many refusals are held, unknown keys among them, and how old they may be. One takes about 90 bytes; that of
    /// a key with a record, such as a revoked one, 500 bytes more.
    ///
    /// They are held apart from accepted keys, so that made-up keys drive out nothing but one another. A key that another
    /// process issues can be refused for so long where somebody presented it before.
    pub const fn refusals(self, refusals: usize, max_age: Duration) -> Self {
        Self { refusals, refusals_max_age: max_age, ..self }
    }

    /// What holds while the store cannot answer.
    pub const fn outage(self, policy: OutagePolicy) -> Self {
        Self { outage: policy, ..self }
    }
}

impl Default for CachePolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// What a verification answers while the store cannot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutagePolicy {
    /// That it cannot be told.
    #[default]
    Refuse,
    /// Accepts a key on a record that was read from the store no longer ago than this, by both clocks, and in
    /// which it is still good now. The result [says so](crate::key::Evidence::StaleOnOutage), and so does the event
    /// `key.accepted_stale`. A key that anybody has revoked or changed meanwhile, as far as this process knows, is not accepted.
    AcceptWithin(Duration),
}
