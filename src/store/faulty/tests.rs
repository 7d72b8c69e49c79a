//! Each fault does what it says, chance can be repeated, and without a fault every promise is kept.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;

use super::*;
use crate::key::{Draft, KeyRecord, OwnerId, Prepared};
use crate::schemas::standard::{Standard, StandardDetails, StandardKey};
use crate::store::conformance::Subject;
use crate::store::{KeyLookup, KeyStore, KeyUse, MemoryKeyStore};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);

fn schema() -> Standard {
    Standard::new("acme").unwrap()
}

fn details() -> Vec<StandardDetails> {
    ["plain", "another"].map(|name| Draft::from(StandardKey::new("anyone", name).unwrap()).details).into()
}

struct WithoutFaults(FaultyStore<Standard>);

#[async_trait]
impl Subject for WithoutFaults {
    type Schema = Standard;

    fn store(&self) -> &dyn KeyStore<Schema = Standard> {
        &self.0
    }

    async fn add_owner(&self, _owner: &OwnerId) {}

    fn details(&self) -> Vec<StandardDetails> {
        details()
    }
}

mod without_faults {
    use super::*;

    crate::conformance_suite!(WithoutFaults(FaultyStore::new(MemoryKeyStore::new(schema()))));
}

/// What the first looks at `call` come to.
fn look<T>(looks: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut context = Context::from_waker(Waker::noop());
    (0..looks).find_map(|_| match call.as_mut().poll(&mut context) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    })
}

fn stores() -> (MemoryKeyStore<Standard>, FaultyStore<Standard>) {
    let memory = MemoryKeyStore::new(schema());
    (memory.clone(), FaultyStore::new(memory))
}

fn key() -> KeyRecord<Standard> {
    let draft = Draft::from(StandardKey::new("acme", "a key").unwrap());
    let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(7);
    Prepared::new(draft, &schema(), &mut random, NOW).unwrap().record().clone()
}

#[test]
fn each_fault_makes_the_call_or_not_and_answers_as_it_says() {
    #[derive(Debug, PartialEq)]
    enum Answer {
        Done,
        Conflict,
        Unavailable,
        Backend,
        Denied,
        None,
    }

    let faults = [
        (Fault::Unavailable, false, Answer::Unavailable),
        (Fault::Backend, false, Answer::Backend),
        (Fault::Denied, false, Answer::Denied),
        (Fault::AnswerLost, true, Answer::Unavailable),
        (Fault::Repeated, true, Answer::Conflict),
        (Fault::Unanswered, false, Answer::None),
        (Fault::MadeAndUnanswered, true, Answer::None),
        (Fault::Delayed(Duration::from_secs(1)), true, Answer::Done),
        (Fault::Busy, false, Answer::Unavailable),
        (Fault::Refused, false, Answer::Backend),
    ];
    for (fault, is_made, promised) in faults {
        let (memory, store) = stores();
        store.fail_next(Call::Insert, fault);
        let answer = match look(2, store.insert(&key())) {
            None => Answer::None,
            Some(Ok(())) => Answer::Done,
            Some(Err(StoreError::Conflict)) => Answer::Conflict,
            Some(Err(StoreError::Unavailable { .. })) => Answer::Unavailable,
            Some(Err(StoreError::Backend { .. })) => Answer::Backend,
            Some(Err(StoreError::Denied { .. })) => Answer::Denied,
            Some(Err(other)) => panic!("{other:?}"),
        };
        assert_eq!(answer, promised, "{fault:?}");
        let is_there = look(1, memory.get(&key().head.id)).unwrap().unwrap().is_some();
        assert_eq!(is_there, is_made, "{fault:?}");
        assert_eq!(store.faults_met(), [(Call::Insert, fault)]);
        look(1, store.get(&key().head.id)).unwrap().unwrap();
        assert_eq!(store.faults_met().len(), 1, "only the call that was named has the fault");
    }
}

#[test]
fn uses_are_left_over_as_the_fault_says() {
    let (_, store) = stores();
    let uses = [KeyUse::new(key().head.id, key().head.digest.unwrap(), NOW)];
    for fault in [Fault::Busy, Fault::Refused] {
        store.fail_next(Call::Touch, fault);
        let touched = look(1, store.touch(&uses)).unwrap().unwrap();
        let (left, other) = match fault {
            Fault::Busy => (touched.busy, touched.refused),
            _ => (touched.refused, touched.busy),
        };
        assert_eq!((touched.written, left, other), (0, uses.to_vec(), Vec::new()));
    }
}

#[test]
fn a_delay_waits_as_long_as_the_test_wants() {
    let store = FaultyStore::new(MemoryKeyStore::new(schema())).waiting(|time| {
        assert_eq!(time, Duration::from_secs(3));
        Box::pin(pending())
    });
    store.fail_next(Call::Find, Fault::Delayed(Duration::from_secs(3)));
    let digest = key().head.digest.unwrap();
    assert!(look(9, store.find(KeyLookup::new(&digest, "acme_live_"))).is_none());
    assert!(look(1, store.find(KeyLookup::new(&digest, "acme_live_"))).is_some());
}

#[test]
fn a_script_comes_before_chance_and_chance_can_be_repeated() {
    let faults_of = |seed| {
        let (_, store) = stores();
        store.fail_by_chance(seed, 3, &[Fault::Unavailable, Fault::Backend]);
        store.let_next_succeed(Call::Get);
        look(1, store.get(&key().head.id)).unwrap().unwrap();
        let answers: Vec<_> = (0..100).map(|_| look(1, store.get(&key().head.id)).unwrap().is_err()).collect();
        assert_eq!(answers.iter().filter(|failed| **failed).count(), store.faults_met().len());
        store.heal();
        assert!(look(1, store.get(&key().head.id)).unwrap().is_ok());
        (answers, store.faults_met())
    };
    let first = faults_of(1);
    assert_eq!(first, faults_of(1));
    assert_ne!(first, faults_of(2));
    assert!((15..60).contains(&first.1.len()), "about one call in three fails: {}", first.1.len());
}

#[cfg(feature = "broker")]
mod grants_without_faults {
    use super::*;
    use crate::store::grants::conformance::Subject;
    use crate::store::grants::{GrantStore, MemoryGrantStore};

    impl Subject for FaultyGrantStore {
        fn store(&self) -> &dyn GrantStore {
            self
        }
    }

    crate::grant_conformance_suite!(FaultyGrantStore::new(MemoryGrantStore::new()));
}
