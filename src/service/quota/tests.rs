//! How many uses are admitted, and what happens to units when answers and processes are lost.

use std::sync::atomic::AtomicBool;

use async_trait::async_trait;

use super::*;
use crate::schemas::standard::{Standard, StandardKey};
use crate::service::Keys;
use crate::store::{LeaseRequest, Leased, MemoryKeyStore, MemoryQuotaStore, QuotaAccount};
use crate::time::ManualClock;

const START: &str = "2030-01-31T23:59:00Z";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START.parse().unwrap()))
}

fn keys() -> Keys<Standard> {
    Keys::builder(MemoryKeyStore::new(Standard::new("acme").unwrap())).build()
}

async fn caller(keys: &Keys<Standard>) -> Authenticated<Standard> {
    let issued = keys.issue(StandardKey::new("customer-1", "import").unwrap()).await.unwrap();
    keys.verify(issued.secret.expose_secret()).await.unwrap()
}

/// A process of its own.
fn process(store: impl QuotaStore, batch: u64, clock: &Arc<ManualClock>) -> Quotas<Standard> {
    let batch = batch.try_into().unwrap();
    Quotas::builder(store).batch(batch).shared_clock(Arc::<ManualClock>::clone(clock)).build().unwrap()
}

async fn admitted(quotas: &Quotas<Standard>, caller: &Authenticated<Standard>, quota: Quota) -> u64 {
    let mut admitted = 0;
    while quotas.spend(caller, quota).await.is_ok() {
        admitted += 1;
    }
    admitted
}

#[tokio::test]
async fn one_process_admits_the_quota_to_the_last_unit_and_asks_seldom() {
    let (clock, caller) = (clock(), caller(&keys()).await);
    let quotas = process(MemoryQuotaStore::new(), 100, &clock);
    assert_eq!(quotas.spend(&caller, Quota::per_month(0)).await.unwrap_err().retry_after(), Duration::from_mins(1));
    let plan = Quota::per_month(10_000);
    assert_eq!(quotas.spend(&caller, plan).await.unwrap().left, 9_999);
    assert_eq!(admitted(&quotas, &caller, plan).await, 9_999);
    let metrics = quotas.metrics();
    assert!(metrics.leases < 150, "{metrics:?}");

    for _ in 0..100 {
        assert!(matches!(quotas.spend(&caller, plan).await, Err(QuotaExceeded::UsedUp { .. })));
    }
    assert_eq!(quotas.metrics().leases, metrics.leases, "who has nothing left costs the store nothing");
    assert_eq!(admitted(&quotas, &caller, Quota::per_month(10_005)).await, 5, "a larger plan counts at once");
}

#[tokio::test]
async fn what_is_left_of_a_month_is_not_spent_in_the_next() {
    let (clock, caller, store) = (clock(), caller(&keys()).await, MemoryQuotaStore::new());
    let (one, other) = (process(store.clone(), 5, &clock), process(store, 5, &clock));
    let plan = Quota::per_month(100);
    let last = one.spend(&caller, plan).await.unwrap();
    assert_eq!(last.resets_at, "2030-02-01T00:00:00Z".parse().unwrap());
    clock.set(last.resets_at);
    let first = one.spend(&caller, plan).await.unwrap();
    assert_eq!((first.left, first.resets_at), (99, "2030-03-01T00:00:00Z".parse().unwrap()));
    assert_eq!(admitted(&other, &caller, plan).await + admitted(&one, &caller, plan).await, 99);
}

#[tokio::test]
async fn rotated_keys_have_one_quota_and_other_keys_their_own() {
    let (clock, keys) = (clock(), keys());
    let quotas = process(MemoryQuotaStore::new(), 10, &clock);
    let (old, other, plan) = (caller(&keys).await, caller(&keys).await, Quota::per_month(7));
    assert_eq!(admitted(&quotas, &old, plan).await, 7);
    let rotated = keys.rotate(&old.head().id, Duration::from_hours(1), None).await.unwrap();
    let new = keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    assert_eq!(admitted(&quotas, &new, plan).await, 0);
    assert_eq!(admitted(&quotas, &other, plan).await, 7);
    assert_eq!(admitted(&quotas, &old, Quota::new(3, Period::DAY)).await, 3, "another period is another account");
}

#[tokio::test]
async fn a_killed_process_loses_a_batch_at_most_and_one_that_gives_back_loses_nothing() {
    let (clock, caller, store) = (clock(), caller(&keys()).await, MemoryQuotaStore::new());
    let plan = Quota::per_month(1_000);
    let mut admitted_so_far = 0;
    for _ in 0..10 {
        let killed = process(store.clone(), 20, &clock);
        assert!(killed.spend(&caller, plan).await.is_ok());
        let stopped = process(store.clone(), 20, &clock);
        assert!(stopped.spend(&caller, plan).await.is_ok());
        stopped.give_back().await.unwrap();
        stopped.give_back().await.unwrap();
        admitted_so_far += 2;
    }
    let rest = admitted(&process(store, 20, &clock), &caller, plan).await;
    assert_eq!(admitted_so_far + rest, 1_000 - 10 * 19);
}

