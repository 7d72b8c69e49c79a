//! The verification cache: what it answers, for how long, and that no key outlives its revocation in it.

#[cfg(all(feature = "tokio", any(feature = "sqlite", feature = "postgres")))]
pub(crate) mod across;
mod ages;
mod changes;
mod herd;
mod interleavings;
#[cfg(all(feature = "tokio", feature = "postgres"))]
mod noted;
mod outages;
mod refusals;
mod replicated;
#[cfg(all(feature = "tokio", feature = "postgres"))]
mod stopped;
#[cfg(feature = "tokio")]
mod watched;

use std::sync::Arc;
use std::time::Duration;

use keyward::key::Evidence;
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::service::CachePolicy;
use keyward::store::MemoryKeyStore;
use keyward::store::faulty::{Call, Fault, FaultyStore};
use keyward::{Keys, ManualClock};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::support::{Fixture, START, Store, TestSchema};

const OWNER: &str = "did:example:acme";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Records of up to a minute count, and refusals of up to a second.
fn policy() -> CachePolicy {
    CachePolicy::new().max_age(MINUTE).unwatched_max_age(MINUTE).refusals(1_000, SECOND)
}

/// Keys with a cache over the store of a fixture.
fn cached<S: TestSchema>(fixture: &Fixture<S>, policy: CachePolicy) -> Keys<S> {
    cached_over(Arc::clone(fixture.store()), &fixture.clock, policy)
}

fn cached_over<S: TestSchema>(store: Store<S>, clock: &Arc<ManualClock>, policy: CachePolicy) -> Keys<S> {
    let clock = Arc::<ManualClock>::clone(clock);
    Keys::builder_over(store).shared_clock(clock).random(StdRng::seed_from_u64(77)).cache(policy).build()
}

fn aged(age: Duration) -> Evidence {
    Evidence::Cached { age }
}

/// A cache over a store in memory that fails when it is told to.
struct World {
    store: Arc<FaultyStore<Standard>>,
    /// The same store, without faults, as another process has it.
    elsewhere: Keys<Standard>,
    clock: Arc<ManualClock>,
    keys: Keys<Standard>,
}

impl World {
    fn new(policy: CachePolicy) -> Self {
        Self::waiting(policy, |store| store)
    }

    fn waiting(policy: CachePolicy, waiting: impl FnOnce(FaultyStore<Standard>) -> FaultyStore<Standard>) -> Self {
        let memory = MemoryKeyStore::new(Standard::schema());
        let clock = Arc::new(ManualClock::new(START));
        let elsewhere = crate::support::keys(Arc::new(memory.clone()), &clock, 1);
        let store = Arc::new(waiting(FaultyStore::new(memory)));
        let keys = cached_over(Arc::<FaultyStore<Standard>>::clone(&store), &clock, policy);
        Self { store, elsewhere, clock, keys }
    }

    /// Has each call give way to others before its answer arrives, and counts it.
    fn slow(&self) {
        self.store.fail_by_chance(0, 1, &[Fault::AnswerDelayed(Duration::ZERO)]);
    }

    fn lookups(&self) -> usize {
        self.store.faults_met().iter().filter(|(call, _)| *call == Call::Find).count()
    }
}

fn draft() -> StandardKey {
    StandardKey::new(OWNER, "nightly import").unwrap()
}
