//! Lists and counts: by owner and across owners, by every condition, in pages that neither overlap nor skip.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use keyward::Keys;
use keyward::key::{Environment, KeyId, KeyName, OwnerId};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::store::faulty::{Call, Fault, FaultyStore};
use keyward::store::{KeyFilter, KeyState, MemoryKeyStore, StoreError};

use super::{Fixture, HOUR, acme, named, service, share};
use crate::support::{START, TestSchema as _, over};

over![every_store of Standard:
    a_filter_finds_exactly_the_keys_that_meet_it_and_the_count_agrees,
    keys_of_each_environment_are_found_apart,
    unused_keys_are_found_by_their_last_use,
    pages_of_250_keys_neither_overlap_nor_skip,
    a_page_behind_no_key_is_refused,
];

/// The names of the keys that a filter finds, in alphabetical order; the count has to be the same.
async fn found(keys: &Keys<Standard>, filter: KeyFilter) -> Vec<String> {
    let page = keys.list(filter.clone(), 1_000, None).await.unwrap();
    assert_eq!(keys.count(filter.clone()).await.unwrap(), page.keys.len() as u64, "{filter:?}");
    let mut names: Vec<_> = page.keys.iter().map(|key| key.details.name.as_str().to_owned()).collect();
    names.sort_unstable();
    names
}

