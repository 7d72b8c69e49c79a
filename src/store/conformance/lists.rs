//! Lists of an owner's keys, which every store has.

use std::collections::HashSet;

use crate::key::{KeyId, OwnerId, Schema as _};
use crate::store::conformance::{Maker, Record, Subject};
use crate::store::{KeyFilter, ListRequest, StoreError};

/// Lists are newest first, dead keys included; pages neither overlap nor skip, also among keys of one instant.
///
/// # Panics
/// When the store breaks this promise.
pub async fn keys_are_listed_newest_first_in_pages<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "keys_are_listed_newest_first_in_pages");
    let store = make.store();
    let stranger = make.stored().await;
    if !make.abilities().several_keys_per_owner {
        let key = make.stored().await;
        let listed = pages(&make, &KeyFilter::new().of(key.head.owner.clone())).await;
        make.same(&listed, &vec![key], "an owner's only key is listed as it was inserted");
        return;
    }
    let owner = make.owner().await;
    let mut keys: Vec<Record<S>> = Vec::new();
    for number in 0..7 {
        let mut key = make.key(&owner);
        if number % 2 == 1 {
            key.head.created_at = keys.last().and_then(|last| last.head.created_at);
        }
        make.insert(&key).await;
        keys.push(key);
    }
    make.revoke(&make.revocation(&keys[2])).await;

    let of_owner = KeyFilter::new().of(owner);
    let listed = pages(&make, &of_owner).await;
    for key in &keys {
        let on_pages = listed.iter().filter(|other| other.head.id == key.head.id).count();
        make.same(&on_pages, &1, "every key of the owner, dead or alive, is on exactly one page");
        make.check(
            key.head.id == keys[2].head.id || listed.contains(key),
            "a key is listed with everything that was known of it",
        );
    }
    make.same(&listed.len(), &keys.len(), "keys of others are not listed");
    let newest_first = listed.windows(2).all(|pair| pair[0].head.created_at >= pair[1].head.created_at);
    make.check(newest_first, "keys are listed newest first");

    for foreign in [stranger.head.id, KeyId::new("nobody").expect("the identity is sound")] {
        let request = ListRequest::new(of_owner.clone(), 2, make.now()).after(Some(foreign));
        let refused = matches!(store.list(&request).await, Err(StoreError::UnknownCursor));
        make.check(refused, "a page starts behind a key of its owner, and behind no other");
    }
}

/// The start of an identity or of a display prefix finds the owner's keys letter for letter; no character of it is a
/// wildcard.
///
/// # Panics
/// When the store breaks this promise.
pub async fn the_start_of_an_identity_or_prefix_finds_keys<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "the_start_of_an_identity_or_prefix_finds_keys");
    let stranger = make.stored().await;
    let key = make.stored().await;
    let owner = &key.head.owner;

    for whole in [key.head.id.as_str(), key.head.prefix.as_str()] {
        for start in [whole, &whole[..whole.len() - 1]] {
            let found = starting_with(&make, owner, start).await;
            make.same(&found, &vec![key.clone()], format_args!("{start} finds the key that starts like this"));
        }
        let wildcards = [format!("{whole}%"), whole.replace(|character: char| character.is_ascii_alphanumeric(), "_")];
        for start in wildcards.iter().map(String::as_str).chain(["%", "\\", "\\%", "_%", &whole[1..]]) {
            let found = starting_with(&make, owner, start).await;
            make.same(&found, &Vec::new(), format_args!("{start} is no start, and no character of it is a wildcard"));
        }
    }
    let found = starting_with(&make, owner, stranger.head.id.as_str()).await;
    make.same(&found, &Vec::new(), "keys of others are not found");

    if make.abilities().several_keys_per_owner {
        for _ in 0..4 {
            make.insert(&make.key(owner)).await;
        }
        let found = starting_with(&make, owner, make.store().schema().formats().issued().prefix().as_str()).await;
        make.same(&found.len(), &5, "every key that starts like this is on exactly one page");
        let newest_first = found.windows(2).all(|pair| pair[0].head.created_at > pair[1].head.created_at);
        make.check(newest_first, "keys that start like this are listed newest first");
    }
}

