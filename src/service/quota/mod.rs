//! Quotas of keys: [`Quotas`].

mod builder;
mod lease;
mod outcome;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::key::{Authenticated, KeyId, Lineage, Period, Quota, Schema};
use crate::random::SharedGenerator;
use crate::service::outage::{Outage, PAUSE};
use crate::store::{QuotaStore, StoreError};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::visible::Causes;
use lease::{Holder, Lease};

pub use builder::QuotasBuilder;
pub use outcome::{QuotaExceeded, QuotaMetrics, QuotaUse};

/// How many units a process takes at once unless the host says otherwise.
pub const DEFAULT_QUOTA_BATCH: NonZeroU64 = NonZeroU64::new(100).unwrap();

/// Of how many lineages a process holds units, for each kind of period.
const MOST_LEASES: usize = 100_000;

/// Admits as many uses of each key in a period as its quota permits, never more, over any number of processes.
///
/// A process takes units from a [`QuotaStore`] in batches, and spends them without asking it. It takes no more than an eighth
/// of what is left at once. So a quota is exact from below:
///
/// - Never are more uses admitted than it permits, whatever happens to processes and answers.
/// - Fewer are, when units lie with processes that do not spend them, or are lost with one that is killed: at most a
///   [`batch`](QuotasBuilder::batch) for each. An answer that is lost on the way loses nothing, as the store is asked again and
///   answers alike. On shutdown, [`give_back`](Self::give_back) returns what was not spent.
///
/// Quotas belong to the [lineage](Schema::lineage) of a key, and periods are in UTC. Which quota a key has is said at each use;
/// it may change in a period. Two quotas of the same period share one account.
///
/// Cheap to clone; clones spend together.
///
/// ```
/// use keyward::key::Quota;
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::service::{QuotaExceeded, Quotas};
/// use keyward::store::{MemoryKeyStore, MemoryQuotaStore};
/// use keyward::Keys;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let quotas = Quotas::builder(MemoryQuotaStore::new()).build()?; // or a `RedisStore`, which processes share
///
/// let issued = keys.issue(StandardKey::new("customer-1", "import")?).await?;
/// let caller = keys.verify(issued.secret.expose_secret()).await?;
/// let plan = Quota::per_month(2);
/// assert_eq!(quotas.spend(&caller, plan).await?.left, 1);
/// assert_eq!(quotas.spend(&caller, plan).await?.left, 0);
///
/// let refused = quotas.spend(&caller, plan).await.unwrap_err(); // 429, and never 401
/// assert!(matches!(refused, QuotaExceeded::UsedUp { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Quotas<S: Schema> {
    shared: Arc<Shared>,
    schema: PhantomData<fn(S)>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn QuotaStore>,
    clock: Arc<dyn Clock>,
    batch: NonZeroU64,
    /// By which the store tells this process from others.
    name: String,
    sequence: AtomicU64,
    leases: Mutex<HashMap<Period, Leases>>,
    outage: Outage,
    used_up: AtomicU64,
    unavailable: AtomicU64,
    asked: AtomicU64,
}

type SharedLease = Arc<tokio::sync::Mutex<Lease>>;

#[derive(Debug)]
struct Leases {
    by_lineage: HashMap<KeyId, SharedLease>,
    /// When it was last looked through, if there were too many.
    swept_at: Timestamp,
}

impl<S: Schema> Quotas<S> {
    /// Starts to set up quotas that are counted in `store`.
    pub fn builder(store: impl QuotaStore) -> QuotasBuilder<S> {
        QuotasBuilder {
            store: Arc::new(store),
            clock: Arc::new(SystemClock),
            random: SharedGenerator::system(),
            batch: DEFAULT_QUOTA_BATCH,
            schema: PhantomData,
        }
    }

    /// Counts a use of `caller`, and admits it if `quota` permits one more in this period.
    ///
    /// The store is asked once for many uses. Those of one key that come meanwhile wait for the answer, and of others for their
    /// own. A use whose future is dropped while it waits is not counted.
    ///
    /// # Errors
    /// [`QuotaExceeded`]. Answer 429 with its [`retry_after`](QuotaExceeded::retry_after), and 503 when it
    /// [`is_outage`](QuotaExceeded::is_outage).
    pub async fn spend(&self, caller: &Authenticated<S>, quota: Quota) -> Result<QuotaUse, QuotaExceeded> {
        let shared = &*self.shared;
        let (lineage, now) = (Lineage::of(&**caller.record()), shared.clock.now());
        let period = quota.period().span(now);
        let (lease, batch) = shared.lease(lineage.id, quota.period(), now);
        let mut lease = lease.lock().await;
        if lease.period != period {
            // What is left of another period must not be spent in this one.
            *lease = Lease::new(period);
        }
        if !lease.spend() {
            let is_used_up = lease.is_used_up(quota, now);
            if !is_used_up {
                shared.refill(&mut lease, lineage, quota, batch, now).await?;
            }
            if is_used_up || !lease.spend() {
                shared.used_up.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(event = "quota.used_up", key_id = %caller.head().id, quota = quota.units());
                let left = u64::try_from(period.end.as_micros() - now.as_micros()).unwrap_or_default();
                let retry_after = Duration::from_micros(left);
                return Err(QuotaExceeded::UsedUp { quota, resets_at: period.end, retry_after });
            }
        }
        Ok(QuotaUse { quota, left: lease.left(quota), resets_at: period.end })
    }

