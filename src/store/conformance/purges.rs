//! Keys that have been dead for long are removed, and no others.

use std::time::Duration;

use crate::store::PurgeRequest;
use crate::store::conformance::{Maker, Record, Subject};
use crate::time::Timestamp;

/// More than there are keys that were dead in 2001.
const MOST_PURGES: usize = 1_000;

/// A purge removes keys that were revoked or had expired before an instant, together with their history and at most as
/// many as it is asked for. All other keys stay as they are.
///
/// # Panics
/// When the store breaks this promise.
pub async fn only_keys_that_have_been_dead_for_long_are_purged<S: Subject>(subject: &S) {
    // Long before what the rest of the suite, and of the store, has to do with.
    let start = Timestamp::from_micros(1_000_000_000_123_456);
    let make = Maker::at(subject, "only_keys_that_have_been_dead_for_long_are_purged", start);
    if !make.abilities().purge {
        return;
    }
    let dead_before = start.saturating_add(Duration::from_hours(24));
    let (due, kept) = (due(&make, start).await, kept(&make, dead_before).await);
    if due.is_empty() {
        return;
    }

    let mut before = Vec::new();
    for key in &kept {
        before.push(make.get(&key.head.id).await);
    }
    let purge = async |limit| {
        let request = PurgeRequest::new(dead_before, limit);
        make.answer(make.store().purge(&request).await, "dead keys can be removed")
    };
    make.same(&purge(1).await, &1, "no more keys are removed than asked for, and as many as there are");
    let mut gone = 0;
    for key in &due {
        gone += usize::from(make.get(&key.head.id).await.is_none());
    }
    make.check(gone <= 1, "no more keys are removed than the purge says");
    for _ in 0..MOST_PURGES {
        if purge(2).await == 0 {
            break;
        }
    }
    make.same(&purge(2).await, &0, "a purge that is repeated comes to an end");

    for key in &due {
        make.absent(&key.head, "a key that has been dead for long is not found by its digest").await;
        make.check(make.get(&key.head.id).await.is_none(), "a key that has been dead for long is removed");
        if make.abilities().changes {
            let history = make.answer(make.store().history(&key.head.id).await, "a removed key has no history");
            make.same(&history, &Vec::new(), "the history of a key is removed with it");
        }
    }
    for (key, before) in kept.iter().zip(before) {
        let after = make.get(&key.head.id).await;
        make.same(&after, &before, "a key that has not been dead for so long stays as it is");
    }
}

/// Keys that die soon after `start`.
async fn due<S: Subject>(make: &Maker<'_, S>, start: Timestamp) -> Vec<Record<S>> {
    let mut due = Vec::new();
    if make.abilities().revocation_time {
        for _ in 0..3 {
            let key = make.stored().await;
            make.revoke(&make.revocation(&key)).await;
            due.push(key);
        }
    }
    if make.abilities().expiry {
        let soon = start.saturating_add(Duration::from_hours(1));
        let key = make.key_with(&make.owner().await, Some(soon), make.details());
        make.insert(&key).await;
        due.push(key);
    }
    due
}

/// Keys that are live at `dead_before`, or die just then.
async fn kept<S: Subject>(make: &Maker<'_, S>, dead_before: Timestamp) -> Vec<Record<S>> {
    let abilities = make.abilities();
    let mut kept = vec![make.stored().await];
    if abilities.revocation_time {
        let key = make.stored().await;
        let mut request = make.revocation(&key);
        request.at = dead_before;
        make.revoke(&request).await;
        kept.push(key);
    }
    if abilities.expiry {
        let key = make.key_with(&make.owner().await, Some(dead_before), make.details());
        make.insert(&key).await;
        kept.push(key);
    }
    if abilities.changes {
        let key = make.stored().await;
        make.make_change(&make.disabling(&key)).await;
        kept.push(key);
    }
    kept
}
