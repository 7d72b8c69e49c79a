//! Setting up [`Quotas`].

use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use rand::TryCryptoRng;

use super::{Quotas, Shared};
use crate::key::Schema;
use crate::random::{RandomUnavailable, SharedGenerator};
use crate::service::outage::Outage;
use crate::store::QuotaStore;
use crate::time::Clock;

/// Sets up [`Quotas`].
#[derive(Debug)]
#[must_use = "nothing is set up before `build`"]
pub struct QuotasBuilder<S: Schema> {
    pub(super) store: Arc<dyn QuotaStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: SharedGenerator,
    pub(super) batch: NonZeroU64,
    pub(super) schema: PhantomData<fn(S)>,
}

impl<S: Schema> QuotasBuilder<S> {
    /// Takes up to so many units at once, [`DEFAULT_QUOTA_BATCH`](crate::service::DEFAULT_QUOTA_BATCH) unless set: the most that a process which is killed loses of
    /// a quota. With 1, the store is asked at each use.
    pub const fn batch(mut self, units: NonZeroU64) -> Self {
        self.batch = units;
        self
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

    /// Takes the name of this process, 16 random bytes, from `generator` instead of the operating system.
    pub fn random(mut self, generator: impl TryCryptoRng + Send + 'static) -> Self {
        self.random = SharedGenerator::new(generator);
        self
    }

    /// The quotas, ready to use.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when this process could not be given a name of its own.
    pub fn build(self) -> Result<Quotas<S>, RandomUnavailable> {
        let mut name = [0; 16];
        self.random.with(|random| random.try_fill_bytes(&mut name))?;
        let shared = Shared {
            store: self.store,
            clock: self.clock,
            batch: self.batch,
            name: hex::encode(name),
            sequence: AtomicU64::new(1),
            leases: Mutex::default(),
            outage: Outage::none(),
            used_up: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        };
        Ok(Quotas { shared: Arc::new(shared), schema: PhantomData })
    }
}
