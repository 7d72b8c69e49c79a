//! Of several callers who race for one change, exactly one is told that it made it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::store::conformance::{Maker, Subject};
use crate::store::{RevokeOutcome, StoreError};

const RACERS: usize = 16;

/// Of many inserts of one key, one succeeds and the others learn that they lost.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_inserts_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "insert-race");
    let key = make.key(&make.owner().await);
    let results = race((0..RACERS).map(|_| make.store().insert(&key))).await;
    assert_one_winner(results);
    assert_eq!(make.find(&key.head).await, Some(key));
}

/// Of many revocations of one key, one revokes, and the others are told the winner's time and reason.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_revocations_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "revoke-race");
    let key = make.stored().await;
    let requests: Vec<_> = (0..RACERS).map(|_| make.revocation(&key, key.head.digest)).collect();
    let outcomes = race(requests.iter().map(|request| make.store().revoke(request))).await;

    let mut winners = Vec::new();
    let mut told = Vec::new();
    for (request, outcome) in requests.iter().zip(outcomes) {
        match outcome.expect("the store answers") {
            RevokeOutcome::Revoked => winners.push(request),
            RevokeOutcome::AlreadyRevoked(revocation) => told.push(revocation),
            RevokeOutcome::NotFound => panic!("the key is there"),
        }
    }
    assert_eq!(winners.len(), 1, "one caller revoked the key");
    if make.store().abilities().revocation_time {
        assert!(told.iter().all(|revocation| revocation.at == Some(winners[0].at)), "{told:?}");
    }
}

/// Of many rotations of one key, one adds its successor.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_rotations_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "rotate-race");
    let key = make.stored().await;
    let rotations: Vec<_> = (0..RACERS).map(|_| make.rotation(key.clone(), Duration::from_mins(1))).collect();
    let results = race(rotations.iter().map(|rotation| make.store().rotate(rotation))).await;
    let winner = assert_one_winner(results);
    for (number, rotation) in rotations.iter().enumerate() {
        assert_eq!(make.find(&rotation.successor.head).await.is_some(), number == winner);
    }
}

/// The position of the one that succeeded; all others must have lost by a conflict.
fn assert_one_winner(results: Vec<Result<(), StoreError>>) -> usize {
    let mut winners = Vec::new();
    for (number, result) in results.into_iter().enumerate() {
        match result {
            Ok(()) => winners.push(number),
            Err(StoreError::Conflict) => {}
            Err(error) => panic!("a loser learns that it lost, not {error:?}"),
        }
    }
    assert_eq!(winners.len(), 1, "exactly one wins");
    winners[0]
}

/// Runs all of them at once and waits for the last.
async fn race<'f, T: 'f>(racers: impl Iterator<Item = impl Future<Output = T> + Send + 'f>) -> Vec<T> {
    type Racer<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

    let mut racers: Vec<(Option<Racer<'f, T>>, Option<T>)> =
        racers.map(|racer| (Some(Box::pin(racer) as Racer<'f, T>), None)).collect();
    poll_fn(move |context| {
        for (racer, result) in &mut racers {
            if let Some(running) = racer
                && let Poll::Ready(value) = running.as_mut().poll(context)
            {
                *racer = None;
                *result = Some(value);
            }
        }
        if racers.iter().any(|(racer, _)| racer.is_some()) {
            return Poll::Pending;
        }
        Poll::Ready(racers.drain(..).filter_map(|(_, result)| result).collect())
    })
    .await
}