/// A store whose answers are lost, or which is lost itself.
#[derive(Debug, Default)]
struct Lossy {
    store: MemoryQuotaStore,
    loses_answers: AtomicBool,
    is_down: AtomicBool,
    asked: AtomicU64,
}

#[async_trait]
impl QuotaStore for Lossy {
    async fn lease(&self, account: QuotaAccount<'_>, request: LeaseRequest<'_>) -> Result<Leased, StoreError> {
        let lost = || StoreError::Unavailable { backend: "Redis", source: "connection reset".into() };
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_down.load(Ordering::Relaxed) {
            return Err(lost());
        }
        let answer = self.store.lease(account, request).await;
        if self.loses_answers.load(Ordering::Relaxed) { Err(lost()) } else { answer }
    }
}

#[tokio::test]
async fn answers_that_are_lost_lose_no_units_and_give_none_twice() {
    let (clock, caller, store) = (clock(), caller(&keys()).await, Arc::<Lossy>::default());
    let (plan, quotas) = (Quota::per_month(100), process(Arc::clone(&store), 10, &clock));
    let mut admitted_so_far = 0;
    for round in 0..40 {
        store.loses_answers.store(round % 2 == 0, Ordering::Relaxed);
        admitted_so_far += u64::from(quotas.spend(&caller, plan).await.is_ok());
        if round % 5 == 0 {
            let _ = quotas.give_back().await;
        }
        clock.set(clock.now().saturating_sub(Duration::from_secs(2)));
    }
    store.loses_answers.store(false, Ordering::Relaxed);
    assert!(admitted_so_far > 10, "{admitted_so_far}");
    assert_eq!(admitted_so_far + admitted(&quotas, &caller, plan).await, 100);
}

/// A request that was lost is asked again with what is given back, under no limit; its answer says nothing about a use.
#[tokio::test]
async fn what_was_answered_under_another_limit_does_not_use_a_quota_up() {
    let (clock, caller, store) = (clock(), caller(&keys()).await, Arc::<Lossy>::default());
    let quotas = process(Arc::<Lossy>::clone(&store), 10, &clock);
    store.is_down.store(true, Ordering::Relaxed);
    assert!(quotas.spend(&caller, Quota::per_month(100)).await.unwrap_err().is_outage());
    store.is_down.store(false, Ordering::Relaxed);
    store.loses_answers.store(true, Ordering::Relaxed);
    assert!(quotas.give_back().await.is_err());
    store.loses_answers.store(false, Ordering::Relaxed);
    clock.advance(PAUSE);
    assert_eq!(quotas.spend(&caller, Quota::per_month(100)).await.unwrap().left, 99);
}

#[tokio::test]
async fn while_the_store_is_lost_what_was_taken_before_is_spent_and_then_nobody_waits() {
    let (clock, caller, store) = (clock(), caller(&keys()).await, Arc::<Lossy>::default());
    let (plan, quotas) = (Quota::per_month(1_000), process(Arc::clone(&store), 10, &clock));
    assert!(quotas.spend(&caller, plan).await.is_ok());
    store.is_down.store(true, Ordering::Relaxed);
    assert_eq!(admitted(&quotas, &caller, plan).await, 9);
    for _ in 0..10 {
        let refused = quotas.spend(&caller, plan).await.unwrap_err();
        assert_eq!(refused, QuotaExceeded::Unavailable { retry_after: PAUSE });
    }
    assert_eq!(store.asked.load(Ordering::Relaxed), 2);
    store.is_down.store(false, Ordering::Relaxed);
    clock.advance(PAUSE);
    assert_eq!(quotas.spend(&caller, plan).await.unwrap().left, 989);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_and_tasks_never_admit_more_between_them_and_hardly_less() {
    let (clock, caller, store) = (clock(), caller(&keys()).await, MemoryQuotaStore::new());
    let (plan, batch) = (Quota::per_month(5_000), 50);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let quotas = process(store.clone(), batch, &clock);
        for _ in 0..8 {
            let (quotas, caller) = (quotas.clone(), caller.clone());
            tasks.spawn(async move {
                let mut admitted = 0;
                for _ in 0..400 {
                    admitted += u64::from(quotas.spend(&caller, plan).await.is_ok());
                    tokio::task::yield_now().await;
                }
                admitted
            });
        }
    }
    let sum: u64 = tasks.join_all().await.into_iter().sum();
    assert!((5_000 - 3 * batch..=5_000).contains(&sum), "{sum}");
}
