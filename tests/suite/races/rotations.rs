//! A key is rotated once, whoever else rotates it at the same time and whatever its expiry.

use std::time::Duration;

use keyward::key::PrepareError;
use keyward::store::StoreError;
use keyward::{KeysError, Timestamp};

use super::{ACME, HOUR, all_keys, expiries_and_graces, issue, key_by_id};
use crate::support::concurrency::{PROCESSES, RACERS, processes, race};
use crate::support::{Fixture, START, TestSchema, over_schemas};

over_schemas![
    everywhere of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    rotations_that_were_prepared_together_have_one_winner,
    a_key_is_rotated_once_whatever_its_expiry,
];

// Without side tables, a process that reads the key after another has rotated it starts a rotation of its own.
over_schemas![
    every_store of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    rotations_from_several_processes_have_one_winner_whom_the_losers_can_name,
];

/// The contract at its sharpest: all of the racers have seen the key alive and unrotated.
async fn rotations_that_were_prepared_together_have_one_winner<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(ACME).await;
    let processes = processes(&fixture).await;
    for (expires_at, grace) in expiries_and_graces() {
        let predecessor = issue(&fixture.keys, expires_at).await.record().clone();
        let before = all_keys(&fixture.keys).await.len();
        let racers = (0..RACERS).map(|racer| {
            let keys = processes[racer % PROCESSES].clone();
            let prepared = keys.prepare_rotation(predecessor.clone(), grace, None).unwrap();
            move || async move { keys.store().rotate(prepared.rotation()).await.map(|_| prepared) }
        });
        let (won, lost): (Vec<_>, Vec<_>) = race(racers).await.into_iter().partition(Result::is_ok);
        let case = format!("expiry {expires_at:?}, grace {grace:?}");
        assert_eq!(won.len(), 1, "{case}");
        assert!(lost.iter().all(|outcome| matches!(outcome, Err(StoreError::Conflict))), "{case}: {lost:?}");

        assert_eq!(all_keys(&fixture.keys).await.len(), before + 1, "one successor, {case}");
        let successor = &won[0].as_ref().unwrap().rotation().successor;
        assert_eq!(key_by_id(&fixture.keys, &successor.head.id).await, *successor, "{case}");
    }
}

async fn rotations_from_several_processes_have_one_winner_whom_the_losers_can_name<S: TestSchema>(fixture: Fixture<S>) {
    assert!(fixture.store().abilities().rotation_memory);
    fixture.add_owner(ACME).await;
    let processes = processes(&fixture).await;
    for (expires_at, grace) in expiries_and_graces() {
        let predecessor = issue(&fixture.keys, expires_at).await.record().head.id.clone();
        let before = all_keys(&fixture.keys).await.len();
        let racers = (0..RACERS).map(|racer| {
            let (keys, id) = (processes[racer % PROCESSES].clone(), predecessor.clone());
            move || async move { keys.rotate(&id, grace, None).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) = race(racers).await.into_iter().partition(Result::is_ok);
        let case = format!("expiry {expires_at:?}, grace {grace:?}");
        assert_eq!(won.len(), 1, "{case}");
        let rotated = won[0].as_ref().unwrap();
        let winner = &rotated.successor.record;
        let knows_that_it_lost = |error: &KeysError| match error {
            KeysError::AlreadyRotated { successor } => *successor == winner.head.id,
            // Whoever reads the key when it is retired already finds it dead.
            KeysError::Prepare(PrepareError::NotLive(_)) => grace.is_zero(),
            _ => false,
        };
        assert!(lost.iter().all(|outcome| outcome.as_ref().is_err_and(knows_that_it_lost)), "{case}: {lost:?}");

        assert_eq!(all_keys(&fixture.keys).await.len(), before + 1, "one successor, {case}");
        let successor = fixture.keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
        assert_eq!(**successor.record(), *winner, "{case}");
    }
}

/// No race is needed to lose: it is enough to have read the key before somebody else rotated it. Instants that engines
/// might round are the interesting ones, for without side tables the expiry is all that tells.
async fn a_key_is_rotated_once_whatever_its_expiry<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(ACME).await;
    let minute = Timestamp::from_micros(START.as_micros() / 60_000_000 * 60_000_000).saturating_add(HOUR);
    for micros in [
        0, 1, 499, 500, 999, 1_000, 1_500, 999_500, 999_999, 58_999_499, 59_998_600, 59_999_499, 59_999_600, 59_999_999,
    ] {
        let expires_at = minute.saturating_add(Duration::from_micros(micros));
        let predecessor = issue(&fixture.keys, Some(expires_at)).await.record().clone();
        let [first, second] =
            [(); 2].map(|()| fixture.keys.prepare_rotation(predecessor.clone(), 2 * HOUR, None).unwrap());
        fixture.keys.store().rotate(first.rotation()).await.unwrap();
        let second = fixture.keys.store().rotate(second.rotation()).await;
        assert!(matches!(second, Err(StoreError::Conflict)), "rotated twice with expiry {expires_at}: {second:?}");
    }
}
