//! What is read is what was written, absence is an answer, and so is inability.

use std::time::Duration;

use crate::key::{IdScheme, KeyDigest, KeyId, OwnerId, Schema};
use crate::store::conformance::maker::use_of;
use crate::store::conformance::{Maker, Subject};
use crate::store::{
    KeyFilter, KeyLookup, KeyState, ListRequest, PurgeRequest, RevokeAllRequest, RevokeRequest, StoreError, Touched,
};
use crate::time::Timestamp;

/// A stored key is found by its lookup and by its identity, with everything that was known of it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_inserted_is_found<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_was_inserted_is_found");
    for details in subject.details() {
        let expires_at = make.abilities().expiry.then(|| "2199-12-31T23:59:59.999999Z".parse().ok()).flatten();
        let key = make.key_with(&make.owner().await, expires_at, details);
        make.insert(&key).await;
        make.stands(&key, "a key is found as it was inserted").await;
    }
}

/// Whatever its state, a key is found and listed: a lookup compares neither the expiry with a clock of its own nor the
/// status with anything. Whether a key is accepted is decided elsewhere, once for all stores.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_lookup_filters_nothing<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_lookup_filters_nothing");
    let abilities = make.abilities();
    let mut keys = Vec::new();
    if abilities.expiry {
        // In the past of every clock, and in the future of every clock.
        for start in [1_270_000_000_123_456, 7_000_000_000_123_456].map(Timestamp::from_micros) {
            let mut key = make.key(&make.owner().await);
            key.head.created_at = Some(start);
            key.head.expires_at = Some(start.saturating_add(Duration::from_hours(1)));
            make.insert(&key).await;
            keys.push((key, "expired"));
        }
    }
    let revoked = make.stored().await;
    make.revoke(&make.revocation(&revoked)).await;
    keys.push((revoked, "revoked"));
    if abilities.changes {
        let disabled = make.stored().await;
        make.make_change(&make.disabling(&disabled)).await;
        keys.push((disabled, "switched off"));
    }
    for (key, state) in keys {
        make.check(make.find(&key.head).await.is_some(), format_args!("a key that is {state} is found by its digest"));
        make.check(
            make.get(&key.head.id).await.is_some(),
            format_args!("a key that is {state} is found by its identity"),
        );
        let request = ListRequest::new(KeyFilter::new().of(key.head.owner.clone()), 10, make.now());
        let listed = make.answer(make.store().list(&request).await, "an owner's keys are listed");
        let listed: Vec<_> = listed.into_iter().map(|key| key.head.id).collect();
        make.same(&listed, &vec![key.head.id], format_args!("a key that is {state} is listed"));
    }
}

