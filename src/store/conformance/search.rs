//! Lists and counts by more than the owner.

use std::time::Duration;

use crate::key::{Environment, KeyId, KeyName, Schema};
use crate::store::conformance::lists::pages;
use crate::store::conformance::maker::use_of;
use crate::store::conformance::{Maker, Record, Subject};
use crate::store::{KeyFilter, KeyState, ListRequest, StoreError};
use crate::time::Timestamp;

/// A key is in exactly one state at a time: in the one that a verification would find.
///
/// # Panics
/// When the store breaks this promise.
pub async fn keys_are_found_by_their_state<S: Subject>(subject: &S) {
    const STATES: [KeyState; 4] = [KeyState::Active, KeyState::Disabled, KeyState::Expired, KeyState::Revoked];

    let make = Maker::new(subject, "keys_are_found_by_their_state");
    let abilities = make.abilities();
    if !abilities.search {
        return;
    }
    let end = make.now().saturating_add(Duration::from_hours(1));
    let before_end = end.saturating_sub(Duration::from_micros(1));
    let mut keys = vec![(make.stored().await, end, KeyState::Active)];
    let revoked = make.stored().await;
    make.revoke(&make.revocation(&revoked)).await;
    keys.push((revoked, end, KeyState::Revoked));
    if abilities.expiry {
        let expiring = make.key_with(&make.owner().await, Some(end), make.details());
        make.insert(&expiring).await;
        keys.push((expiring.clone(), before_end, KeyState::Active));
        keys.push((expiring, end, KeyState::Expired));
    }
    if abilities.changes {
        let expires_at = abilities.expiry.then_some(end);
        let mut disabled = Vec::new();
        for _ in 0..2 {
            let key = make.key_with(&make.owner().await, expires_at, make.details());
            make.insert(&key).await;
            make.make_change(&make.disabling(&key)).await;
            disabled.push(key);
        }
        make.revoke(&make.revocation(&disabled[1])).await;
        keys.push((disabled[0].clone(), end, KeyState::Disabled));
        keys.push((disabled[1].clone(), end, KeyState::Revoked));
    }
    for (key, at, promised) in &keys {
        for state in STATES {
            let filter = KeyFilter::new().of(key.head.owner.clone()).in_state(state);
            let found = is_found(&make, key, filter, *at).await;
            let (asked, promised) = (state.as_str(), promised.as_str());
            make.same(&found, &(asked == promised), format_args!("the {promised} key, and no other, is {asked}"));
        }
    }
}

/// Names and environments are compared whole; a key has to meet every condition that is set.
///
/// # Panics
/// When the store breaks this promise.
pub async fn keys_are_found_by_name_and_environment<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "keys_are_found_by_name_and_environment");
    if !make.abilities().search {
        return;
    }
    for details in subject.details() {
        let key = make.key_with(&make.owner().await, None, details);
        make.insert(&key).await;
        let labels = S::Schema::labels(&key.details);
        let of_owner = || KeyFilter::new().of(key.head.owner.clone());
        let own = labels.name.and_then(|name| KeyName::new(name).ok());
        let text = own.as_ref().map_or("%", KeyName::as_str);
        let others = [format!("{text}%"), format!("{text}2"), "%".to_owned(), "_".to_owned(), text.to_uppercase()];
        for other in others.into_iter().filter(|other| Some(other.as_str()) != labels.name) {
            let Ok(other) = KeyName::new(other) else { continue };
            let found = is_found(&make, &key, of_owner().named(other.clone()), make.now()).await;
            make.check(!found, format_args!("the name {other} is not the key's name {text}"));
        }
        for environment in [Environment::LIVE, Environment::TEST] {
            let found = is_found(&make, &key, of_owner().in_environment(environment), make.now()).await;
            let promised = labels.environment == Some(environment);
            make.same(&found, &promised, format_args!("a key is found in its own environment, not in {environment}"));
        }
        let Some(own) = own else { continue };
        let named = of_owner().named(own);
        make.check(is_found(&make, &key, named.clone(), make.now()).await, "a key is found by its name");
        let revoked = named.in_state(KeyState::Revoked);
        make.check(!is_found(&make, &key, revoked, make.now()).await, "a key has to meet every condition");
    }
}

