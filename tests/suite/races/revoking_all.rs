//! Revoking all keys of an owner while others issue and rotate them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyward::key::{KeyId, KeyRecord, PrepareError, Status};
use keyward::store::StoreError;
use keyward::{Keys, KeysError};

use super::{ACME, HOUR, acme, all_keys, issue};
use crate::support::concurrency::{PROCESSES, RACERS, processes, race};
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![
    everywhere of [standard::Standard, scraper::Scraper, mesh::Mesh]: no_key_slips_through_while_all_are_revoked,
];

/// How many of the racers revoke all keys.
const REVOKERS: usize = 2;

/// When a call began and ended, counted by one counter for all, and what came of it.
#[derive(Debug)]
struct Call {
    began: u64,
    ended: u64,
    did: Did,
}

#[derive(Debug)]
enum Did {
    Issue(KeyId),
    Rotate { predecessor: KeyId, successor: KeyId },
    RevokeAll(u64),
}

impl Did {
    fn made(&self) -> Option<&KeyId> {
        match self {
            Self::Issue(id) | Self::Rotate { successor: id, .. } => Some(id),
            Self::RevokeAll(_) => None,
        }
    }
}

/// Issues keys, rotates each of them, and rotates the successor of each, while all keys are revoked twice.
///
/// Revoking all promises that a concurrent change comes either before or after it. So a key and its successor share
/// their fate whenever they were made, and what had been made before is dead and what was made after is not.
async fn no_key_slips_through_while_all_are_revoked<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(ACME).await;
    let processes = processes(&fixture).await;
    let tick = Arc::new(AtomicU64::new(0));
    for round in 0..8 {
        let start = tick.load(Ordering::SeqCst);
        let existing = issue(&fixture.keys, None).await.record().head.id.clone();
        let makers = (0..RACERS).map(|racer| (racer, processes[racer % PROCESSES].clone(), existing.clone()));
        let tick_of_racer = Arc::clone(&tick);
        let racers = makers.map(move |(racer, keys, existing)| {
            let tick = Arc::clone(&tick_of_racer);
            // Two of them revoke, somewhere in the middle, at another time in every round.
            let revokes_at = (racer < REVOKERS).then(|| start + round * 3 + racer as u64 * 12);
            move || async move {
                match revokes_at {
                    Some(revokes_at) => revoke_all_at(&keys, &tick, revokes_at).await,
                    None => make_keys(&keys, &tick, (racer == REVOKERS).then_some(existing)).await,
                }
            }
        });
        let calls: Vec<_> = race(racers).await.into_iter().flatten().collect();
        check_fates(&all_keys(&fixture.keys).await, &existing, &calls);
        fixture.keys.revoke_all(&acme(), None).await.unwrap();
    }
}

/// Issues a key, or takes the one that is there, and rotates it and its successor.
async fn make_keys<S: TestSchema>(keys: &Keys<S>, tick: &AtomicU64, existing: Option<KeyId>) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut latest = existing;
    for _ in 0..3 {
        let began = tick.fetch_add(1, Ordering::SeqCst);
        let did = match latest {
            None => Did::Issue(keys.issue(S::draft(ACME)).await.unwrap().record.head.id),
            Some(predecessor) => match keys.rotate(&predecessor, HOUR, None).await {
                Ok(rotated) => Did::Rotate { predecessor, successor: rotated.successor.record.head.id },
                Err(KeysError::Store(StoreError::Conflict) | KeysError::Prepare(PrepareError::NotLive(_))) => break,
                Err(error) => panic!("{error:?}"),
            },
        };
        latest = did.made().cloned();
        calls.push(Call { began, ended: tick.fetch_add(1, Ordering::SeqCst), did });
    }
    calls
}

/// Revokes all keys once the counter has come to `tick_to_begin_at`. The makers reach it whatever happens to them, for
/// each that issues a key counts to three.
async fn revoke_all_at<S: TestSchema>(keys: &Keys<S>, tick: &AtomicU64, tick_to_begin_at: u64) -> Vec<Call> {
    while tick.load(Ordering::SeqCst) < tick_to_begin_at {
        std::thread::yield_now();
    }
    let began = tick.fetch_add(1, Ordering::SeqCst);
    let revoked = keys.revoke_all(&acme(), None).await.unwrap().count;
    vec![Call { began, ended: tick.fetch_add(1, Ordering::SeqCst), did: Did::RevokeAll(revoked) }]
}

fn check_fates<S: TestSchema>(records: &[KeyRecord<S>], existing: &KeyId, calls: &[Call]) {
    let is_revoked = |id: &KeyId| {
        let record = records.iter().find(|record| record.head.id == *id).expect("a key that was made is there");
        record.head.status != Status::Active
    };
    let revocations = || calls.iter().filter(|call| matches!(call.did, Did::RevokeAll(_)));
    for call in calls {
        if let Did::Rotate { predecessor, successor } = &call.did {
            let share_their_fate = is_revoked(predecessor) == is_revoked(successor);
            assert!(share_their_fate, "a key slipped through: {call:?} of {calls:?}");
        }
        let Some(made) = call.did.made() else { continue };
        if revocations().any(|revocation| call.ended < revocation.began) {
            assert!(is_revoked(made), "it was there before and lives: {call:?} of {calls:?}");
        }
        if revocations().all(|revocation| revocation.ended < call.began) {
            assert!(!is_revoked(made), "it was made afterwards and is dead: {call:?} of {calls:?}");
        }
    }
    let made = calls.iter().filter_map(|call| call.did.made()).chain([existing]);
    let dead = made.filter(|id| is_revoked(id)).count() as u64;
    let counted: u64 = calls.iter().map(|call| if let Did::RevokeAll(revoked) = call.did { revoked } else { 0 }).sum();
    assert_eq!(counted, dead, "each dead key was counted by exactly one revocation: {calls:?}");
}
