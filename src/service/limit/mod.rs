//! Rate limits of keys: [`RateLimiter`].

mod outcome;
mod shared;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::key::{Authenticated, Lineage, Schema};
use crate::service::outage::PAUSE;
use crate::store::LimitStore;
use crate::time::{Clock, SystemClock};

pub use outcome::{Admitted, Counted, OnOutage, RateLimitMetrics, RateLimited};

use outcome::{exceeded, rate};
use shared::SharedStore;
use table::BucketTable;

/// How many lineages a process remembers unless the host says otherwise.
pub const DEFAULT_LIMITED_KEYS: usize = 100_000;

/// Admits as many requests a minute as the record of each key permits, and refuses the rest.
///
/// A key without a limit of its own has the service's default. Limits belong to the [lineage](Schema::lineage) of a key: a
/// rotation does not fill one up again. Call it once a request, after the key was verified; over HTTP, the layer `Protect`
/// does so with `.limit(limiter)`.
///
/// Without more, each process counts for itself, and several processes admit so many times the limit between them. With
/// [`shared_by`](RateLimiterBuilder::shared_by), they count in one store.
///
/// Up to a minute's requests are admitted at once, unless a smaller [`burst`](RateLimiterBuilder::burst) is set;
/// [`Rate`](crate::key::Rate) says how requests are counted. What is refused does not count.
///
/// Cheap to clone; clones count together.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::service::{RateLimited, RateLimiter};
/// use keyward::{Keys, ManualClock, SystemClock, Clock as _, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let clock = Arc::new(ManualClock::new(SystemClock.now())); // of a test: a service leaves it out
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let limiter = RateLimiter::builder(NonZeroU32::new(600).unwrap()).shared_clock(clock.clone()).build();
///
/// let issued = keys.issue(StandardKey::new("customer-1", "import")?.requests_per_minute(2)?).await?;
/// let caller = keys.verify(issued.secret.expose_secret()).await?;
/// assert_eq!(limiter.check(&caller).await?.remaining, 1);
/// assert_eq!(limiter.check(&caller).await?.remaining, 0);
///
/// let refused = limiter.check(&caller).await.unwrap_err(); // 429, and never 401
/// assert!(matches!(refused, RateLimited::Exceeded { .. }));
/// assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
///
/// clock.advance(Duration::from_secs(30));
/// assert!(limiter.check(&caller).await.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RateLimiter<S: Schema> {
    limits: Arc<Limits>,
    schema: PhantomData<fn(S)>,
}

#[derive(Debug)]
struct Limits {
    service_default: NonZeroU32,
    burst: Option<NonZeroU32>,
    clock: Arc<dyn Clock>,
    table: BucketTable,
    shared: Option<SharedStore>,
    exceeded: AtomicU64,
    during_outage: AtomicU64,
}

impl<S: Schema> RateLimiter<S> {
    /// Starts to set up a limiter that permits keys without a limit of their own `service_default` requests a minute.
    pub fn builder(service_default: NonZeroU32) -> RateLimiterBuilder<S> {
        RateLimiterBuilder {
            service_default,
            burst: None,
            capacity: DEFAULT_LIMITED_KEYS,
            clock: Arc::new(SystemClock),
            shared: None,
            schema: PhantomData,
        }
    }

    /// Counts a request of `caller`, and admits it if its key permits one more.
    ///
    /// Where each process counts for itself, it waits for nothing.
    ///
    /// # Errors
    /// [`RateLimited`]. Answer 429 with its [`retry_after`](RateLimited::retry_after), 403 where there is none, and 503
    /// when it [`is_outage`](RateLimited::is_outage).
    pub async fn check(&self, caller: &Authenticated<S>) -> Result<Admitted, RateLimited> {
        let limits = &*self.limits;
        let key = caller.record();
        let requests_per_minute = S::rate_limit(&key.details).requests_per_minute(limits.service_default);
        let rate = rate(requests_per_minute, limits.burst)?;
        let (lineage, now) = (Lineage::of(&**key), limits.clock.now());
        let (taken, counted) = match &limits.shared {
            None => (limits.table.take(lineage, rate, now), Counted::InProcess),
            Some(shared) => match (shared.take(lineage, rate, now).await, shared.on_outage) {
                (Some(taken), _) => (taken, Counted::Shared),
                (None, on_outage) => {
                    limits.during_outage.fetch_add(1, Ordering::Relaxed);
                    match on_outage {
                        OnOutage::Refuse => return Err(RateLimited::Unavailable { retry_after: PAUSE }),
                        OnOutage::Admit => return Ok(Admitted::uncounted(rate)),
                        OnOutage::CountInProcess => (limits.table.take(lineage, rate, now), Counted::InProcess),
                    }
                }
            },
        };
        if taken.is_admitted() {
            return Ok(Admitted::of(taken, counted));
        }
        limits.exceeded.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(event = "limit.exceeded", key_id = %key.head.id, rate = requests_per_minute);
        Err(exceeded(taken))
    }

