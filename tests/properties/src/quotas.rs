//! A quota is never exceeded, whatever happens to processes and answers; and what is not admitted is with a process, or was
//! lost with one.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keyward::key::{Authenticated, Period, PeriodSpan, Quota};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::service::{QuotaExceeded, Quotas};
use keyward::store::{LeaseRequest, Leased, MemoryKeyStore, MemoryQuotaStore, QuotaAccount, QuotaStore, StoreError};
use keyward::{Clock as _, Keys, ManualClock, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

const PROCESSES: usize = 3;
const START: Timestamp = Timestamp::from_seconds(1_893_456_000);
const HOUR: Duration = Duration::from_hours(1);

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A process spends so many units, as far as it can.
    Spend(usize, u8),
    /// It is killed, and another one comes in its place.
    Kill(usize),
    GiveBack(usize),
    /// The next request to the store is not carried out, or it is and its answer is lost.
    LoseRequest,
    LoseAnswer,
    /// Into the next period, or back into the one before, or a little.
    NextPeriod,
    EarlierPeriod,
    Wait,
}

fn any_step() -> impl Strategy<Value = Step> {
    let process = 0..PROCESSES;
    prop_oneof![
        10 => (process.clone(), 1_u8..30).prop_map(|(process, units)| Step::Spend(process, units)),
        1 => process.clone().prop_map(Step::Kill),
        2 => process.prop_map(Step::GiveBack),
        1 => Just(Step::LoseRequest),
        2 => Just(Step::LoseAnswer),
        1 => Just(Step::NextPeriod),
        1 => Just(Step::EarlierPeriod),
        3 => Just(Step::Wait),
    ]
}

/// What the next request to the store meets.
#[derive(Debug, Default)]
struct Lossy {
    store: MemoryQuotaStore,
    next: AtomicU8,
}

const REQUEST_IS_LOST: u8 = 1;
const ANSWER_IS_LOST: u8 = 2;

#[async_trait]
impl QuotaStore for Lossy {
    async fn lease(&self, account: QuotaAccount<'_>, request: LeaseRequest<'_>) -> Result<Leased, StoreError> {
        let lost = || StoreError::Unavailable { backend: "Redis", source: "connection reset".into() };
        let fate = self.next.swap(0, Ordering::Relaxed);
        if fate == REQUEST_IS_LOST {
            return Err(lost());
        }
        let answer = self.store.lease(account, request).await;
        if fate == ANSWER_IS_LOST { Err(lost()) } else { answer }
    }
}

struct World {
    store: Arc<Lossy>,
    clock: Arc<ManualClock>,
    batch: u64,
    processes: Vec<Quotas<Standard>>,
    caller: Authenticated<Standard>,
    quota: Quota,
    admitted: HashMap<PeriodSpan, u64>,
    /// How often a process was killed, or went into another period with what it had.
    abandoned: u64,
}

impl World {
    async fn new(units: u64, batch: u64) -> Self {
        let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme").expect("a schema"))).build();
        let draft = StandardKey::new("customer", "import").expect("a key");
        let issued = keys.issue(draft).await.expect("memory does not fail");
        let caller = keys.verify(issued.secret.expose_secret()).await.expect("a good key");
        let seconds = u32::try_from(HOUR.as_secs()).expect("few").try_into().expect("some");
        let mut world = Self {
            store: Arc::default(),
            clock: Arc::new(ManualClock::new(START)),
            batch,
            processes: Vec::new(),
            caller,
            quota: Quota::new(units, Period::Seconds(seconds)),
            admitted: HashMap::new(),
            abandoned: 0,
        };
        for _ in 0..PROCESSES {
            world.processes.push(world.process());
        }
        world
    }

    fn process(&self) -> Quotas<Standard> {
        let batch = NonZeroU64::new(self.batch).expect("some");
        let (store, clock) = (Arc::clone(&self.store), Arc::<ManualClock>::clone(&self.clock));
        Quotas::builder(store).batch(batch).shared_clock(clock).build().expect("a generator that works")
    }

    fn period(&self) -> PeriodSpan {
        self.quota.period().span(self.clock.now())
    }

    /// Spends up to `units`, and says whether the quota is said to be used up.
    async fn spend(&mut self, process: usize, units: u8) -> bool {
        for _ in 0..units {
            match self.processes[process].spend(&self.caller, self.quota).await {
                Ok(_) => *self.admitted.entry(self.period()).or_default() += 1,
                Err(QuotaExceeded::UsedUp { .. }) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    async fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Spend(process, units) => {
                if self.spend(process, units).await {
                    let admitted = self.admitted.get(&self.period()).copied().unwrap_or_default();
                    let elsewhere = (PROCESSES as u64 - 1 + self.abandoned) * self.batch;
                    prop_assert!(
                        admitted + elsewhere >= self.quota.units(),
                        "{admitted} admitted, {elsewhere} elsewhere"
                    );
                }
            }
            Step::Kill(process) => {
                self.abandoned += 1;
                self.processes[process] = self.process();
            }
            Step::GiveBack(process) => drop(self.processes[process].give_back().await),
            Step::LoseRequest => self.store.next.store(REQUEST_IS_LOST, Ordering::Relaxed),
            Step::LoseAnswer => self.store.next.store(ANSWER_IS_LOST, Ordering::Relaxed),
            Step::NextPeriod => self.clock.advance(HOUR),
            Step::EarlierPeriod => self.clock.set(self.clock.now().saturating_sub(HOUR)),
            Step::Wait => self.clock.advance(Duration::from_secs(2)),
        }
        if matches!(step, Step::NextPeriod | Step::EarlierPeriod) {
            self.abandoned += PROCESSES as u64;
        }
        for (period, admitted) in &self.admitted {
            prop_assert!(*admitted <= self.quota.units(), "{admitted} in {period:?}");
        }
        Ok(())
    }

    /// Everybody gives back what they have, and then one of them gets all that is left: nothing was lost but with those that
    /// were killed.
    async fn finish(&mut self) -> Result<(), TestCaseError> {
        self.store.next.store(0, Ordering::Relaxed);
        self.clock.advance(Duration::from_secs(2));
        for process in self.processes.clone() {
            prop_assert!(process.give_back().await.is_ok());
        }
        self.clock.advance(Duration::from_secs(2));
        while !self.spend(0, u8::MAX).await {}
        let admitted = self.admitted.get(&self.period()).copied().unwrap_or_default();
        prop_assert!(admitted <= self.quota.units());
        prop_assert!(admitted + self.abandoned * self.batch >= self.quota.units());
        Ok(())
    }
}

proptest! {
    #[test]
    fn a_quota_is_never_exceeded_and_only_what_was_killed_is_lost(
        units in 0_u64..200,
        batch in 1_u64..40,
        steps in vec(any_step(), 1..80),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut world = World::new(units, batch).await;
            for step in steps {
                world.take(step).await?;
            }
            world.finish().await
        })?;
    }
}
