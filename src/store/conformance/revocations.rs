//! Revocations are final, and hit the key that was meant.

use crate::key::{KeyDigest, OwnerId, Reason, Revocation, Status};
use crate::store::conformance::maker::{digest, use_of};
use crate::store::conformance::{Maker, Subject};
use crate::store::{RevokeAllRequest, Touched};

/// A second revocation changes nothing and reports the first.
///
/// # Panics
/// When the store breaks this promise.
pub async fn revoking_again_keeps_the_first_time_and_reason<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "revoking_again_keeps_the_first_time_and_reason");
    let (store, abilities) = (make.store(), make.abilities());
    let key = make.stored().await;
    let first = make.revocation(&key);
    let again = make.revocation(&key).seen(key.head.digest).of(key.head.owner.clone());

    let revoked = make.answer(store.revoke(&first).await, "a key can be revoked");
    let by_this_call = revoked.is_some_and(|revoked| revoked.id == key.head.id && !revoked.already);
    make.check(by_this_call, "the first revocation says that it revoked the key");
    let kept = Revocation::new(
        abilities.revocation_time.then_some(first.at),
        first.reason.clone().filter(|_| abilities.revocation_reason),
    );
    for _ in 0..2 {
        let revoked = make.answer(store.revoke(&again).await, "revoking again is no error");
        let revoked = revoked.map(|revoked| (revoked.already, revoked.revocation));
        make.same(&revoked, &Some((true, kept.clone())), "a further revocation reports the first");
    }
    make.refused(&key.head, "a revoked key is found and not accepted").await;
    if abilities.revocation_time {
        let status = make.get(&key.head.id).await.map(|key| key.head.status);
        make.same(&status, &Some(Status::Revoked(kept)), "a revoked key keeps its first time and reason");
    }
}

/// A reason is kept or refused, never silently lost.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_store_without_room_for_a_reason_refuses_it<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_store_without_room_for_a_reason_refuses_it");
    let store = make.store();
    if make.abilities().revocation_reason {
        return;
    }
    let key = make.stored().await;
    let reason = Reason::new("leaked").ok();
    let one = make.revocation(&key).because(reason.clone());
    make.unsupported(store.revoke(&one).await, "a reason that cannot be kept is refused");
    let all = RevokeAllRequest::new(key.head.owner.clone(), make.now()).because(reason);
    make.unsupported(store.revoke_all(&all).await, "a reason that cannot be kept is refused for all keys");
    make.stands(&key, "a revocation that was refused revokes nothing").await;
}

/// A request that names a digest touches only the key that has it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_key_with_another_digest_is_not_touched_or_revoked<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_key_with_another_digest_is_not_touched_or_revoked");
    let store = make.store();
    let key = make.stored().await;
    let mut near = *digest(&key.head).as_bytes();
    near[31] ^= 1;
    for other in [digest(&make.key(&key.head.owner).head), KeyDigest::from_bytes(near)] {
        let revoked = store.revoke(&make.revocation(&key).seen(Some(other))).await;
        let revoked = make.answer(revoked, "a key that is not the one that was seen is no error");
        make.same(&revoked, &None, "a key with another digest is not the one that was seen");
        let mut used = use_of(&key, make.now());
        used.digest = other;
        let touched = make.answer(store.touch(&[used]).await, "the use of a key that is gone is no error");
        make.same(&touched, &Touched::written(0), "the use of a key that is gone is not written for its successor");
    }
    make.stands(&key, "a key with another digest stays as it is").await;
}

/// A revocation that names an owner does not find the keys of others.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_key_of_another_owner_is_not_revoked<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_key_of_another_owner_is_not_revoked");
    let store = make.store();
    let key = make.stored().await;
    let stranger = make.stored().await.head.owner;
    let nobody = OwnerId::new("did:example:nobody").expect("the name is sound");
    for owner in [stranger, nobody] {
        for digest in [None, key.head.digest] {
            let request = make.revocation(&key).of(owner.clone()).seen(digest);
            let revoked = make.answer(store.revoke(&request).await, "a key of another owner is no error");
            make.same(&revoked, &None, "a key of another owner is not found");
        }
    }
    make.stands(&key, "a key of another owner stays as it is").await;

    make.revoke(&make.revocation(&key).of(key.head.owner.clone())).await;
    make.refused(&key.head, "a key of the owner is revoked").await;
    let request = make.revocation(&key).of(make.owner().await);
    let revoked = make.answer(store.revoke(&request).await, "a revoked key of another owner is no error");
    make.same(&revoked, &None, "a revoked key of another owner is not found either");
}

/// Revoking all keys of an owner counts those that were not revoked and leaves other owners alone.
///
/// # Panics
/// When the store breaks this promise.
pub async fn revoking_all_keys_of_an_owner_leaves_others_alone<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "revoking_all_keys_of_an_owner_leaves_others_alone");
    let (store, abilities) = (make.store(), make.abilities());
    let stranger = make.stored().await;
    let first = make.stored().await;
    let owner = &first.head.owner;
    let mut due = vec![first.clone()];
    if abilities.several_keys_per_owner {
        make.revoke(&make.revocation(&first)).await;
        due = vec![make.key(owner), make.key(owner)];
        for key in &due {
            make.insert(key).await;
        }
    }
    if abilities.changes {
        // A key that is switched off can be switched on again, so that it has to be revoked too.
        make.make_change(&make.disabling(&due[0])).await;
    }
    let before = make.get(&first.head.id).await;
    let count = due.len() as u64;
    for promised in [count, 0] {
        let request = RevokeAllRequest::new(owner.clone(), make.now()).because(make.reason()).by(make.actor());
        let revoked = make.answer(store.revoke_all(&request).await, "all keys of an owner can be revoked");
        make.same(&revoked.count, &promised, "the keys that were not revoked before are counted");
        make.same(&revoked.owner, owner, "the owner is named whose keys were revoked");
        for key in &due {
            let found = make.get(&key.head.id).await;
            make.check(found.is_some_and(|key| key.head.standing(request.at).is_err()), "every key is revoked");
        }
    }
    if !due.contains(&first) {
        let after = make.get(&first.head.id).await;
        make.same(&after, &before, "a key that was revoked before keeps its time and reason");
    }
    make.stands(&stranger, "keys of others stay as they are").await;
}
