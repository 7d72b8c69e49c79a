//! A change is in force when its call returns, whoever has cached what before.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyward::key::{Changed, Issued, KeyChange, RefusalReason};
use keyward::schemas::standard::Standard;
use keyward::store::MemoryKeyStore;
use keyward::store::faulty::{Call, Fault, FaultyStore};
use keyward::{Keys, ManualClock};

use super::{MINUTE, OWNER, World, cached, cached_over, draft, policy};
use crate::support::concurrency::{Abandon, abandon};
use crate::support::{Fixture, START, TestSchema, over_every_schema};

over_every_schema![everywhere:
    a_revoked_key_is_refused_at_once,
    a_replaced_key_is_refused_at_once,
    every_key_of_an_owner_is_refused_at_once,
    a_change_is_in_force_at_once,
];

/// A key that the cache holds, as a clone that shares it shows.
async fn warm<S: TestSchema>(fixture: &Fixture<S>, keys: &Keys<S>) -> Issued<S> {
    fixture.add_owner(OWNER).await;
    let issued = keys.issue(S::draft(OWNER)).await.unwrap();
    keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert!(!keys.clone().verify(issued.secret.expose_secret()).await.unwrap().evidence().is_fresh());
    issued
}

async fn a_revoked_key_is_refused_at_once<S: TestSchema>(fixture: Fixture<S>) {
    let keys = cached(&fixture, policy());
    let issued = warm(&fixture, &keys).await;
    keys.of(&issued.record.head.owner).revoke(&issued.record.head.id, None).await.unwrap();
    assert!(keys.verify(issued.secret.expose_secret()).await.is_err());
}

async fn a_replaced_key_is_refused_at_once<S: TestSchema>(fixture: Fixture<S>) {
    let keys = cached(&fixture, policy());
    let issued = warm(&fixture, &keys).await;
    let rotated = keys.rotate(&issued.record.head.id, Duration::ZERO, None).await.unwrap();
    assert!(keys.verify(issued.secret.expose_secret()).await.is_err());
    assert!(keys.verify(rotated.successor.secret.expose_secret()).await.is_ok());

    let one_each = !fixture.store().abilities().several_keys_per_owner;
    if one_each {
        let second = keys.issue_only(S::draft(OWNER)).await.unwrap();
        assert!(keys.verify(rotated.successor.secret.expose_secret()).await.is_err());
        assert!(keys.verify(second.secret.expose_secret()).await.is_ok());
    }
}

async fn every_key_of_an_owner_is_refused_at_once<S: TestSchema>(fixture: Fixture<S>) {
    let keys = cached(&fixture, policy());
    let issued = warm(&fixture, &keys).await;
    keys.revoke_all(&issued.record.head.owner, None).await.unwrap();
    assert!(keys.verify(issued.secret.expose_secret()).await.is_err());
}

async fn a_change_is_in_force_at_once<S: TestSchema>(fixture: Fixture<S>) {
    let keys = cached(&fixture, policy());
    let issued = warm(&fixture, &keys).await;
    let (id, presented) = (&issued.record.head.id, issued.secret.expose_secret());
    if !fixture.store().abilities().changes {
        return;
    }
    keys.disable(id, None).await.unwrap();
    assert_eq!(keys.verify(presented).await.unwrap_err().reason(), RefusalReason::Disabled);
    let Changed { key, .. } = keys.enable(id, None).await.unwrap();
    let accepted = keys.verify(presented).await.unwrap();
    assert_eq!(accepted.head().version, key.head.version, "a refusal does not outlive its reason");
}