/// A key that expires at an instant does not expire before it, and one that was used at an instant is not unused since.
///
/// # Panics
/// When the store breaks this promise.
pub async fn keys_are_found_by_expiry_and_last_use<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "keys_are_found_by_expiry_and_last_use");
    let abilities = make.abilities();
    if !abilities.search {
        return;
    }
    let moment = Duration::from_micros(1);
    let mut key = make.stored().await;
    let of = |key: &Record<S>| KeyFilter::new().of(key.head.owner.clone());
    let found = is_found(&make, &key, of(&key).expiring_before(Timestamp::MAX), make.now()).await;
    make.check(!found, "a key without an expiry never expires");
    let found = is_found(&make, &key, of(&key).unused_since(make.now()), make.now()).await;
    make.check(found, "a key that was never used is unused since whenever");

    let used_at = make.now();
    make.answer(make.store().touch(&[use_of(&key, used_at)]).await, "a use is written");
    key.head.last_used_at = Some(used_at);
    for (since, promised) in [(used_at, false), (used_at.saturating_add(moment), true)] {
        let found = is_found(&make, &key, of(&key).unused_since(since), make.now()).await;
        make.same(&found, &promised, "a key is unused since an instant after its last use");
    }
    if abilities.expiry {
        let end = make.now().saturating_add(Duration::from_hours(1));
        let key = make.key_with(&make.owner().await, Some(end), make.details());
        make.insert(&key).await;
        for (before, promised) in [(end, false), (end.saturating_add(moment), true)] {
            let found = is_found(&make, &key, of(&key).expiring_before(before), make.now()).await;
            make.same(&found, &promised, "a key expires before an instant after its expiry");
        }
    }
}

/// Without an owner, keys of all owners are found, each on one page.
///
/// # Panics
/// When the store breaks this promise.
pub async fn keys_are_found_across_owners<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "keys_are_found_across_owners");
    if !make.abilities().search {
        return;
    }
    let keys = [make.stored().await, make.stored().await, make.stored().await];
    let listed = pages(&make, &KeyFilter::new()).await;
    for key in &keys {
        let on_pages = listed.iter().filter(|other| *other == key).count();
        make.same(&on_pages, &1, "a key of any owner is on exactly one page");
        let by_id = KeyFilter::new().starting_with(key.head.id.as_str());
        make.check(is_found(&make, key, by_id, make.now()).await, "a key is found by its identity alone");
    }
    let newest_first = listed.windows(2).all(|pair| pair[0].head.created_at >= pair[1].head.created_at);
    make.check(newest_first, "keys of all owners are listed newest first");

    let nobody = KeyId::new("nobody").expect("the identity is sound");
    let request = ListRequest::new(KeyFilter::new(), 2, make.now()).after(Some(nobody));
    let refused = matches!(make.store().list(&request).await, Err(StoreError::UnknownCursor));
    make.check(refused, "a page starts behind a key that is there");
}

/// Whoever changes the keys of each page before reading the next does not lose the place.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_page_continues_behind_a_key_that_no_longer_meets_the_filter<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_page_continues_behind_a_key_that_no_longer_meets_the_filter");
    let abilities = make.abilities();
    if !abilities.search || !abilities.several_keys_per_owner {
        return;
    }
    let owner = make.owner().await;
    for _ in 0..3 {
        make.insert(&make.key(&owner)).await;
    }
    let active = KeyFilter::new().of(owner).in_state(KeyState::Active);
    let mut seen = Vec::new();
    let mut after = None;
    for _ in 0..3 {
        let request = ListRequest::new(active.clone(), 1, make.now()).after(after);
        let page = make.answer(make.store().list(&request).await, "a page starts behind a key that was revoked since");
        for key in &page {
            make.revoke(&make.revocation(key)).await;
            make.check(!seen.contains(&key.head.id), "pages do not overlap");
            seen.push(key.head.id.clone());
        }
        after = page.last().map(|key| key.head.id.clone());
    }
    make.same(&seen.len(), &3, "every key is seen though each is revoked before the next page");
}

/// Whether the filter finds the key, which is the only one of its owner. The count says the same.
async fn is_found<S: Subject>(make: &Maker<'_, S>, key: &Record<S>, filter: KeyFilter, at: Timestamp) -> bool {
    let request = ListRequest::new(filter, 10, at);
    let listed = make.answer(make.store().list(&request).await, "keys are listed by a filter");
    let counted = make.answer(make.store().count(&request).await, "keys are counted by a filter");
    make.same(&counted, &(listed.len() as u64), "as many keys are counted as listed");
    let listed: Vec<_> = listed.iter().map(|key| &key.head.id).collect();
    make.check(listed.is_empty() || listed == [&key.head.id], "no other key is listed");
    !listed.is_empty()
}
