//! The prefix of a key and its environment: what a verifier accepts, and what it never does.

use std::collections::HashSet;
use std::sync::Arc;

use keyward::KeysError;
use keyward::key::{Environment, PrepareError, RefusalReason};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::store::MemoryKeyStore;

use super::{Fixture, named, service, share, verdict, verdict_on};
use crate::support::{keys, over};

over![every_store of Standard:
    a_key_is_never_accepted_by_a_verifier_of_another_environment,
    a_key_of_another_environment_is_refused_whatever_its_prefix_shows,
    a_key_with_an_older_prefix_is_accepted_where_that_is_declared,
    a_key_of_another_service_is_malformed,
    the_longest_keys_have_55_bytes,
    a_key_with_a_wrong_character_is_malformed,
];

fn live() -> Standard {
    Standard::new("acme").unwrap()
}

fn in_environment(environment: Environment) -> Standard {
    live().environment(environment).unwrap()
}

async fn a_key_is_never_accepted_by_a_verifier_of_another_environment(fixture: Fixture) {
    let environments = [Environment::LIVE, Environment::TEST, Environment::new("staging").unwrap()];
    for issuing in environments {
        let keys = service(&fixture, in_environment(issuing)).await;
        let issued = keys.issue(named(issuing.as_str())).await.unwrap();
        assert!(issued.secret.expose_secret().starts_with(&format!("acme_{issuing}_")));
        assert_eq!(issued.record.details.environment, issuing);
        assert_eq!(verdict(&keys, &issued).await, "accepted");
        for verifying in environments.into_iter().filter(|verifying| *verifying != issuing) {
            let verifier = service(&fixture, in_environment(verifying)).await;
            share(&fixture, &issued.record, &verifier).await;
            let refusal = verifier.verify(issued.secret.expose_secret()).await.unwrap_err();
            assert_eq!(refusal.reason(), RefusalReason::OtherEnvironment, "{issuing} at {verifying}");
            assert_eq!(refusal.to_string(), "the API key is not valid", "the caller learns nothing of it");
        }
    }
}

/// The record has the last word, whatever somebody made of it.
async fn a_key_of_another_environment_is_refused_whatever_its_prefix_shows(fixture: Fixture) {
    let elsewhere = keys(Arc::new(MemoryKeyStore::new(live())), &fixture.clock, 1);
    let mut issued = elsewhere.issue(named("odd")).await.unwrap();
    issued.record.details.environment = Environment::TEST;
    fixture.store().insert(&issued.record).await.unwrap();
    assert_eq!(verdict(&fixture.keys, &issued).await, "other_environment");
    let rotated = fixture.keys.rotate(&issued.record.head.id, super::HOUR, None).await.map(|_| ());
    let refused = PrepareError::NotLive(RefusalReason::OtherEnvironment);
    assert!(matches!(&rotated, Err(KeysError::Prepare(error)) if *error == refused), "{rotated:?}");
}

async fn a_key_with_an_older_prefix_is_accepted_where_that_is_declared(fixture: Fixture) {
    let before = service(&fixture, Standard::new("startup").unwrap()).await;
    let old = before.issue(named("from the first days")).await.unwrap();
    let renamed = service(&fixture, live().accepting_prefix("startup").unwrap()).await;
    share(&fixture, &old.record, &renamed).await;
    assert_eq!(verdict(&renamed, &old).await, "accepted");

    let without = service(&fixture, live()).await;
    share(&fixture, &old.record, &without).await;
    assert_eq!(verdict(&without, &old).await, "malformed");
    // What is issued has the new prefix, the successors of old keys included.
    let rotated = renamed.rotate(&old.record.head.id, super::HOUR, None).await.unwrap();
    assert!(rotated.successor.secret.expose_secret().starts_with("acme_live_"));
    assert_eq!(verdict(&renamed, &rotated.successor).await, "accepted");

    let elsewhere = service(&fixture, Standard::new("startup").unwrap().environment(Environment::TEST).unwrap()).await;
    let test = elsewhere.issue(named("test")).await.unwrap();
    share(&fixture, &test.record, &renamed).await;
    assert_ne!(verdict(&renamed, &test).await, "accepted", "an older prefix is one of the same environment");
}

async fn a_key_of_another_service_is_malformed(fixture: Fixture) {
    let stranger = service(&fixture, Standard::new("other").unwrap()).await;
    let issued = stranger.issue(named("elsewhere")).await.unwrap();
    share(&fixture, &issued.record, &fixture.keys).await;
    assert_eq!(verdict(&fixture.keys, &issued).await, "malformed");
}

/// One block of SHA-256 takes 55 bytes.
async fn the_longest_keys_have_55_bytes(fixture: Fixture) {
    let longest = service(&fixture, Standard::new("acme-corp1").unwrap()).await;
    let mut seen = HashSet::new();
    for number in 0..50 {
        let issued = longest.issue(named(&number.to_string())).await.unwrap();
        let key = issued.secret.expose_secret().to_owned();
        assert_eq!(key.len(), 55);
        let body = key.strip_prefix("acme-corp1_live_").unwrap();
        assert!(body.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{body}");
        assert_eq!(issued.record.head.prefix.as_str(), &key[..20]);
        assert_eq!(verdict_on(&longest, &key).await, "accepted");
        assert!(seen.insert(key));
    }
    assert!(Standard::new("acme-corp12").is_err());
    assert_eq!(fixture.issue("acme").await.secret.expose_secret().len(), 49);
}

/// The checksum in the key tells without a question to the store.
async fn a_key_with_a_wrong_character_is_malformed(fixture: Fixture) {
    let issued = fixture.keys.issue(StandardKey::new("acme", "mistyped").unwrap()).await.unwrap();
    let key = issued.secret.expose_secret();
    for position in "acme_live_".len()..key.len() {
        let other = if &key[position..=position] == "A" { "B" } else { "A" };
        let mistyped = format!("{}{other}{}", &key[..position], &key[position + 1..]);
        assert_eq!(verdict_on(&fixture.keys, &mistyped).await, "malformed", "{position}");
    }
    for cut in [&key[..key.len() - 1], &key[1..], "acme_live_", ""] {
        assert_eq!(verdict_on(&fixture.keys, cut).await, "malformed");
    }
}
