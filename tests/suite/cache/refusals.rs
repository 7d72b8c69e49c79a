//! What is refused is remembered apart, for a short time, and hides no key that was issued through the same keys.

use std::sync::Arc;
use std::time::Duration;

use keyward::Keys;
use keyward::key::{KeyFormat, RefusalReason};
use keyward::store::MemoryKeyStore;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::{MINUTE, OWNER, SECOND, World, cached, draft, policy};
use crate::support::{Fixture, TestSchema, over_every_schema, over_schemas};

over_every_schema![every_store: a_key_that_was_presented_before_it_was_issued_is_accepted];
over_schemas![
    every_store of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    a_key_that_another_process_issues_is_found_within_the_age_of_refusals,
];

/// The key that keys with the same generator issue next.
async fn next_of<S: TestSchema>(fixture: &Fixture<S>, seed: u64) -> String {
    let store = MemoryKeyStore::new(S::schema());
    let clock = Arc::clone(&fixture.clock);
    let keys = Keys::builder(store).shared_clock(clock).random(StdRng::seed_from_u64(seed)).build();
    keys.issue(S::draft(OWNER)).await.unwrap().secret.expose_secret().to_owned()
}

async fn a_key_that_was_presented_before_it_was_issued_is_accepted<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let keys = cached(&fixture, policy().refusals(100, MINUTE));
    let presented = next_of(&fixture, 77).await;
    for _ in 0..2 {
        assert_eq!(keys.verify(&presented).await.unwrap_err().reason(), RefusalReason::Unknown);
    }
    let issued = keys.issue(S::draft(OWNER)).await.unwrap();
    assert_eq!(issued.secret.expose_secret(), presented);
    assert!(keys.verify(&presented).await.is_ok());
}

async fn a_key_that_another_process_issues_is_found_within_the_age_of_refusals<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let keys = cached(&fixture, policy());
    let presented = next_of(&fixture, 0).await;
    keys.verify(&presented).await.unwrap_err();
    assert_eq!(fixture.issue(OWNER).await.secret.expose_secret(), presented);
    assert!(keys.verify(&presented).await.is_err(), "the refusal is not a second old");
    fixture.clock.advance(SECOND + Duration::from_micros(1));
    assert!(keys.verify(&presented).await.is_ok());
}

#[tokio::test]
async fn the_store_is_asked_once_for_a_key_that_is_refused_again_and_again() {
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    world.keys.revoke(&issued.record.head.id, None).await.unwrap();
    world.slow();
    for _ in 0..5 {
        let refusal = world.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
        assert_eq!(refusal.reason(), RefusalReason::Revoked);
        assert_eq!(refusal.key_id(), Some(&issued.record.head.id), "the log says which key");
    }
    assert_eq!(world.lookups(), 1);
    world.clock.advance(SECOND * 2);
    world.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    assert_eq!(world.lookups(), 2);
}

#[tokio::test]
async fn made_up_keys_drive_out_no_key_that_is_accepted() {
    let world = World::new(policy().capacity(8));
    let issued = world.keys.issue(draft()).await.unwrap();
    world.keys.verify(issued.secret.expose_secret()).await.unwrap();
    let format: &KeyFormat = world.keys.format();
    let mut random = StdRng::seed_from_u64(5);
    for _ in 0..5_000 {
        let made_up = format.generate(&mut random).unwrap();
        assert!(world.keys.verify(made_up.expose_secret()).await.is_err());
    }
    assert!(!world.keys.verify(issued.secret.expose_secret()).await.unwrap().evidence().is_fresh());
}

/// What is refused for its expiry is asked for again once the clock is set back: only the store can say.
#[tokio::test]
async fn nothing_is_accepted_on_what_was_kept_of_a_refusal() {
    let world = World::new(policy());
    let start = world.keys.now();
    let issued = world.keys.issue(draft().expires_at(start.saturating_add(SECOND))).await.unwrap();
    world.clock.set(start.saturating_add(SECOND * 2));
    assert_eq!(world.keys.verify(issued.secret.expose_secret()).await.unwrap_err().reason(), RefusalReason::Expired);
    world.clock.set(start);
    let accepted = world.keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert!(accepted.evidence().is_fresh());
}
