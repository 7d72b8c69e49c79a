//! Identities and owners are compared letter for letter.

use crate::key::{IdScheme, KeyId, OwnerId, Schema};
use crate::store::conformance::lists::{pages, swapped_case};
use crate::store::conformance::maker::use_of;
use crate::store::conformance::{Maker, Subject};
use crate::store::{KeyFilter, ListRequest, RevokeAllRequest, RevokeRequest, StoreError, Touched};

/// A key is reached by its identity alone, and not by one that differs in the case of its letters, which may be the
/// identity of another key.
///
/// # Panics
/// When the store breaks this promise.
pub async fn identities_are_compared_exactly<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "identities_are_compared_exactly");
    let store = make.store();
    let key = make.stored().await;
    let other = swapped_case(key.head.id.as_str());
    let other = KeyId::new(other).expect("the identity is sound");
    if other == key.head.id {
        return;
    }
    make.same(&make.get(&other).await, &None, format_args!("{other} is not the key {}", key.head.id));
    let revoked = store.revoke(&RevokeRequest::new(other.clone(), make.now()).because(make.reason())).await;
    let revoked = make.answer(revoked, "revoking a key that is not there is no error");
    make.same(&revoked, &None, "a revocation does not reach the key whose identity has other letters");
    let mut used = use_of(&key, make.now());
    used.id = other.clone();
    let touched = make.answer(store.touch(&[used]).await, "the use of an unknown key is no error");
    make.same(&touched, &Touched::written(0), "a use is not written to the key whose identity has other letters");
    let mut rotation = make.rotation(key.clone(), make.grace());
    rotation.predecessor.id = other.clone();
    if matches!(S::Schema::ID_SCHEME, IdScheme::Owner) {
        // The successor takes the predecessor's identity, which is the owner's name.
        rotation.successor.head.id = other.clone();
        rotation.successor.head.owner = OwnerId::from_stored(other.as_str());
    }
    let rotated = store.rotate(&rotation).await;
    let is_refused = matches!(rotated, Err(StoreError::Conflict | StoreError::Missing(_)));
    make.check(is_refused, "a rotation does not reach the key whose identity has other letters");
    let of_owner = KeyFilter::new().of(key.head.owner.clone());
    let behind = ListRequest::new(of_owner, 2, make.now()).after(Some(other.clone()));
    let is_unknown = matches!(store.list(&behind).await, Err(StoreError::UnknownCursor));
    make.check(is_unknown, "a cursor does not reach the key whose identity has other letters");
    make.stands(&key, "the key stays as it is").await;

    // Where identities are any text, both keys can be there.
    if matches!(S::Schema::ID_SCHEME, IdScheme::Alphanumeric) {
        let mut twin = make.key(&make.owner_beside(&key).await);
        twin.head.id = other;
        make.insert(&twin).await;
        make.revoke(&make.revocation(&twin)).await;
        make.refused(&twin.head, "the key that was named is revoked").await;
        make.stands(&key, "the key whose identity has other letters is not revoked with it").await;
    }
}

/// An owner's keys are reached by its name alone, and not by one that differs in the case of its letters.
///
/// # Panics
/// When the store breaks this promise.
pub async fn owners_are_compared_exactly<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "owners_are_compared_exactly");
    let store = make.store();
    let key = make.stored().await;
    let other = OwnerId::new(swapped_case(key.head.owner.as_str())).expect("the name is sound");
    let listed = pages(&make, &KeyFilter::new().of(other.clone())).await;
    make.same(&listed, &Vec::new(), format_args!("{other} has no keys of {}", key.head.owner));
    let revoked = store.revoke(&make.revocation(&key).of(other.clone())).await;
    let revoked = make.answer(revoked, "a key of another owner is no error");
    make.same(&revoked, &None, "a revocation does not reach the key of the owner whose name has other letters");
    let all = RevokeAllRequest::new(other, make.now()).because(make.reason()).by(make.actor());
    let revoked = make.answer(store.revoke_all(&all).await, "revoking all of no keys is no error");
    make.same(&revoked.count, &0, "no key of the owner whose name has other letters is revoked");
    make.stands(&key, "the key stays as it is").await;
}
