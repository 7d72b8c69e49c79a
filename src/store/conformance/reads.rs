//! What is read is what was written, and absence is an answer.

use crate::key::{KeyDigest, KeyId, OwnerId, Profile as _};
use crate::store::conformance::{Maker, Subject};
use crate::store::{KeyLookup, KeyUse, PageRequest, RevokeOutcome, RevokeRequest, StoreError};

/// A stored key is found by its lookup and by its identity, with everything that was known of it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_inserted_is_found<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "found");
    for details in subject.details() {
        let expires_at = make.store().abilities().expiry.then(|| "2199-12-31T23:59:59.999999Z".parse().ok()).flatten();
        let key = make.key_with(&make.owner().await, expires_at, details);
        make.store().insert(&key).await.expect("a new key can be inserted");

        assert_eq!(make.find(&key.head).await.as_ref(), Some(&key), "found by its lookup");
        assert_eq!(make.store().get(&key.head.id).await.expect("the store answers"), Some(key), "found by identity");
    }
}

/// What does not exist is `None`, an empty list, an outcome or nothing written; never an error.
///
/// # Panics
/// When the store breaks this promise.
pub async fn absence_is_an_answer<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "absence");
    let store = make.store();
    let owner = make.owner().await;
    let key = make.key(&owner);
    let odd_ids = ["nobody", "00000000-0000-0000-0000-000000000000", "%", "'; --"];

    assert_eq!(make.find(&key.head).await, None);
    let digest = KeyDigest::of("nobody's key");
    let found = store.find(KeyLookup { digest: &digest, prefix: key.head.prefix.as_str() }).await;
    assert!(found.expect("the store answers").iter().all(|other| other.head.digest != Some(digest)));
    for id in odd_ids {
        let id = KeyId::new(id).expect("the identity is sound");
        assert_eq!(store.get(&id).await.expect("the store answers"), None, "{id}");
        let request = RevokeRequest { id: id.clone(), digest: None, at: make.now(), reason: None };
        assert_eq!(store.revoke(&request).await.expect("the store answers"), RevokeOutcome::NotFound, "{id}");
    }
    assert_eq!(store.get(&key.head.id).await.expect("the store answers"), None);
    let page = PageRequest { owner: owner.clone(), limit: 10, after: None };
    assert_eq!(store.list(&page).await.expect("the store answers"), []);
    assert_eq!(store.revoke_all(&owner, make.now(), None).await.expect("the store answers"), 0);
    let nobody = OwnerId::new("did:example:nobody").expect("the name is sound");
    assert_eq!(store.revoke_all(&nobody, make.now(), None).await.expect("the store answers"), 0);
    let unknown = KeyUse { id: key.head.id.clone(), digest, at: make.now() };
    assert_eq!(store.touch(&[unknown]).await.expect("an unknown key is no error"), 0);
    assert_eq!(store.touch(&[]).await.expect("nothing to do is no error"), 0);
}

/// Lists are newest first, dead keys included; pages neither overlap nor skip, also among keys of one instant.
///
/// # Panics
/// When the store breaks this promise.
pub async fn keys_are_listed_newest_first_in_pages<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "list");
    let store = make.store();
    let stranger = make.stored().await;
    if !store.abilities().several_keys_per_owner {
        let key = make.stored().await;
        let page = PageRequest { owner: key.head.owner.clone(), limit: 10, after: None };
        assert_eq!(store.list(&page).await.expect("the store answers"), [key]);
        return;
    }
    let owner = make.owner().await;
    let mut keys = Vec::new();
    for number in 0..7 {
        let mut key = make.key(&owner);
        if number % 2 == 1 {
            key.head.created_at = keys.last().and_then(|last: &super::RecordOf<S>| last.head.created_at);
        }
        store.insert(&key).await.expect("a new key can be inserted");
        keys.push(key);
    }
    let dead = make.revocation(&keys[2], None);
    store.revoke(&dead).await.expect("the store answers");

    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest { owner: owner.clone(), limit: 2, after };
        let found = store.list(&page).await.expect("the store answers");
        assert!(found.len() <= 2, "a page has no more keys than asked for");
        let Some(last) = found.last() else { break };
        after = Some(last.head.id.clone());
        listed.extend(found);
    }
    let mut ids: Vec<_> = listed.iter().map(|key| key.head.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((listed.len(), ids.len()), (keys.len(), keys.len()), "every key is on exactly one page");
    assert!(listed.windows(2).all(|pair| pair[0].head.created_at >= pair[1].head.created_at), "newest first");

    for foreign in [stranger.head.id, KeyId::new("nobody").expect("the identity is sound")] {
        let page = PageRequest { owner: owner.clone(), limit: 2, after: Some(foreign) };
        let refused = store.list(&page).await;
        assert!(matches!(refused, Err(StoreError::UnknownCursor)), "a page starts behind a key of its owner");
    }
}

/// The start of an identity or of a display prefix finds the owner's keys letter for letter; no character of it is a
/// wildcard.
///
/// # Panics
/// When the store breaks this promise.
pub async fn the_start_of_an_identity_or_prefix_finds_keys<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "start");
    let store = make.store();
    let stranger = make.stored().await;
    let key = make.stored().await;
    let owner = &key.head.owner;
    let found = async |start: &str, limit| store.starting_with(owner, start, limit).await.expect("the store answers");

    for whole in [key.head.id.as_str(), key.head.prefix.as_str()] {
        for start in [whole, &whole[..whole.len() - 1]] {
            assert!(found(start, 2).await.contains(&key), "{start}");
        }
        let wildcards = [format!("{whole}%"), whole.replace(|character: char| character.is_ascii_alphanumeric(), "_")];
        for start in wildcards.iter().map(String::as_str).chain(["%", "\\", "\\%", "_%"]) {
            assert_eq!(found(start, 2).await, [], "{start}");
        }
    }
    assert_eq!(found(stranger.head.id.as_str(), 2).await, [], "another owner's key");
    if store.abilities().several_keys_per_owner {
        for _ in 0..3 {
            store.insert(&make.key(owner)).await.expect("a new key can be inserted");
        }
        assert_eq!(found(S::Profile::FORMAT.prefix(), 2).await.len(), 2, "no more than asked for");
    }
}

/// An owner that was added exists.
///
/// # Panics
/// When the store breaks this promise.
pub async fn an_owner_that_was_added_exists<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "owner");
    let owner = make.owner().await;
    assert!(make.store().owner_exists(&owner).await.expect("the store answers"));
    make.store().insert(&make.key(&owner)).await.expect("an owner that exists can have a key");
    assert!(make.store().owner_exists(&owner).await.expect("the store answers"));

    let nobody = OwnerId::new("did:example:nobody").expect("the name is sound");
    if !make.store().owner_exists(&nobody).await.expect("the store answers") {
        let refused = make.store().insert(&make.key(&nobody)).await;
        assert!(matches!(refused, Err(StoreError::Missing(_))), "an owner that does not exist has no keys");
        assert_eq!(make.find(&make.key(&nobody).head).await, None);
    }
}