    /// Gives back the units that were taken and not spent. Call it on shutdown, behind the last request; it asks the store once
    /// for each lineage that has some.
    ///
    /// # Errors
    /// [`StoreError`] of the first that could not be given back; the rest is with this process still, and another call goes on
    /// with it.
    pub async fn give_back(&self) -> Result<(), StoreError> {
        let shared = &*self.shared;
        let now = shared.clock.now();
        for (period, id, lease) in shared.held() {
            let mut lease = lease.lock().await;
            if lease.period != period.span(now) {
                continue;
            }
            let holder = shared.holder(shared.batch.get(), now);
            let lineage = Lineage { schema: S::NAME, id: &id };
            // What is given back does not depend on the limit, and nothing is taken.
            lease.give_back(holder, lineage, 0, || shared.next()).await?;
        }
        Ok(())
    }

    /// What became of uses so far.
    #[must_use]
    pub fn metrics(&self) -> QuotaMetrics {
        let Shared { used_up, unavailable, asked, .. } = &*self.shared;
        QuotaMetrics {
            remembered: self.shared.leases().values().map(|leases| leases.by_lineage.len()).sum(),
            used_up: used_up.load(Ordering::Relaxed),
            unavailable: unavailable.load(Ordering::Relaxed),
            leases: asked.load(Ordering::Relaxed),
        }
    }
}

impl Shared {
    /// The maps are only ever changed by single calls, so a panic elsewhere leaves them whole.
    fn leases(&self) -> MutexGuard<'_, HashMap<Period, Leases>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease of a lineage, and how many units it may take at once. Where there are too many, it is one that nobody
    /// remembers, which takes a single unit.
    fn lease(&self, id: &KeyId, period: Period, now: Timestamp) -> (SharedLease, u64) {
        let mut leases = self.leases();
        let leases =
            leases.entry(period).or_insert_with(|| Leases { by_lineage: HashMap::new(), swept_at: Timestamp::MIN });
        if let Some(lease) = leases.by_lineage.get(id) {
            return (Arc::clone(lease), self.batch.get());
        }
        let lease = Arc::new(tokio::sync::Mutex::new(Lease::new(period.span(now))));
        if leases.by_lineage.len() >= MOST_LEASES && !leases.sweep(period, now) {
            return (lease, 1);
        }
        leases.by_lineage.insert(id.clone(), Arc::clone(&lease));
        (lease, self.batch.get())
    }

    fn held(&self) -> Vec<(Period, KeyId, SharedLease)> {
        let leases = self.leases();
        let all = leases.iter().flat_map(|(period, leases)| {
            leases.by_lineage.iter().map(|(id, lease)| (*period, id.clone(), Arc::clone(lease)))
        });
        all.collect()
    }

    fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    fn holder(&self, batch: u64, now: Timestamp) -> Holder<'_> {
        Holder { name: &self.name, batch, store: &*self.store, now }
    }

    async fn refill(
        &self,
        lease: &mut Lease,
        lineage: Lineage<'_>,
        quota: Quota,
        batch: u64,
        now: Timestamp,
    ) -> Result<(), QuotaExceeded> {
        let unavailable = QuotaExceeded::Unavailable { retry_after: PAUSE };
        if !self.outage.lets_ask(now) {
            self.unavailable.fetch_add(1, Ordering::Relaxed);
            return Err(unavailable);
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        match lease.refill(self.holder(batch, now), lineage, quota, || self.next()).await {
            Ok(()) => {
                if self.outage.ends() {
                    tracing::info!(event = "quota.counted_again", "units of quotas can be taken again");
                }
                Ok(())
            }
            Err(error) => {
                if self.outage.begins(now) {
                    let error = Causes(&error);
                    tracing::error!(event = "quota.not_counted", %error, "said once until it is over");
                }
                self.unavailable.fetch_add(1, Ordering::Relaxed);
                Err(unavailable)
            }
        }
    }
}

impl Leases {
    /// Makes room for one, unless all of them hold units; says whether it did. It looks once a second, or it would look at
    /// every use.
    fn sweep(&mut self, period: Period, now: Timestamp) -> bool {
        let next = self.swept_at.saturating_add(PAUSE);
        if self.swept_at <= now && now < next {
            return false;
        }
        self.swept_at = now;
        let current = period.span(now);
        self.by_lineage.retain(|_, lease| {
            let is_used = Arc::strong_count(lease) > 1;
            is_used || lease.try_lock().is_ok_and(|lease| lease.period == current && !lease.is_empty())
        });
        self.by_lineage.len() < MOST_LEASES
    }
}

impl<S: Schema> Clone for Quotas<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), schema: PhantomData }
    }
}

impl<S: Schema> fmt::Debug for Quotas<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { store, batch, .. } = &*self.shared;
        f.debug_struct("Quotas")
            .field("schema", &S::NAME)
            .field("store", store)
            .field("batch", batch)
            .finish_non_exhaustive()
    }
}
