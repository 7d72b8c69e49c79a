//! Many who present the same key at the same moment cost one lookup, and none of them depends on another.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyward::ManualClock;
use keyward::key::{Authenticated, Refusal, RefusalReason};
use keyward::schemas::standard::Standard;
use keyward::store::MemoryKeyStore;
use keyward::store::faulty::{Call, Fault, FaultyStore};
use tokio::task::{JoinSet, yield_now};

use super::{MINUTE, World, cached_over, draft, policy};
use crate::support::concurrency::{Abandon, abandon, race};
use crate::support::{START, TestSchema as _};

const HERD: usize = 200;

type Verification<'w> = Pin<Box<dyn Future<Output = Result<Authenticated<Standard>, Refusal>> + Send + 'w>>;

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_herd_asks_the_store_once() {
    for _ in 0..20 {
        let world = World::waiting(policy(), |store| store.waiting(|time| Box::pin(tokio::time::sleep(time))));
        let issued = world.keys.issue(draft()).await.unwrap();
        world.store.fail_by_chance(0, 1, &[Fault::AnswerDelayed(Duration::from_millis(20))]);
        let mut herd = JoinSet::new();
        for _ in 0..HERD {
            let (keys, presented) = (world.keys.clone(), issued.secret.expose_secret().to_owned());
            herd.spawn(async move { keys.verify(&presented).await.unwrap() });
        }
        assert_eq!(herd.join_all().await.len(), HERD);
        // Whoever came when it was over found the record.
        assert_eq!(world.lookups(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_one_answer_for_all() {
    let behind = Arc::new(FaultyStore::new(MemoryKeyStore::new(Standard::schema())));
    let store = FaultyStore::over(Arc::<FaultyStore<Standard>>::clone(&behind) as _);
    let store = store.waiting(|time| Box::pin(tokio::time::sleep(time)));
    store.fail_by_chance(0, 1, &[Fault::Delayed(Duration::from_millis(20))]);
    let keys = cached_over(Arc::new(store), &Arc::new(ManualClock::new(START)), policy());
    let issued = keys.issue(draft()).await.unwrap();
    behind.fail_next(Call::Find, Fault::Unavailable);
    let mut herd = JoinSet::new();
    for _ in 0..HERD {
        let (keys, presented) = (keys.clone(), issued.secret.expose_secret().to_owned());
        herd.spawn(async move { keys.verify(&presented).await });
    }
    let verdicts = herd.join_all().await;
    let outages = verdicts.iter().filter(|verdict| verdict.as_ref().is_err_and(Refusal::is_outage)).count();
    // One answer, and whoever came after it asked again.
    assert!(outages > HERD / 2, "{outages}");
    assert!(keys.verify(issued.secret.expose_secret()).await.is_ok());
}

/// Whoever began the lookup is given up, at each point where it waits, or is not polled any more; the others go on.
#[tokio::test]
async fn the_others_go_on_when_the_first_does_not() {
    for polls in 1..4 {
        for when in Abandon::at(polls) {
            let world = World::new(policy());
            let issued = world.keys.issue(draft()).await.unwrap();
            world.slow();
            let presented = issued.secret.expose_secret();
            let mut second = pin!(world.keys.verify(presented));
            let first = abandon(
                async {
                    let mut first = pin!(world.keys.verify(presented));
                    let mut second_is_over = false;
                    poll_fn(|context| {
                        let polled = first.as_mut().poll(context);
                        second_is_over = second_is_over || second.as_mut().poll(context).is_ready();
                        polled
                    })
                    .await
                },
                when,
            );
            drop(first.await);
            assert!(world.keys.verify(presented).await.is_ok(), "{when:?}");
        }
    }
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    world.slow();
    let presented = issued.secret.expose_secret();
    let mut asleep = Box::pin(world.keys.verify(presented));
    assert!(poll(asleep.as_mut()).is_pending());
    assert!(world.keys.verify(presented).await.is_ok(), "one that nobody polls holds nobody up");
    assert_eq!(world.lookups(), 1);
    assert!(asleep.await.is_ok());
}

#[tokio::test]
async fn a_lookup_that_nobody_wants_any_more_ends() {
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    world.store.fail_next(Call::Find, Fault::Unanswered);
    let presented = issued.secret.expose_secret();
    {
        let mut given_up: [Verification<'_>; 3] = std::array::from_fn(|_| Box::pin(world.keys.verify(presented)) as _);
        assert!(given_up.iter_mut().all(|call| poll(call.as_mut()).is_pending()));
    }
    assert!(world.keys.verify(presented).await.is_ok(), "the next one begins anew");
}

/// A call that joins a lookup from before a revocation was reported must not be told what was so before it.
#[tokio::test]
async fn whoever_comes_after_a_revocation_does_not_join_what_began_before_it() {
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    let presented = issued.secret.expose_secret();
    world.slow();
    let mut early = Box::pin(world.keys.verify(presented));
    assert!(poll(early.as_mut()).is_pending(), "it has read, and has no answer yet");
    world.keys.revoke(&issued.record.head.id, None).await.unwrap();
    let late = world.keys.verify(presented).await;
    assert_eq!(late.unwrap_err().reason(), RefusalReason::Revoked);
    let _ = early.await;
    assert_eq!(world.keys.verify(presented).await.unwrap_err().reason(), RefusalReason::Revoked, "nor is it kept");
}

#[tokio::test]
async fn a_store_that_panics_harms_only_those_who_ask_it() {
    let world = World::waiting(policy(), |store| {
        store.waiting(|time| {
            Box::pin(async move {
                yield_now().await;
                assert!(time.is_zero(), "on purpose");
            })
        })
    });
    let issued = world.keys.issue(draft()).await.unwrap();
    let presented = issued.secret.expose_secret().to_owned();
    world.store.fail_next(Call::Find, Fault::Delayed(MINUTE));
    let mut calls = JoinSet::new();
    for _ in 0..2 {
        let (keys, presented) = (world.keys.clone(), presented.clone());
        calls.spawn(async move { keys.verify(&presented).await });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = calls.join_next().await {
        outcomes.push(outcome);
    }
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1, "one has met the panic: {outcomes:?}");
    assert!(outcomes.into_iter().flatten().all(|verdict| verdict.is_ok()), "the other one has asked again");
    assert!(world.keys.verify(&presented).await.is_ok());
    world.keys.revoke(&issued.record.head.id, None).await.unwrap();
    assert!(world.keys.verify(&presented).await.is_err());
}

/// On threads of their own, verifications and one revocation: whoever begins after it has returned is refused.
#[tokio::test(flavor = "multi_thread")]
async fn no_thread_accepts_a_key_after_its_revocation_was_reported() {
    for _ in 0..100 {
        let world = World::new(policy());
        let issued = world.keys.issue(draft()).await.unwrap();
        let id = issued.record.head.id.clone();
        let is_revoked = Arc::new(AtomicBool::new(false));
        let racers = (0..8).map(|lane| {
            let (keys, id, is_revoked) = (world.keys.clone(), id.clone(), Arc::clone(&is_revoked));
            let presented = issued.secret.expose_secret().to_owned();
            move || async move {
                for round in 0..200 {
                    if lane == 0 && round == 100 {
                        keys.revoke(&id, None).await.unwrap();
                        is_revoked.store(true, Ordering::SeqCst);
                    }
                    let was_revoked = is_revoked.load(Ordering::SeqCst);
                    let verdict = keys.verify(&presented).await;
                    assert!(!(was_revoked && verdict.is_ok()), "accepted after its revocation");
                }
            }
        });
        race(racers).await;
    }
}
