//! How many keys a page has, and how many there are.

use std::time::Duration;

use crate::store::conformance::{Maker, Record, Subject};
use crate::store::{KeyFilter, KeyState, ListRequest, PurgeRequest};
use crate::time::Timestamp;

/// A limit of zero is an empty page, and a limit beyond all bounds is all keys; neither is an error.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_page_has_as_many_keys_as_its_limit_allows<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_page_has_as_many_keys_as_its_limit_allows");
    let key = make.stored().await;
    let mut expected = vec![key.head.id.clone()];
    if make.abilities().several_keys_per_owner {
        for _ in 0..2 {
            let key = make.key(&key.head.owner);
            make.insert(&key).await;
            expected.insert(0, key.head.id);
        }
    }
    for limit in [0, 1, 2, 3, u32::MAX] {
        let request = ListRequest::new(KeyFilter::new().of(key.head.owner.clone()), limit, make.now());
        let page = make.answer(make.store().list(&request).await, format_args!("a limit of {limit} is no error"));
        let page: Vec<_> = page.into_iter().map(|key| key.head.id).collect();
        let most = usize::try_from(limit).unwrap_or(usize::MAX).min(expected.len());
        make.same(&page, &expected[..most].to_vec(), format_args!("a limit of {limit} is the newest {most} keys"));
    }
    if make.abilities().purge {
        for limit in [0, u32::MAX] {
            let purged = make.store().purge(&PurgeRequest::new(Timestamp::MIN, limit)).await;
            let purged = make.answer(purged, format_args!("a purge with a limit of {limit} is no error"));
            make.same(&purged, &0, "no key has been dead since the beginning of time");
        }
    }
}

/// A count says how many keys meet a filter, whatever the limit and the cursor of the request, dead ones included.
///
/// # Panics
/// When the store breaks this promise.
pub async fn as_many_keys_are_counted_as_listed<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "as_many_keys_are_counted_as_listed");
    let abilities = make.abilities();
    if !abilities.search || !abilities.several_keys_per_owner {
        return;
    }
    let owner = make.owner().await;
    let mut keys: Vec<Record<S>> = Vec::new();
    for number in 0..5 {
        let expires_at = (abilities.expiry && number == 3).then(|| make.now().saturating_add(Duration::from_mins(1)));
        let key = make.key_with(&owner, expires_at, make.details());
        make.insert(&key).await;
        keys.push(key);
    }
    make.revoke(&make.revocation(&keys[1])).await;
    let at = make.now().saturating_add(Duration::from_hours(1));
    let of_owner = KeyFilter::new().of(owner);
    let states = [KeyState::Active, KeyState::Disabled, KeyState::Expired, KeyState::Revoked];
    let filters = states.map(|state| of_owner.clone().in_state(state)).into_iter().chain([
        of_owner.clone(),
        of_owner.clone().unused_since(at),
        of_owner.clone().expiring_before(at),
        of_owner.clone().starting_with(keys[2].head.id.as_str()),
    ]);
    for filter in filters {
        let listed = make.store().list(&ListRequest::new(filter.clone(), 100, at)).await;
        let listed = make.answer(listed, "keys are listed by a filter").len() as u64;
        for after in [None, Some(keys[0].head.id.clone())] {
            let request = ListRequest::new(filter.clone(), 1, at).after(after);
            let counted = make.answer(make.store().count(&request).await, "keys are counted by a filter");
            make.same(&counted, &listed, format_args!("as many keys are counted as listed by {filter:?}"));
        }
    }
}