    /// What became of requests so far.
    #[must_use]
    pub fn metrics(&self) -> RateLimitMetrics {
        let Limits { table, exceeded, during_outage, .. } = &*self.limits;
        RateLimitMetrics {
            remembered: table.remembered(),
            forgotten: table.forgotten(),
            exceeded: exceeded.load(Ordering::Relaxed),
            during_outage: during_outage.load(Ordering::Relaxed),
        }
    }
}

impl<S: Schema> Clone for RateLimiter<S> {
    fn clone(&self) -> Self {
        Self { limits: Arc::clone(&self.limits), schema: PhantomData }
    }
}

impl<S: Schema> fmt::Debug for RateLimiter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { service_default, burst, shared, .. } = &*self.limits;
        f.debug_struct("RateLimiter")
            .field("schema", &S::NAME)
            .field("service_default", service_default)
            .field("burst", burst)
            .field("shared", shared)
            .finish_non_exhaustive()
    }
}

/// Sets up a [`RateLimiter`].
#[derive(Debug)]
#[must_use = "nothing is set up before `build`"]
pub struct RateLimiterBuilder<S: Schema> {
    service_default: NonZeroU32,
    burst: Option<NonZeroU32>,
    capacity: usize,
    clock: Arc<dyn Clock>,
    shared: Option<(Arc<dyn LimitStore>, OnOutage)>,
    schema: PhantomData<fn(S)>,
}

impl<S: Schema> RateLimiterBuilder<S> {
    /// Admits at most so many requests at once, instead of as many as a minute has. No key gets more at once than in a
    /// minute.
    pub const fn burst(mut self, requests: NonZeroU32) -> Self {
        self.burst = Some(requests);
        self
    }

    /// How many lineages are remembered in this process; [`DEFAULT_LIMITED_KEYS`] unless set. One takes about 150 bytes
    /// with an identity of 36, for as long as its burst is not whole again. When there are more, those that are nearest to
    /// it are forgotten, which gives them a fresh burst, and are counted in the
    /// [metrics](RateLimiter::metrics).
    pub const fn capacity(mut self, lineages: usize) -> Self {
        self.capacity = lineages;
        self
    }

    /// Counts in a store that several processes share, such as Redis. What becomes of requests while it cannot be asked has
    /// no default: `on_outage` decides between the limit and the service.
    ///
    /// A store that does not answer is asked again once a second, by one request. What is decided meanwhile shows in
    /// [`Admitted::counted`], and in events for the beginning and for the end.
    pub fn shared_by(self, store: impl LimitStore, on_outage: OnOutage) -> Self {
        Self { shared: Some((Arc::new(store), on_outage)), ..self }
    }

    /// Takes the time from `clock` instead of the operating system.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes the time from a clock that somebody else holds too, such as a test that moves it.
    pub fn shared_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The limiter, ready to use.
    #[must_use]
    pub fn build(self) -> RateLimiter<S> {
        let limits = Limits {
            service_default: self.service_default,
            burst: self.burst,
            clock: self.clock,
            table: BucketTable::new(self.capacity),
            shared: self.shared.map(|(store, on_outage)| SharedStore::new(store, on_outage)),
            exceeded: AtomicU64::new(0),
            during_outage: AtomicU64::new(0),
        };
        RateLimiter { limits: Arc::new(limits), schema: PhantomData }
    }
}
