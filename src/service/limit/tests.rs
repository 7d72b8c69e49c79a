//! Which limit a key has, whom it counts for, and what happens while the shared store cannot be asked.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::key::{Bucket, KeyRecord, Rate, RateLimit, Taken, decide};
use crate::schemas::scraper::{Scraper, ScraperKey};
use crate::schemas::standard::{Standard, StandardKey};
use crate::service::Keys;
use crate::store::{MemoryKeyStore, StoreError};
use crate::time::{ManualClock, Timestamp};
use async_trait::async_trait;

const START: Timestamp = Timestamp::from_seconds(1_893_456_000);

fn number(number: u32) -> NonZeroU32 {
    number.try_into().unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START))
}

fn keys(clock: &Arc<ManualClock>) -> Keys<Standard> {
    let clock = Arc::<ManualClock>::clone(clock);
    Keys::builder(MemoryKeyStore::new(Standard::new("acme").unwrap())).shared_clock(clock).build()
}

fn draft() -> StandardKey {
    StandardKey::new("customer-1", "import").unwrap()
}

async fn caller(keys: &Keys<Standard>, draft: StandardKey) -> Authenticated<Standard> {
    let issued = keys.issue(draft).await.unwrap();
    keys.verify(issued.secret.expose_secret()).await.unwrap()
}

async fn admitted(limiter: &RateLimiter<Standard>, caller: &Authenticated<Standard>) -> u32 {
    let mut admitted = 0;
    while limiter.check(caller).await.is_ok() {
        admitted += 1;
    }
    admitted
}

#[tokio::test]
async fn the_limit_is_the_keys_own_or_else_the_services() {
    let clock = clock();
    let keys = keys(&clock);
    let limiter = RateLimiter::builder(number(5)).shared_clock(clock.clone()).build();
    let (default, own) = (caller(&keys, draft()).await, caller(&keys, draft().requests_per_minute(7).unwrap()).await);
    assert_eq!((admitted(&limiter, &default).await, admitted(&limiter, &own).await), (5, 7));
    let refused = limiter.check(&default).await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(12)));
    assert!(!refused.is_outage());
    clock.advance(Duration::from_secs(12));
    assert_eq!((admitted(&limiter, &default).await, admitted(&limiter, &own).await), (1, 1));
    assert_eq!(limiter.metrics().exceeded, 5);
}

#[tokio::test]
async fn a_key_that_permits_nothing_is_always_refused_and_told_no_time() {
    let clock = clock();
    let issued = caller(&keys(&clock), draft()).await;
    let mut record = KeyRecord::<Standard>::clone(issued.record());
    record.details.rate_limit = RateLimit::DenyAll;
    let digest = record.head.digest.unwrap();
    let caller = decide(&Standard::new("acme").unwrap(), vec![Arc::new(record)], &digest, START).unwrap();
    let limiter = RateLimiter::builder(number(5)).build();
    assert_eq!(limiter.check(&caller).await, Err(RateLimited::DenyAll));
    assert_eq!(RateLimited::DenyAll.retry_after(), None);
}

#[tokio::test]
async fn a_smaller_burst_holds_for_every_key() {
    let clock = clock();
    let keys = keys(&clock);
    let limiter = RateLimiter::builder(number(60)).burst(number(10)).shared_clock(clock.clone()).build();
    let (default, small) = (caller(&keys, draft()).await, caller(&keys, draft().requests_per_minute(3).unwrap()).await);
    assert_eq!((admitted(&limiter, &default).await, admitted(&limiter, &small).await), (10, 3));
}

#[tokio::test]
async fn a_rotation_fills_no_limit_up() {
    let clock = clock();
    let keys = keys(&clock);
    let limiter = RateLimiter::builder(number(5)).shared_clock(clock.clone()).build();
    let issued = keys.issue(draft()).await.unwrap();
    let old = keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(admitted(&limiter, &old).await, 5);
    let mut id = old.head().id.clone();
    for _ in 0..3 {
        let rotated = keys.rotate(&id, Duration::from_hours(1), None).await.unwrap();
        let new = keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
        assert!(limiter.check(&new).await.is_err());
        id = new.head().id.clone();
    }
    assert!(limiter.check(&old).await.is_err(), "which is in its grace");
}