/// The start of an identity or of a display prefix finds no key whose letters are of the other case.
///
/// # Panics
/// When the store breaks this promise.
pub async fn the_start_is_compared_letter_for_letter<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "the_start_is_compared_letter_for_letter");
    let key = make.stored().await;
    for whole in [key.head.id.as_str(), key.head.prefix.as_str()] {
        let other = swapped_case(whole);
        if other != whole && !key.head.id.as_str().starts_with(&other) && !key.head.prefix.as_str().starts_with(&other)
        {
            let found = starting_with(&make, &key.head.owner, &other).await;
            make.same(&found, &Vec::new(), format_args!("{other} does not find the key that starts like {whole}"));
        }
    }
}

/// Keys that are added under one owner are listed, found and counted under that owner and under no other.
///
/// # Panics
/// When the store breaks this promise.
pub async fn keys_of_one_owner_never_show_under_another<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "keys_of_one_owner_never_show_under_another");
    let keys_of_each = if make.abilities().several_keys_per_owner { 3 } else { 1 };
    let owners = [make.owner().await, make.owner().await];
    let mut keys: [Vec<Record<S>>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..keys_of_each {
        // In turns, so that the keys of both are mixed in every order that a store may have.
        for (owner, keys) in owners.iter().zip(&mut keys) {
            let key = make.key(owner);
            make.insert(&key).await;
            keys.insert(0, key);
        }
    }
    let start = make.store().schema().formats().issued().prefix().as_str();
    for (owner, keys) in owners.iter().zip(&keys) {
        let of_owner = KeyFilter::new().of(owner.clone());
        make.same(&pages(&make, &of_owner).await, keys, "an owner's keys, and no others, are listed under its name");
        let found = pages(&make, &of_owner.clone().starting_with(start)).await;
        make.same(&found, keys, "an owner's keys, and no others, are found by their start");
        if make.abilities().search {
            let request = ListRequest::new(of_owner, 1, make.now());
            let count = make.answer(make.store().count(&request).await, "an owner's keys are counted");
            make.same(&count, &(keys.len() as u64), "an owner's keys, and no others, are counted");
        }
    }
}

async fn starting_with<S: Subject>(make: &Maker<'_, S>, owner: &OwnerId, start: &str) -> Vec<Record<S>> {
    pages(make, &KeyFilter::new().of(owner.clone()).starting_with(start)).await
}

/// All keys that meet the filter, page by page.
pub(super) async fn pages<S: Subject>(make: &Maker<'_, S>, filter: &KeyFilter) -> Vec<Record<S>> {
    const LIMIT: u32 = 2;
    /// More than any store that is tested holds: what has no end by then invents keys.
    const MOST_PAGES: usize = 50_000;

    let mut listed: Vec<Record<S>> = Vec::new();
    let mut seen = HashSet::new();
    let mut after = None;
    for _ in 0..MOST_PAGES {
        let request = ListRequest::new(filter.clone(), LIMIT, make.now()).after(after);
        let page = make.answer(make.store().list(&request).await, "keys are listed in pages");
        make.check(page.len() <= 2, "a page has no more keys than asked for");
        let Some(last) = page.last() else { return listed };
        after = Some(last.head.id.clone());
        for key in page {
            // A store that does not move on behind the cursor would be asked without end.
            make.check(
                seen.insert(key.head.id.clone()),
                "a page starts behind the cursor, so that pages do not overlap",
            );
            listed.push(key);
        }
    }
    make.check(false, "pages come to an end");
    listed
}

/// The same text with small letters for capitals and the reverse.
pub(super) fn swapped_case(text: &str) -> String {
    let swap = |letter: char| {
        if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
    };
    text.chars().map(swap).collect()
}
