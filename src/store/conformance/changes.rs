//! Changes happen once, whole, and to exactly the key that was meant.

use std::time::Duration;

use crate::key::{Revocation, RevocationReason, Status};
use crate::store::conformance::{Maker, Subject};
use crate::store::{KeyUse, RevokeOutcome, StoreError};

/// A taken identity or digest is a conflict, and the key that has it stays as it is.
///
/// # Panics
/// When the store breaks this promise.
pub async fn insert_never_overwrites<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "insert");
    let store = make.store();
    let first = make.stored().await;
    let several = store.abilities().several_keys_per_owner;

    let mut same_id = make.key(&first.head.owner);
    same_id.head.id = first.head.id.clone();
    let mut same_digest = make.key(&if several { first.head.owner.clone() } else { make.owner().await });
    same_digest.head.digest = first.head.digest;
    same_digest.head.prefix = first.head.prefix.clone();
    for taken in [&same_id, &same_digest] {
        assert!(matches!(store.insert(taken).await, Err(StoreError::Conflict)), "{:?}", taken.head.id);
    }
    assert_eq!(store.get(&first.head.id).await.expect("the store answers"), Some(first.clone()));
    assert_eq!(make.find(&first.head).await, Some(first));
    assert_eq!(make.find(&same_id.head).await, None);
}

/// A second revocation changes nothing and reports the first.
///
/// # Panics
/// When the store breaks this promise.
pub async fn revoking_again_keeps_the_first_time_and_reason<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "revoke");
    let store = make.store();
    let key = make.stored().await;
    let first = make.revocation(&key, None);
    let again = make.revocation(&key, key.head.digest);
    assert_ne!(first.at, again.at);

    assert_eq!(store.revoke(&first).await.expect("the store answers"), RevokeOutcome::Revoked);
    let kept = Revocation {
        at: store.abilities().revocation_time.then_some(first.at),
        reason: first.reason.clone().filter(|_| store.abilities().revocation_reason),
    };
    for _ in 0..2 {
        let outcome = store.revoke(&again).await.expect("the store answers");
        assert_eq!(outcome, RevokeOutcome::AlreadyRevoked(kept.clone()));
    }
    let found = make.find(&key.head).await.expect("a dead key is still found");
    assert!(found.head.standing(first.at).is_err(), "a revoked key is not accepted");
    if store.abilities().revocation_time {
        let shown = store.get(&key.head.id).await.expect("the store answers").expect("a dead key is still shown");
        assert_eq!(shown.head.status, Status::Revoked(kept));
    }
}

/// A reason is kept or refused, never silently lost.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_store_without_room_for_a_reason_refuses_it<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "reason");
    let store = make.store();
    if store.abilities().revocation_reason {
        return;
    }
    let key = make.stored().await;
    let mut request = make.revocation(&key, None);
    request.reason = RevocationReason::new("leaked").ok();
    assert!(matches!(store.revoke(&request).await, Err(StoreError::Unsupported(_))));
    let all = store.revoke_all(&key.head.owner, request.at, request.reason.as_ref()).await;
    assert!(matches!(all, Err(StoreError::Unsupported(_))));
    assert_eq!(make.find(&key.head).await, Some(key), "nothing was revoked");
}

/// A request that names a digest touches only the key that has it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_key_with_another_digest_is_not_touched_or_revoked<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "digest");
    let store = make.store();
    let key = make.stored().await;
    let other = make.key(&key.head.owner).head.digest.expect("the suite's keys have digests");

    let request = make.revocation(&key, Some(other));
    assert_eq!(store.revoke(&request).await.expect("the store answers"), RevokeOutcome::NotFound);
    let touch = KeyUse { id: key.head.id.clone(), digest: other, at: make.now() };
    assert_eq!(store.touch(&[touch]).await.expect("the store answers"), 0);
    assert_eq!(make.find(&key.head).await, Some(key));
}

/// Revoking all keys of an owner counts those that were alive and leaves other owners alone.
///
/// # Panics
/// When the store breaks this promise.
pub async fn revoking_all_keys_of_an_owner_leaves_others_alone<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "all");
    let store = make.store();
    let stranger = make.stored().await;
    let first = make.stored().await;
    let owner = &first.head.owner;
    let mut alive = 1;
    if store.abilities().several_keys_per_owner {
        for _ in 0..2 {
            store.insert(&make.key(owner)).await.expect("a new key can be inserted");
        }
        let request = make.revocation(&first, None);
        store.revoke(&request).await.expect("the store answers");
        alive = 2;
    }
    let before = make.find(&first.head).await;
    let reason = make.reason();
    assert_eq!(store.revoke_all(owner, make.now(), reason.as_ref()).await.expect("the store answers"), alive);
    assert_eq!(store.revoke_all(owner, make.now(), reason.as_ref()).await.expect("the store answers"), 0);

    let after = make.find(&first.head).await;
    assert!(after.as_ref().is_some_and(|key| key.head.standing(make.now()).is_err()));
    if alive == 2 {
        assert_eq!(after, before, "what was revoked before keeps its time and reason");
    }
    assert_eq!(make.find(&stranger.head).await, Some(stranger));
}