#[tokio::test]
async fn without_a_lineage_a_key_in_its_grace_and_its_successor_have_one_limit() {
    let clock = clock();
    let store = MemoryKeyStore::new(Scraper::new());
    let keys = Keys::builder(store).shared_clock(Arc::<ManualClock>::clone(&clock)).build();
    let limiter = RateLimiter::<Scraper>::builder(number(5)).shared_clock(clock).build();
    let draft = ScraperKey::named("acme", "import").unwrap().requests_per_minute(2).unwrap();
    let issued = keys.issue(draft).await.unwrap();
    let rotated = keys.rotate(&issued.record.head.id, Duration::from_hours(1), None).await.unwrap();
    let old = keys.verify(issued.secret.expose_secret()).await.unwrap();
    let new = keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    assert!(limiter.check(&old).await.is_ok());
    assert!(limiter.check(&new).await.is_ok());
    assert!(limiter.check(&old).await.is_err());
    assert!(limiter.check(&new).await.is_err());
}

/// Counts as a shared store would, while there is one.
#[derive(Debug)]
struct Shared {
    bucket: Mutex<Bucket>,
    is_up: AtomicU64,
    asked: AtomicU64,
}

#[async_trait]
impl LimitStore for Shared {
    async fn take(&self, _: Lineage<'_>, rate: Rate) -> Result<Taken, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_up.load(Ordering::Relaxed) == 0 {
            return Err(StoreError::Unavailable { backend: "Redis", source: "connection refused".into() });
        }
        Ok(self.bucket.lock().unwrap().take(rate, START))
    }
}

fn shared() -> Arc<Shared> {
    let bucket = Mutex::new(Bucket::new(START));
    Arc::new(Shared { bucket, is_up: AtomicU64::new(1), asked: AtomicU64::new(0) })
}

#[tokio::test]
async fn processes_that_share_a_store_admit_the_limit_between_them() {
    let (clock, shared) = (clock(), shared());
    let caller = caller(&keys(&clock), draft()).await;
    let process = || RateLimiter::builder(number(5)).shared_by(shared.clone(), OnOutage::Refuse).build();
    let (one, other) = (process(), process());
    assert_eq!(one.check(&caller).await.unwrap().counted, Counted::Shared);
    assert_eq!(admitted(&one, &caller).await + admitted(&other, &caller).await, 4);
}

#[tokio::test]
async fn while_the_store_is_lost_the_host_has_decided_what_happens() {
    for on_outage in [OnOutage::Refuse, OnOutage::Admit, OnOutage::CountInProcess] {
        let (clock, shared) = (clock(), shared());
        let caller = caller(&keys(&clock), draft()).await;
        let limiter = RateLimiter::builder(number(5)).shared_by(shared.clone(), on_outage);
        let limiter = limiter.shared_clock(clock.clone()).build();
        assert_eq!(limiter.check(&caller).await.unwrap().remaining, 4);

        shared.is_up.store(0, Ordering::Relaxed);
        let answers: Vec<_> = [(); 6].map(|()| limiter.check(&caller)).into_iter().collect();
        let mut outcomes = Vec::new();
        for answer in answers {
            outcomes.push(answer.await.map(|admitted| admitted.counted));
        }
        let unavailable = Err(RateLimited::Unavailable { retry_after: PAUSE });
        let exceeded = |outcome: &Result<_, RateLimited>| matches!(outcome, Err(RateLimited::Exceeded { .. }));
        match on_outage {
            OnOutage::Refuse => assert_eq!(outcomes, [unavailable; 6]),
            OnOutage::Admit => assert_eq!(outcomes, [Ok(Counted::Nowhere); 6]),
            OnOutage::CountInProcess => {
                assert_eq!(outcomes[..5], [Ok(Counted::InProcess); 5]);
                assert!(exceeded(&outcomes[5]), "{outcomes:?}");
            }
        }
        assert_eq!(shared.asked.load(Ordering::Relaxed), 2, "the others did not wait for it");
        assert_eq!(limiter.metrics().during_outage, 6);

        clock.advance(PAUSE);
        let _ = limiter.check(&caller).await;
        let _ = limiter.check(&caller).await;
        assert_eq!(shared.asked.load(Ordering::Relaxed), 3, "one of them asked again");

        shared.is_up.store(1, Ordering::Relaxed);
        clock.set(START.saturating_sub(Duration::from_hours(24)));
        assert_eq!(limiter.check(&caller).await.unwrap().counted, Counted::Shared, "although the clock was set back");
        assert_eq!(limiter.check(&caller).await.unwrap().counted, Counted::Shared);
    }
}