/// In a transaction of the host's, a change is in force once its receipt is handed in.
#[tokio::test]
async fn a_receipt_tells_the_cache() {
    let world = World::new(policy().refusals(100, MINUTE));
    let keys = &world.keys;
    let issued = keys.issue(draft()).await.unwrap();
    let (record, presented) = (&issued.record, issued.secret.expose_secret());
    keys.verify(presented).await.unwrap();

    let change = KeyChange::disable(record, None, None, keys.now()).unwrap().unwrap();
    keys.store().change(&change).await.unwrap();
    assert!(keys.verify(presented).await.is_ok(), "the receipt was not handed in yet");
    let Changed { key, .. } = keys.committed(change.stored());
    assert!(keys.verify(presented).await.is_err());

    let change = KeyChange::enable(&key, None, None, keys.now()).unwrap().unwrap();
    keys.store().change(&change).await.unwrap();
    keys.committed(change.stored());
    assert!(keys.verify(presented).await.is_ok());

    let prepared = keys.prepare_rotation(keys.get(&key.head.id).await.unwrap().unwrap(), Duration::ZERO, None).unwrap();
    let successor = keys.store().rotate(prepared.rotation()).await.unwrap();
    let rotated = keys.committed(prepared.stored(successor));
    assert!(keys.verify(presented).await.is_err());
    let presented = rotated.successor.secret.expose_secret();
    keys.verify(presented).await.unwrap();

    let revocation = keys.revocation(&rotated.successor.record.head.id, None);
    let revoked = keys.store().revoke(&revocation).await.unwrap().unwrap();
    assert!(keys.verify(presented).await.is_ok());
    keys.committed(revoked.stored());
    assert!(keys.verify(presented).await.is_err());

    let another = keys.issue(draft()).await.unwrap();
    keys.verify(another.secret.expose_secret()).await.unwrap();
    let all = keys.store().revoke_all(&keys.revocation_of_all(&another.record.head.owner, None)).await.unwrap();
    assert!(keys.verify(another.secret.expose_secret()).await.is_ok());
    keys.committed(all.stored());
    assert!(keys.verify(another.secret.expose_secret()).await.is_err());
}

/// A revocation that was made, whose caller learnt nothing of it.
#[tokio::test]
async fn a_change_whose_outcome_nobody_knows_counts_as_made() {
    let faults = [
        (Call::Revoke, Fault::AnswerLost),
        (Call::Revoke, Fault::MadeAndUnanswered),
        (Call::RevokeAll, Fault::AnswerLost),
        (Call::RevokeAll, Fault::MadeAndUnanswered),
        (Call::Rotate, Fault::AnswerLost),
        (Call::Rotate, Fault::MadeAndUnanswered),
        (Call::Change, Fault::AnswerLost),
        (Call::Change, Fault::MadeAndUnanswered),
    ];
    for (call, fault) in faults {
        let world = World::new(policy());
        let issued = world.keys.issue(draft()).await.unwrap();
        world.keys.verify(issued.secret.expose_secret()).await.unwrap();
        world.store.fail_next(call, fault);
        let (id, owner) = (&issued.record.head.id, &issued.record.head.owner);
        let made = async {
            match call {
                Call::Revoke => world.keys.revoke(id, None).await.is_ok(),
                Call::RevokeAll => world.keys.revoke_all(owner, None).await.is_ok(),
                Call::Rotate => world.keys.rotate(id, Duration::ZERO, None).await.is_ok(),
                _ => world.keys.disable(id, None).await.is_ok(),
            }
        };
        assert_ne!(abandon(made, Abandon::After(1)).await, Some(true));
        assert!(world.keys.verify(issued.secret.expose_secret()).await.is_err(), "{call:?} {fault:?}");
    }
}

/// The record is read anew while the revocation is on its way, which is then made, and says nothing of it.
#[tokio::test]
async fn what_is_read_while_a_change_is_under_way_counts_for_nothing_afterwards() {
    for lost in [Fault::AnswerLost, Fault::MadeAndUnanswered] {
        let behind = Arc::new(FaultyStore::new(MemoryKeyStore::new(Standard::schema())));
        let store = FaultyStore::over(Arc::<FaultyStore<Standard>>::clone(&behind) as _);
        store.fail_next(Call::Revoke, Fault::Delayed(Duration::ZERO));
        behind.fail_next(Call::Revoke, lost);
        let keys = cached_over(Arc::new(store), &Arc::new(ManualClock::new(START)), policy());
        let issued = keys.issue(draft()).await.unwrap();
        {
            let mut revocation = pin!(keys.revoke(&issued.record.head.id, None));
            let mut look = || revocation.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(look().is_pending(), "it has begun, and is not made yet");
            keys.verify(issued.secret.expose_secret()).await.unwrap();
            assert!(!matches!(look(), Poll::Ready(Ok(_))));
        }
        assert!(keys.verify(issued.secret.expose_secret()).await.is_err(), "{lost:?}");
    }
}

#[tokio::test]
async fn what_is_cached_can_be_forgotten() {
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    world.keys.verify(issued.secret.expose_secret()).await.unwrap();
    world.elsewhere.revoke(&issued.record.head.id, None).await.unwrap();
    assert!(world.keys.verify(issued.secret.expose_secret()).await.is_ok());
    world.keys.forget_cached();
    assert!(world.keys.verify(issued.secret.expose_secret()).await.is_err());
}