fn name(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

fn after(hours: u32) -> keyward::Timestamp {
    START.saturating_add(hours * HOUR)
}

async fn a_filter_finds_exactly_the_keys_that_meet_it_and_the_count_agrees(fixture: Fixture) {
    let keys = &fixture.keys;
    keys.issue(named("active")).await.unwrap();
    keys.issue(named("long").expires_at(after(9))).await.unwrap();
    keys.issue(named("expired").expires_at(after(1))).await.unwrap();
    let disabled = keys.issue(named("disabled").expires_at(after(1))).await.unwrap();
    keys.disable(&disabled.record.head.id, None).await.unwrap();
    let revoked = keys.issue(named("revoked").expires_at(after(1))).await.unwrap();
    keys.disable(&revoked.record.head.id, None).await.unwrap();
    keys.revoke(&revoked.record.head.id, None).await.unwrap();
    keys.issue(StandardKey::new("other", "active").unwrap()).await.unwrap();
    fixture.clock.advance(HOUR);

    let of_acme = || KeyFilter::new().of(acme());
    let cases = [
        (KeyFilter::new(), vec!["active", "active", "disabled", "expired", "long", "revoked"]),
        (of_acme(), vec!["active", "disabled", "expired", "long", "revoked"]),
        (KeyFilter::new().of(OwnerId::new("other").unwrap()), vec!["active"]),
        (KeyFilter::new().of(OwnerId::new("nobody").unwrap()), vec![]),
        (KeyFilter::new().in_state(KeyState::Active), vec!["active", "active", "long"]),
        (of_acme().in_state(KeyState::Active), vec!["active", "long"]),
        (KeyFilter::new().in_state(KeyState::Expired), vec!["expired"]),
        // Disabled and expired is disabled, and revoked whatever else it is, as a verification says.
        (KeyFilter::new().in_state(KeyState::Disabled), vec!["disabled"]),
        (of_acme().in_state(KeyState::Revoked), vec!["revoked"]),
        (KeyFilter::new().named(name("active")), vec!["active", "active"]),
        (of_acme().named(name("active")), vec!["active"]),
        (KeyFilter::new().named(name("Active")), vec![]),
        (KeyFilter::new().named(name("activ%")), vec![]),
        (KeyFilter::new().expiring_before(after(9)), vec!["disabled", "expired", "revoked"]),
        (KeyFilter::new().expiring_before(after(10)), vec!["disabled", "expired", "long", "revoked"]),
        (of_acme().expiring_before(after(10)).in_state(KeyState::Active), vec!["long"]),
        (
            KeyFilter::new().starting_with("acme_live_"),
            vec!["active", "active", "disabled", "expired", "long", "revoked"],
        ),
        (KeyFilter::new().starting_with("ACME_LIVE_"), vec![]),
        (KeyFilter::new().starting_with("acme%live"), vec![]),
        (KeyFilter::new().starting_with(disabled.record.head.id.as_str()), vec!["disabled"]),
        (of_acme().starting_with(revoked.record.head.prefix.as_str()), vec!["revoked"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(keys, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn keys_of_each_environment_are_found_apart(fixture: Fixture) {
    let test = service(&fixture, Standard::new("acme").unwrap().environment(Environment::TEST).unwrap()).await;
    let tested = test.issue(named("tested")).await.unwrap();
    share(&fixture, &tested.record, &fixture.keys).await;
    fixture.keys.issue(named("live")).await.unwrap();
    for (environment, expected) in [(Environment::LIVE, "live"), (Environment::TEST, "tested")] {
        for filter in [KeyFilter::new(), KeyFilter::new().of(acme())] {
            assert_eq!(found(&fixture.keys, filter.in_environment(environment)).await, [expected]);
        }
    }
    let staging = KeyFilter::new().in_environment(Environment::new("staging").unwrap());
    assert_eq!(found(&fixture.keys, staging).await, <[&str; 0]>::default());
}

async fn unused_keys_are_found_by_their_last_use(fixture: Fixture) {
    let keys = &fixture.keys;
    keys.issue(named("never")).await.unwrap();
    let early = keys.issue(named("early")).await.unwrap();
    let late = keys.issue(named("late")).await.unwrap();
    keys.verify(early.secret.expose_secret()).await.unwrap();
    fixture.clock.advance(2 * HOUR);
    keys.verify(late.secret.expose_secret()).await.unwrap();
    assert_eq!(keys.flush_last_used().await.unwrap(), 2);
    for (since, expected) in [
        (START, vec!["never"]),
        (after(1), vec!["early", "never"]),
        (after(2), vec!["early", "never"]),
        (after(3), vec!["early", "late", "never"]),
    ] {
        assert_eq!(found(keys, KeyFilter::new().unused_since(since)).await, expected);
        assert_eq!(found(keys, KeyFilter::new().of(acme()).unused_since(since)).await, expected);
    }
}

async fn pages_of_250_keys_neither_overlap_nor_skip(fixture: Fixture) {
    const KEYS: usize = 250;
    for number in 0..KEYS {
        let owner = if number % 2 == 0 { "acme" } else { "other" };
        fixture.keys.issue(StandardKey::new(owner, number.to_string()).unwrap()).await.unwrap();
        // Several keys of one instant, which only the identity puts into an order.
        if number % 7 == 0 {
            fixture.clock.advance(Duration::from_micros(1));
        }
    }
    for (filter, expected) in [(KeyFilter::new(), KEYS), (KeyFilter::new().of(acme()), KEYS / 2)] {
        for size in [1_u32, 7, 100, 249, 250, 251] {
            if size == 1 && expected == KEYS {
                continue;
            }
            let mut seen: Vec<(Option<keyward::Timestamp>, KeyId)> = Vec::new();
            let (mut pages, mut after) = (0, None);
            loop {
                pages += 1;
                let page = fixture.keys.list(filter.clone(), size, after.as_ref()).await.unwrap();
                assert!(page.keys.len() <= size as usize);
                seen.extend(page.keys.into_iter().map(|key| (key.head.created_at, key.head.id)));
                let Some(next) = page.next else { break };
                assert_eq!(seen.last().map(|(_, id)| id), Some(&next));
                after = Some(next);
            }
            assert_eq!(seen.len(), expected, "pages of {size}");
            assert_eq!(pages, expected.div_ceil(size as usize), "no page of {size} is empty");
            assert_eq!(seen.iter().map(|(_, id)| id).collect::<HashSet<_>>().len(), expected, "pages of {size}");
            assert!(seen.is_sorted_by(|newer, older| newer > older), "newest first, in pages of {size}");
        }
    }
}

async fn a_page_behind_no_key_is_refused(fixture: Fixture) {
    fixture.issue("acme").await;
    let theirs = fixture.issue("other").await.record.head.id;
    let nobody = KeyId::new("no such key").unwrap();
    let cases = [(KeyFilter::new(), &nobody), (KeyFilter::new().of(acme()), &theirs)];
    for (filter, after) in cases {
        let page = fixture.keys.list(filter, 10, Some(after)).await.map(|_| ());
        assert!(matches!(page, Err(StoreError::UnknownCursor)), "{page:?}");
    }
}

/// No identity has such a character, and PostgreSQL takes none as an argument.
#[tokio::test]
async fn a_start_with_nul_finds_nothing_and_does_not_reach_the_store() {
    let store = Arc::new(FaultyStore::new(MemoryKeyStore::new(Standard::schema())));
    let keys = Keys::builder_over(store.clone()).build();
    for call in [Call::List, Call::Count] {
        store.fail_next(call, Fault::Unavailable);
    }
    let filter = KeyFilter::new().starting_with("ac\0me");
    let page = keys.list(filter.clone(), 10, None).await.unwrap();
    assert!(page.keys.is_empty() && page.next.is_none());
    assert_eq!(keys.count(filter).await.unwrap(), 0);
    assert!(store.faults_met().is_empty());
}
