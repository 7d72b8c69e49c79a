//! How often a verification asks for memory. A program of its own, because it counts for the whole process.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is all there is to say")]

use std::alloc::System;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyward::Keys;
use keyward::key::{Draft, Schema};
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::service::CachePolicy;
use keyward::store::MemoryKeyStore;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test counts at a time.
static COUNTING: Mutex<()> = Mutex::new(());

/// The most that a verification of a warm key with three scopes may take.
const IN_MEMORY: usize = 6;
#[cfg(feature = "sqlite")]
const THROUGH_SQLITE: usize = 12;

const VERIFICATIONS: usize = 100;

/// How often one of many verifications allocates, rounded up. What other threads of the test harness allocate comes on
/// top of a few windows, so that the least of several is the verification's own.
async fn allocations_per_verification<S: Schema>(keys: Keys<S>, draft: impl Into<Draft<S>> + Send) -> usize {
    let issued = keys.issue(draft).await.unwrap();
    let presented = issued.secret.expose_secret();
    let mut least = usize::MAX;
    for _ in 0..10 {
        let region = Region::new(ALLOCATOR);
        for _ in 0..VERIFICATIONS {
            keys.verify(presented).await.unwrap();
        }
        let change = region.change();
        least = least.min((change.allocations + change.reallocations).div_ceil(VERIFICATIONS));
    }
    least
}

/// Runs on this thread alone and checks the count.
fn count<S: Schema>(most: usize, counted: impl Future<Output = usize>) {
    let _one = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let allocations = runtime.block_on(counted);
    assert!(allocations > 0, "nothing was counted");
    assert!(allocations <= most, "{}: {allocations} allocations, at most {most}", S::NAME);
}

fn standard() -> StandardKey {
    let key = StandardKey::new("acme", "nightly import").unwrap();
    key.scope("jobs:read").unwrap().scope("jobs:write").unwrap().scope("reports:read").unwrap()
}

fn scraper() -> ScraperKey {
    let key = ScraperKey::named("acme", "nightly import").unwrap();
    key.scope("jobs:read").unwrap().scope("jobs:write").unwrap().scope("reports:read").unwrap()
}

#[test]
fn what_is_allocated_is_counted() {
    let _one = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let region = Region::new(ALLOCATOR);
    let boxes: Vec<_> = (0..100_u64).map(Box::new).collect();
    assert!(region.change().allocations > boxes.len());
}

/// From the first hit on, until last use is written.
#[test]
fn a_verification_from_the_cache_allocates_nothing() {
    let policy = CachePolicy::new().unwatched_max_age(Duration::from_hours(1));
    let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme").unwrap())).cache(policy).build();
    let _one = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let issued = keys.issue(standard()).await.unwrap();
        let presented = issued.secret.expose_secret();
        keys.verify(presented).await.unwrap();
        let mut least = usize::MAX;
        for _ in 0..10 {
            let region = Region::new(ALLOCATOR);
            for _ in 0..VERIFICATIONS {
                let caller = keys.verify(presented).await.unwrap();
                assert!(!caller.evidence().is_fresh() && caller.permits("jobs:read").is_ok());
            }
            let change = region.change();
            least = least.min(change.allocations + change.reallocations);
        }
        assert_eq!(least, 0, "of {VERIFICATIONS} verifications");
    });
}

#[test]
fn a_verification_of_the_schema_standard_in_memory_allocates_little() {
    let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme").unwrap())).build();
    count::<Standard>(IN_MEMORY, allocations_per_verification(keys, standard()));
}

#[test]
fn a_verification_of_the_schema_scraper_in_memory_allocates_little() {
    let keys = Keys::builder(MemoryKeyStore::new(Scraper::new())).build();
    count::<Scraper>(IN_MEMORY, allocations_per_verification(keys, scraper()));
}

#[cfg(feature = "sqlite")]
mod through_sqlite {
    use keyward::sql::SqlSchema;
    use keyward::{SqlKeyStore, Sqlite, Timestamp};

    use super::*;

    async fn allocations<S: SqlSchema>(schema: S, draft: impl Into<Draft<S>> + Send) -> usize {
        let directory = tempfile::tempdir().unwrap();
        let engine = Sqlite::open(directory.path().join("keys.db")).unwrap();
        let store = SqlKeyStore::open(engine, schema).await.unwrap();
        store.migrate(Timestamp::from_micros(0)).await.unwrap();
        allocations_per_verification(Keys::builder(store).build(), draft).await
    }

    #[test]
    fn a_verification_of_the_schema_standard_allocates_little() {
        count::<Standard>(THROUGH_SQLITE, allocations(Standard::new("acme").unwrap(), standard()));
    }

    #[test]
    fn a_verification_of_the_schema_scraper_allocates_little() {
        count::<Scraper>(THROUGH_SQLITE, allocations(Scraper::new(), scraper()));
    }
}
