//! How old the record is that decides, and that nothing makes it younger.

use std::time::Duration;

use keyward::Clock as _;
use keyward::key::{Evidence, RefusalReason};
use keyward::schemas::standard::StandardKey;
use keyward::service::CachePolicy;

use super::{MINUTE, OWNER, SECOND, World, aged, cached, draft, policy};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![everywhere: a_record_counts_until_it_is_too_old];

async fn a_record_counts_until_it_is_too_old<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let keys = cached(&fixture, policy());
    let issued = fixture.issue(OWNER).await;
    let presented = issued.secret.expose_secret();

    assert_eq!(keys.verify(presented).await.unwrap().evidence(), Evidence::Fresh);
    assert_eq!(keys.verify(presented).await.unwrap().evidence(), aged(Duration::ZERO));
    fixture.clock.advance(MINUTE);
    let accepted = keys.verify(presented).await.unwrap();
    assert_eq!(accepted.evidence(), aged(MINUTE));
    assert_eq!(accepted.head().id, issued.record.head.id);
    assert_eq!(accepted.details(), &issued.record.details);
    fixture.clock.advance(Duration::from_micros(1));
    assert_eq!(keys.verify(presented).await.unwrap().evidence(), Evidence::Fresh, "it is too old");
    assert_eq!(keys.verify(presented).await.unwrap().evidence(), aged(Duration::ZERO), "and was replaced");
    assert!(fixture.keys.verify(presented).await.unwrap().evidence().is_fresh(), "there is no cache unless asked for");
}

#[tokio::test]
async fn fresh_evidence_can_be_demanded_and_replaces_what_is_cached() {
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    let presented = issued.secret.expose_secret();
    world.keys.verify(presented).await.unwrap();
    world.clock.advance(SECOND);
    assert!(world.keys.verify_fresh(presented).await.unwrap().evidence().is_fresh());
    assert_eq!(world.keys.verify(presented).await.unwrap().evidence(), aged(Duration::ZERO));

    world.elsewhere.revoke(&issued.record.head.id, None).await.unwrap();
    assert!(world.keys.verify(presented).await.is_ok(), "nobody has told this process");
    assert_eq!(world.keys.verify_fresh(presented).await.unwrap_err().reason(), RefusalReason::Revoked);
    let refusal = world.keys.verify(presented).await.unwrap_err();
    assert_eq!(refusal.reason(), RefusalReason::Revoked, "what one call has learnt, all know");
}

#[tokio::test]
async fn without_a_watch_nothing_is_answered_from_the_cache_unless_it_was_asked_for() {
    let world = World::new(CachePolicy::new());
    let issued = world.keys.issue(draft()).await.unwrap();
    for _ in 0..3 {
        assert!(world.keys.verify(issued.secret.expose_secret()).await.unwrap().evidence().is_fresh());
    }
    world.elsewhere.revoke(&issued.record.head.id, None).await.unwrap();
    assert!(world.keys.verify(issued.secret.expose_secret()).await.is_err());
}

#[tokio::test]
async fn a_key_dies_in_the_cache_at_its_expiry() {
    let world = World::new(policy());
    let expires_at = world.clock.now().saturating_add(SECOND);
    let issued = world.keys.issue(draft().expires_at(expires_at)).await.unwrap();
    let presented = issued.secret.expose_secret();
    world.keys.verify(presented).await.unwrap();
    world.clock.advance(Duration::from_micros(999_999));
    assert!(!world.keys.verify(presented).await.unwrap().evidence().is_fresh());
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(world.keys.verify(presented).await.unwrap_err().reason(), RefusalReason::Expired);
    assert_eq!(world.keys.verify(presented).await.unwrap_err().reason(), RefusalReason::Expired);
}

#[tokio::test]
async fn a_clock_that_is_set_makes_no_record_younger() {
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    let presented = issued.secret.expose_secret();
    let start = world.clock.now();

    world.keys.verify(presented).await.unwrap();
    world.clock.advance(SECOND * 50);
    world.clock.set(start.saturating_sub(MINUTE * 60));
    assert_eq!(world.keys.verify(presented).await.unwrap().evidence(), aged(SECOND * 50), "set back");
    world.clock.advance(SECOND * 11);
    assert!(world.keys.verify(presented).await.unwrap().evidence().is_fresh(), "a minute has passed all the same");

    // Read while the clock was far ahead.
    world.clock.set(start.saturating_add(MINUTE * 600));
    world.keys.verify_fresh(presented).await.unwrap();
    world.clock.set(start);
    world.clock.advance(SECOND * 61);
    assert!(world.keys.verify(presented).await.unwrap().evidence().is_fresh(), "and once more");

    world.clock.set(start.saturating_add(MINUTE * 900));
    assert!(world.keys.verify(presented).await.unwrap().evidence().is_fresh(), "set ahead, as after a sleep");
}

#[tokio::test]
async fn what_is_held_is_bounded() {
    let world = World::new(policy().capacity(16).refusals(16, MINUTE));
    let mut secrets = Vec::new();
    for name in 0..200 {
        let issued = world.keys.issue(StandardKey::new(OWNER, name.to_string()).unwrap()).await.unwrap();
        world.keys.verify(issued.secret.expose_secret()).await.unwrap();
        secrets.push(issued);
    }
    let last = secrets.last().unwrap().secret.expose_secret();
    assert!(!world.keys.verify(last).await.unwrap().evidence().is_fresh(), "the last one is there");
    world.slow();
    for issued in &secrets {
        world.keys.revoke(&issued.record.head.id, None).await.unwrap();
        assert!(world.keys.verify(issued.secret.expose_secret()).await.is_err());
    }
    let before = world.lookups();
    for issued in secrets.iter().rev() {
        assert!(world.keys.verify(issued.secret.expose_secret()).await.is_err());
    }
    let asked = world.lookups() - before;
    assert!((184..200).contains(&asked), "of 200 refusals, at most 16 were held: {asked} lookups");
}

/// It is written to the second, for the lock around the uses of all keys to be taken as rarely.
#[tokio::test]
async fn of_the_uses_in_a_second_the_cache_notes_the_first() {
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    let presented = issued.secret.expose_secret();
    let written = async || {
        let written = world.keys.flush_last_used().await.unwrap();
        let stored = world.keys.get(&issued.record.head.id).await.unwrap().unwrap();
        (written, stored.head.last_used_at.unwrap())
    };
    // The lookup by itself notes each use, and so does the first one that it saves.
    world.keys.verify(presented).await.unwrap();
    let start = world.clock.now();
    assert_eq!(written().await, (1, start));
    world.clock.advance(SECOND / 2);
    world.keys.verify(presented).await.unwrap();
    let first = world.clock.now();
    world.clock.advance(SECOND / 4);
    world.keys.verify(presented).await.unwrap();
    assert_eq!(written().await, (1, first));
    world.keys.verify(presented).await.unwrap();
    assert_eq!(written().await, (0, first), "it was noted in this second");
    world.clock.advance(SECOND / 4);
    world.keys.verify(presented).await.unwrap();
    assert_eq!(written().await, (1, world.clock.now()), "another second");
}