/// After a rotation the successor is accepted, and the predecessor until the end of its grace and never for longer than
/// its own expiry.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotation_adds_the_successor_and_retires_the_predecessor<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "rotate");
    let store = make.store();
    let hour = Duration::from_hours(1);
    if !store.abilities().expiry {
        let old = make.stored().await;
        let rotation = make.rotation(old.clone(), Duration::ZERO);
        store.rotate(&rotation).await.expect("a live key can be rotated");
        assert_eq!(make.find(&old.head).await, None, "the old key is dead at once");
        assert_eq!(make.find(&rotation.successor.head).await, Some(rotation.successor));
        return;
    }
    let soon = make.now().saturating_add(hour / 2);
    let late = make.now().saturating_add(hour * 48);
    for own_expiry in [None, Some(late), Some(soon)] {
        let old = make.key_with(&make.owner().await, own_expiry, make.details());
        store.insert(&old).await.expect("a new key can be inserted");
        let rotation = make.rotation(old.clone(), hour);
        let grace_end = rotation.at.saturating_add(hour);
        store.rotate(&rotation).await.expect("a live key can be rotated");

        let retired = make.find(&old.head).await.expect("the predecessor is still found");
        let retired_at = retired.head.expires_at.expect("the predecessor has an end now");
        let promised = own_expiry.map_or(grace_end, |own| own.min(grace_end));
        if store.abilities().rotation_memory {
            assert_eq!(retired_at, promised);
            let again = make.rotation(retired, hour / 4);
            assert!(matches!(store.rotate(&again).await, Err(StoreError::Conflict)), "a key is rotated once");
            assert_eq!(make.find(&again.successor.head).await, None);
        } else {
            // Such a store needs a moment to tell that it has been here: a moment less, never more.
            let least = promised.saturating_sub(Duration::from_millis(1));
            assert!((least..=promised).contains(&retired_at), "{retired_at} instead of {promised}");
        }
        assert_eq!(make.find(&rotation.successor.head).await, Some(rotation.successor));
    }
}

/// A rotation that cannot happen changes nothing: of a key that is dead, that changed, or whose successor is taken.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotation_happens_whole_or_not_at_all<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "whole");
    let store = make.store();

    let revoked = make.stored().await;
    let rotation = make.rotation(revoked.clone(), Duration::ZERO);
    let request = make.revocation(&revoked, None);
    store.revoke(&request).await.expect("the store answers");
    assert!(matches!(store.rotate(&rotation).await, Err(StoreError::Conflict)), "the key was revoked meanwhile");
    assert_eq!(make.find(&rotation.successor.head).await, None);

    let rotated = make.stored().await;
    let first = make.rotation(rotated.clone(), Duration::from_mins(1));
    let second = make.rotation(rotated, Duration::from_mins(1));
    store.rotate(&first).await.expect("a live key can be rotated");
    assert!(matches!(store.rotate(&second).await, Err(StoreError::Conflict)), "the key was rotated meanwhile");
    assert_eq!(make.find(&second.successor.head).await, None);

    let taken = make.stored().await;
    let old = make.stored().await;
    let mut rotation = make.rotation(old.clone(), Duration::from_mins(1));
    rotation.successor.head.digest = taken.head.digest;
    rotation.successor.head.prefix = taken.head.prefix.clone();
    assert!(matches!(store.rotate(&rotation).await, Err(StoreError::Conflict)), "the successor's digest is taken");
    assert_eq!(make.find(&old.head).await, Some(old), "the predecessor stays as it was");
    assert_eq!(make.find(&taken.head).await, Some(taken));
}

/// Last use moves forward and never back, for several keys in one call.
///
/// # Panics
/// When the store breaks this promise.
pub async fn last_use_moves_forward_only<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "touch");
    let store = make.store();
    let keys = [make.stored().await, make.stored().await];
    let (early, late) = (make.now(), make.now());
    let uses = |at| {
        keys.iter()
            .map(|key| KeyUse {
                id: key.head.id.clone(),
                digest: key.head.digest.expect("the suite's keys have digests"),
                at,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(store.touch(&uses(late)).await.expect("the store answers"), 2);
    assert_eq!(store.touch(&uses(early)).await.expect("the store answers"), 0, "never back");
    assert_eq!(store.touch(&uses(late)).await.expect("the store answers"), 0, "not again");
    for key in keys {
        let found = make.find(&key.head).await.expect("the key is found");
        assert_eq!(found.head.last_used_at, Some(late));
    }
}