/// What does not exist is `None`, an empty list, an outcome or nothing written; never an error.
///
/// # Panics
/// When the store breaks this promise.
pub async fn absence_is_an_answer<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "absence_is_an_answer");
    let store = make.store();
    let owner = make.owner().await;
    let nobody = OwnerId::new("did:example:nobody").expect("the name is sound");
    let key = make.key(&owner);

    make.absent(&key.head, "a key that was not inserted is not found").await;
    let digest = KeyDigest::of("nobody's key");
    let found = store.find(KeyLookup::new(&digest, key.head.prefix.as_str())).await;
    let found = make.answer(found, "a lookup that finds nothing is no error");
    make.check(found.iter().all(|other| other.head.digest != Some(digest)), "no key has a digest that nobody issued");

    let odd_ids = ["nobody", "00000000-0000-0000-0000-000000000000", "%", "'; --", key.head.id.as_str()];
    for id in odd_ids.map(|id| KeyId::new(id).expect("the identity is sound")) {
        make.check(make.get(&id).await.is_none(), format_args!("there is no key with the identity {id}"));
        let revoked = store.revoke(&RevokeRequest::new(id.clone(), make.now())).await;
        let revoked = make.answer(revoked, "revoking a key that is not there is no error");
        make.check(revoked.is_none(), format_args!("no key with the identity {id} is revoked"));
        if make.abilities().changes {
            let history = make.answer(store.history(&id).await, "the history of a key that is not there is no error");
            make.same(&history, &Vec::new(), format_args!("no key with the identity {id} has a history"));
        }
    }
    for owner in [&owner, &nobody] {
        let request = ListRequest::new(KeyFilter::new().of(owner.clone()), 10, make.now());
        let listed = make.answer(store.list(&request).await, "an empty list is no error");
        make.same(&listed, &Vec::new(), "an owner without keys has none");
        if make.abilities().search {
            let count = make.answer(store.count(&request).await, "a count of nothing is no error");
            make.same(&count, &0, "an owner without keys has none");
        }
        let revoked = store.revoke_all(&RevokeAllRequest::new(owner.clone(), make.now())).await;
        let revoked = make.answer(revoked, "revoking all of no keys is no error");
        make.same(&(&revoked.owner, revoked.count), &(owner, 0), "no key of an owner without keys is revoked");
    }
    let touched = make.answer(store.touch(&[use_of(&key, make.now())]).await, "the use of an unknown key is no error");
    make.same(&touched, &Touched::written(0), "the use of an unknown key is not written");
    let touched = make.answer(store.touch(&[]).await, "no use is no error");
    make.same(&touched, &Touched::written(0), "no use is not written");
}

/// An owner that was added exists, and one that does not exist has no keys.
///
/// # Panics
/// When the store breaks this promise.
pub async fn an_owner_that_was_added_exists<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "an_owner_that_was_added_exists");
    let store = make.store();
    let exists = async |owner: &OwnerId| make.answer(store.owner_exists(owner).await, "owners are looked up");

    let owner = make.owner().await;
    make.check(exists(&owner).await, "an owner that was added exists before its first key");
    make.insert(&make.key(&owner)).await;
    make.check(exists(&owner).await, "an owner that was added exists with a key");

    let nobody = OwnerId::new("did:example:nobody").expect("the name is sound");
    if !exists(&nobody).await {
        let key = make.key(&nobody);
        let refused = matches!(store.insert(&key).await, Err(StoreError::Missing(_)));
        make.check(refused, "an owner that does not exist is reported as missing");
        make.absent(&key.head, "an owner that does not exist has no keys").await;
    }
}

/// What a store cannot do, by its own abilities, it refuses, and changes nothing. What it can do agrees with the schema.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_a_store_cannot_do_it_refuses<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_a_store_cannot_do_it_refuses");
    let (store, abilities) = (make.store(), make.abilities());
    make.check(S::Schema::VERSIONED || !abilities.changes, "only keys whose versions are counted can be changed");
    let has_own_id = !matches!(S::Schema::ID_SCHEME, IdScheme::Owner);
    make.check(has_own_id || !abilities.several_keys_per_owner, "an owner has one key where its identity is the key's");

    let key = make.stored().await;
    if !abilities.changes {
        make.unsupported(store.change(&make.change(&key)).await, "a change is refused");
        make.unsupported(store.change(&make.disabling(&key)).await, "switching a key off is refused");
        make.unsupported(store.history(&key.head.id).await, "there is no history, not even an empty one");
    }
    if !abilities.search {
        let of_owner = KeyFilter::new().of(key.head.owner.clone());
        let further = [
            KeyFilter::new(),
            of_owner.clone().in_state(KeyState::Active),
            of_owner.clone().unused_since(make.now()),
            of_owner.expiring_before(make.now()),
        ];
        for filter in further {
            let request = ListRequest::new(filter, 10, make.now());
            make.unsupported(store.list(&request).await, "a list is refused rather than filtered by less");
            make.unsupported(store.count(&request).await, "a count is refused rather than filtered by less");
        }
    }
    if !abilities.purge {
        make.unsupported(store.purge(&PurgeRequest::new(Timestamp::MIN, 1)).await, "a purge is refused");
    }
    make.stands(&key, "what was refused changed nothing").await;
}
