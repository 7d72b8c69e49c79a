//! Quotas that processes keep together.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use keyward::key::{Lineage, Period, Quota};
use keyward::schemas::standard::Standard;
use keyward::service::{QuotaExceeded, Quotas, QuotasBuilder};
use keyward::store::{LeaseRequest, MemoryQuotaStore, QuotaAccount, QuotaStore, StoreError};
use keyward::{ManualClock, RedisStore};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use super::caller;
use crate::support::START;
use crate::support::redis::{Server, ask, connect, prefix, store, url};

const PLAN: Quota = Quota::per_month(2_000);

fn builder(store: impl QuotaStore, batch: u64) -> QuotasBuilder<Standard> {
    Quotas::builder(store).batch(NonZeroU64::new(batch).unwrap())
}

fn process(store: impl QuotaStore, batch: u64) -> Quotas<Standard> {
    builder(store, batch).clock(ManualClock::new(START)).build().unwrap()
}

#[tokio::test]
async fn the_script_answers_as_the_reference_does() {
    let (caller, prefix, now) = (caller().await, prefix(), START);
    let (redis, reference) = (store(url(), &prefix).await, MemoryQuotaStore::new());
    let lineage = Lineage::of(&**caller.record());
    let mut random = StdRng::seed_from_u64(1);
    let (mut sequences, mut conflicts) = ([0_u64; 3], 0);
    for _ in 0..2_000 {
        let period = [Period::Month, Period::DAY][random.random_range(0..2)].span(now);
        let account = QuotaAccount::new(lineage, period, [0, 50, 1_000, Quota::MAX_UNITS][random.random_range(0..4)]);
        let holder = random.random_range(0..3);
        // Mostly a new request, now and then one that was made before.
        let sequence = match random.random_range(0..10) {
            0 => sequences[holder],
            1 => sequences[holder].saturating_sub(1),
            _ => {
                sequences[holder] += 1;
                sequences[holder]
            }
        };
        let wanted = [0, 1, 20, Quota::MAX_UNITS][random.random_range(0..4)];
        let give_back = [0, 0, 5, 100_000][random.random_range(0..4)];
        let request = LeaseRequest::new(["a", "b", "c"][holder], sequence, wanted, now).giving_back(give_back);
        match (redis.lease(account, request).await, reference.lease(account, request).await) {
            (Ok(one), Ok(other)) if one == other => {}
            (Err(StoreError::Conflict), Err(StoreError::Conflict)) => conflicts += 1,
            answers => panic!("{request:?} of {account:?}: {answers:?}"),
        }
    }
    assert!(conflicts > 20, "{conflicts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_never_admit_more_between_them_and_hardly_less() {
    let (caller, prefix, batch) = (caller().await, prefix(), 50);
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        let quotas = process(store(url(), &prefix).await, batch);
        for _ in 0..4 {
            let (quotas, caller) = (quotas.clone(), caller.clone());
            tasks.spawn(async move {
                let mut admitted = 0;
                for _ in 0..300 {
                    admitted += u64::from(quotas.spend(&caller, PLAN).await.is_ok());
                }
                admitted
            });
        }
    }
    let sum: u64 = tasks.join_all().await.into_iter().sum();
    assert!((PLAN.units() - 2 * batch..=PLAN.units()).contains(&sum), "{sum}");
}

#[tokio::test]
async fn a_server_that_stands_still_loses_no_unit_and_gives_none_twice() {
    let (server, caller) = (Server::start(), caller().await);
    let redis = store(server.url(), "acme").await.timeout(Duration::from_millis(50));
    // By the real time, as an outage pauses for a while, and over a period that ends in 2106.
    let (quotas, plan) = (builder(redis, 100).build().unwrap(), Quota::new(2_000, Period::Seconds(NonZeroU32::MAX)));
    let process_of_server = server.process().await;
    let mut admitted = 0;
    for _ in 0..3 {
        process_of_server.signal("-STOP");
        let refused = loop {
            match quotas.spend(&caller, plan).await {
                Ok(_) => admitted += 1,
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, QuotaExceeded::Unavailable { .. }), "{refused:?}");
        // What was asked for is done now, and nobody hears of it.
        process_of_server.signal("-CONT");
        server.ask::<()>(&["SCRIPT", "FLUSH"]).await;
        while quotas.spend(&caller, plan).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        admitted += 1;
    }
    while quotas.spend(&caller, plan).await.is_ok() {
        admitted += 1;
    }
    assert_eq!(admitted, plan.units());
}

#[tokio::test]
async fn an_account_is_one_key_that_outlives_its_period_and_lies_in_one_slot_with_the_limit() {
    let (server, caller) = (Server::cluster().await, caller().await);
    let redis = RedisStore::new(connect(server.url()).await, "acme").unwrap();
    let day = Quota::new(5, Period::DAY);
    process(redis, 10).spend(&caller, day).await.unwrap();
    let names: Vec<String> = server.ask(&["KEYS", "*"]).await;
    let [name] = &names[..] else { panic!("{names:?}") };
    let id = caller.head().id.as_str();
    assert!(name.starts_with(&format!("acme:quota:standard:{{{id}}}:")), "{name}");
    let slot: u16 = server.ask(&["CLUSTER", "KEYSLOT", name]).await;
    assert_eq!(slot, server.ask::<u16>(&["CLUSTER", "KEYSLOT", id]).await);
    let seconds: u64 = server.ask(&["TTL", name]).await;
    assert!((2 * 86_400 - 60..=2 * 86_400).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn what_is_no_account_is_an_error_and_grants_nothing() {
    let (caller, prefix, now) = (caller().await, prefix(), START);
    let redis = store(url(), &prefix).await;
    let account = QuotaAccount::new(Lineage::of(&**caller.record()), Period::Month.span(now), 100);
    let lease = |sequence| redis.lease(account, LeaseRequest::new("a", sequence, 10, now));
    assert_eq!(lease(1).await.unwrap().granted, 10);
    let names: Vec<String> = ask(url(), &["KEYS", &format!("{prefix}*")]).await;
    for (field, odd) in [("taken", "-5"), ("taken", ""), ("taken", "1e3"), ("h:a", "x"), ("h:a", "1")] {
        let before: String = ask(url(), &["HGET", &names[0], field]).await;
        ask::<()>(url(), &["HSET", &names[0], field, odd]).await;
        let answer = lease(2).await;
        assert!(matches!(answer, Err(StoreError::Backend { .. })), "{field} = {odd:?}: {answer:?}");
        ask::<()>(url(), &["HSET", &names[0], field, &before]).await;
    }
    assert_eq!(lease(2).await.unwrap().taken, 20);
}
