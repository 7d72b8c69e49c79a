//! Of several callers who race for one change, exactly one learns that it made it.

use std::future::Future;
use std::pin::Pin;

use crate::key::Status;
use crate::store::conformance::history::{history, issued};
use crate::store::conformance::{Maker, Subject};
use crate::store::{RevokeAllRequest, StoreError, race};

const RACERS: usize = 16;

/// Of many inserts of one key, one succeeds and the others learn that they lost.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_inserts_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_inserts_wins");
    let key = make.key(&make.owner().await);
    let results = race(&make, (0..RACERS).map(|_| make.store().insert(&key))).await;
    the_winner(&make, results);
    make.stands(&key, "the key is there").await;
}

/// Of many revocations of one key, one revokes, and the others learn the winner's time and reason.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_revocations_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_revocations_wins");
    let key = make.stored().await;
    let requests: Vec<_> = (0..RACERS).map(|_| make.revocation(&key).seen(key.head.digest)).collect();
    let outcomes = race(&make, requests.iter().map(|request| make.store().revoke(request))).await;

    let mut winners = Vec::new();
    let mut reported = Vec::new();
    for (request, outcome) in requests.iter().zip(outcomes) {
        let outcome = make.answer(outcome, "a revocation that comes late is no error");
        make.check(outcome.is_some(), "a revocation that comes late finds the key");
        let Some(revoked) = outcome else { continue };
        if revoked.already {
            reported.push(revoked.revocation.at);
        } else {
            winners.push(request.at);
        }
    }
    make.same(&winners.len(), &1, "exactly one caller revokes the key");
    if make.abilities().revocation_time {
        let all_the_same = reported.iter().all(|at| *at == Some(winners[0]));
        make.check(all_the_same, "the others learn when the key was revoked");
    }
}

/// Of many rotations of one key, one adds its successor.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_rotations_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_rotations_wins");
    let key = make.stored().await;
    let rotations: Vec<_> = (0..RACERS).map(|_| make.rotation(key.clone(), make.grace())).collect();
    let rotate = async |rotation| make.store().rotate(rotation).await.map(|_| ());
    let results = race(&make, rotations.iter().map(rotate)).await;
    let winner = the_winner(&make, results);
    for (number, rotation) in rotations.iter().enumerate() {
        let is_there = make.find(&rotation.successor.head).await.is_some();
        make.same(&is_there, &(number == winner), "the winner's successor is added, and no other");
    }
}

/// Of many changes of one version, one is made.
///
/// # Panics
/// When the store breaks this promise.
pub async fn one_of_many_changes_wins<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "one_of_many_changes_wins");
    if !make.abilities().changes {
        return;
    }
    let key = make.stored().await;
    let change = |number| if number % 2 == 0 { make.change(&key) } else { make.disabling(&key) };
    let changes: Vec<_> = (0..RACERS).map(change).collect();
    let results = race(&make, changes.iter().map(|change| make.store().change(change))).await;
    let winner = &changes[the_winner(&make, results)];
    make.stands(&winner.key, "the key is as the winner's change left it").await;
    let promised = vec![issued(&make, &key), winner.entry.clone()];
    make.same(&history(&make, &key.head.id).await, &promised, "the winner's change has its entry, and no other");
}

/// Of changes and a revocation of one key, the revocation is made in any case, and at most one of the changes before it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_change_that_races_with_a_revocation_does_not_undo_it<S: Subject>(subject: &S) {
    type Work<'f> = Pin<Box<dyn Future<Output = Result<bool, StoreError>> + Send + 'f>>;

    let make = Maker::new(subject, "a_change_that_races_with_a_revocation_does_not_undo_it");
    if !make.abilities().changes {
        return;
    }
    let store = make.store();
    for place in 0..4 {
        let key = make.stored().await;
        let revocation = make.revocation(&key);
        let changes: Vec<_> = (0..3).map(|_| make.change(&key)).collect();
        let mut work: Vec<Work<'_>> = Vec::new();
        for change in &changes {
            work.push(Box::pin(async move { store.change(change).await.map(|()| true) }));
        }
        let revocation = &revocation;
        work.insert(place, Box::pin(async move { store.revoke(revocation).await.map(|revoked| revoked.is_some()) }));
        let mut results = race(&make, work.into_iter()).await;
        let revoked = make.answer(results.remove(place), "a revocation never loses");
        make.check(revoked, "a revocation finds its key");
        let successes = results.iter().filter(|result| result.is_ok()).count();
        make.check(successes <= 1, "at most one of several changes of one version is made");
        let lost = results.iter().all(|result| matches!(result, Ok(true) | Err(StoreError::Conflict)));
        make.check(lost, "a loser learns that it lost");

        let found = make.get(&key.head.id).await;
        let is_revoked = found.as_ref().is_some_and(|key| matches!(key.head.status, Status::Revoked(_)));
        make.check(is_revoked, "the key is revoked");
        let history = history(&make, &key.head.id).await;
        let versions: Vec<_> = history.iter().map(|entry| (entry.from_version, entry.to_version)).collect();
        let promised: Vec<_> = (0..successes as u64 + 2).map(|version| (version, version + 1)).collect();
        make.same(&versions, &promised, "every change that was made has its entry, without a gap");
    }
}

/// Of a rotation and the revocation of all keys of the owner, none leaves a key that is accepted: either the successor is
/// revoked too, or the rotation comes too late.
///
/// # Panics
/// When the store breaks this promise.
pub async fn no_key_slips_through_the_revocation_of_all<S: Subject>(subject: &S) {
    type Work<'f> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'f>>;

    let make = Maker::new(subject, "no_key_slips_through_the_revocation_of_all");
    let store = make.store();
    for rotation_first in [true, false, true, false] {
        let key = make.stored().await;
        let rotation = &make.rotation(key.clone(), make.grace());
        let all = &RevokeAllRequest::new(key.head.owner.clone(), make.now()).because(make.reason()).by(make.actor());
        let rotate: Work<'_> = Box::pin(async move { store.rotate(rotation).await.map(|_| ()) });
        let revoke: Work<'_> = Box::pin(async move { store.revoke_all(all).await.map(|_| ()) });
        let work = if rotation_first { [rotate, revoke] } else { [revoke, rotate] };
        for result in race(&make, work.into_iter()).await {
            let is_in_order = matches!(result, Ok(()) | Err(StoreError::Conflict));
            make.check(is_in_order, format_args!("either of them is made, or learns that it lost; it says {result:?}"));
        }
        for head in [&key.head, &rotation.successor.head] {
            let found = make.find(head).await;
            let is_dead = found.is_none_or(|key| key.head.standing(all.at).is_err());
            make.check(is_dead, "no key of the owner is accepted afterwards");
        }
    }
}

/// The position of the one that succeeded; all others must have lost by a conflict.
fn the_winner<S: Subject>(make: &Maker<'_, S>, results: Vec<Result<(), StoreError>>) -> usize {
    let mut winners = Vec::new();
    for (number, result) in results.into_iter().enumerate() {
        match result {
            Ok(()) => winners.push(number),
            Err(StoreError::Conflict) => {}
            Err(error) => make.check(false, format_args!("a loser learns that it lost; it says {error:?}")),
        }
    }
    make.same(&winners.len(), &1, "exactly one wins");
    winners[0]
}

/// Runs all of them at once, see [`race::race`].
async fn race<'f, S: Subject, T: Send + 'f>(
    make: &Maker<'_, S>,
    racers: impl Iterator<Item = impl Future<Output = T> + Send + 'f>,
) -> Vec<T> {
    let subject = make.subject();
    race::race(|work| subject.enter(work), racers).await
}
