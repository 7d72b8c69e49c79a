//! What holds while the store cannot answer: nothing, unless the outage policy says otherwise, and then no more than it
//! says.

use keyward::key::{Evidence, RefusalReason};
use keyward::service::{CachePolicy, OutagePolicy};
use keyward::store::faulty::{Call, Fault};

use super::{MINUTE, SECOND, World, draft, policy};
use crate::support::log::Log;

/// Nothing is answered from the cache, and for five minutes after the last answer of the store it stands in.
fn lenient() -> CachePolicy {
    CachePolicy::new().outage(OutagePolicy::AcceptWithin(MINUTE * 5))
}

fn stop(world: &World) {
    world.store.fail_by_chance(0, 1, &[Fault::Unavailable]);
}

#[tokio::test]
async fn an_outage_is_reported_unless_the_policy_says_otherwise() {
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    let presented = issued.secret.expose_secret();
    world.keys.verify(presented).await.unwrap();
    stop(&world);
    assert!(world.keys.verify(presented).await.is_ok(), "the record is young enough");
    world.clock.advance(MINUTE + SECOND);
    let refusal = world.keys.verify(presented).await.unwrap_err();
    assert!(refusal.is_outage());
    assert!(refusal.outage().unwrap().is::<keyward::store::StoreError>(), "what the store said can be looked at");
    world.store.heal();
    assert!(world.keys.verify(presented).await.unwrap().evidence().is_fresh(), "and it is over by itself");
}

#[tokio::test]
async fn the_policy_lets_through_what_was_good_a_short_while_ago_and_marks_it() {
    let world = World::new(lenient());
    let issued = world.keys.issue(draft()).await.unwrap();
    let unseen = world.keys.issue(draft()).await.unwrap();
    let presented = issued.secret.expose_secret();
    world.keys.verify(presented).await.unwrap();
    stop(&world);
    world.clock.advance(MINUTE * 5);
    let (log, _listening) = Log::listen();
    let accepted = world.keys.verify(presented).await.unwrap();
    assert_eq!(accepted.evidence(), Evidence::StaleOnOutage { age: MINUTE * 5 });
    let said = log.text();
    assert!(said.contains("key.accepted_stale") && said.contains("age_seconds=300"), "{said}");

    assert!(world.keys.verify(unseen.secret.expose_secret()).await.unwrap_err().is_outage(), "it was never good");
    assert!(world.keys.verify_fresh(presented).await.unwrap_err().is_outage(), "fresh is fresh");
    world.clock.advance(SECOND);
    assert!(world.keys.verify(presented).await.unwrap_err().is_outage(), "it is too long ago");
    world.store.heal();
    assert!(world.keys.verify(presented).await.unwrap().evidence().is_fresh());
}

#[tokio::test]
async fn what_this_process_knows_to_be_dead_is_not_let_through() {
    let world = World::new(lenient());
    let soon = world.keys.now().saturating_add(MINUTE);
    let expiring = world.keys.issue(draft().expires_at(soon)).await.unwrap();
    let revoked = world.keys.issue(draft()).await.unwrap();
    let seen_dead = world.keys.issue(draft()).await.unwrap();
    for issued in [&expiring, &revoked, &seen_dead] {
        world.keys.verify(issued.secret.expose_secret()).await.unwrap();
    }
    world.keys.revoke(&revoked.record.head.id, None).await.unwrap();
    world.elsewhere.revoke(&seen_dead.record.head.id, None).await.unwrap();
    world.keys.verify(seen_dead.secret.expose_secret()).await.unwrap_err();
    stop(&world);
    world.clock.advance(MINUTE);
    for issued in [&expiring, &revoked, &seen_dead] {
        assert!(world.keys.verify(issued.secret.expose_secret()).await.unwrap_err().is_outage());
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_lengthens_no_outage() {
    let world = World::new(lenient());
    let start = world.keys.now();
    let issued = world.keys.issue(draft()).await.unwrap();
    world.keys.verify(issued.secret.expose_secret()).await.unwrap();
    stop(&world);
    for _ in 0..5 {
        world.clock.advance(MINUTE);
        world.clock.set(start);
    }
    let accepted = world.keys.verify(issued.secret.expose_secret()).await.unwrap();
    assert_eq!(accepted.evidence().age(), MINUTE * 5);
    world.clock.advance(SECOND);
    assert!(world.keys.verify(issued.secret.expose_secret()).await.unwrap_err().is_outage());
}

#[tokio::test]
async fn a_database_that_refuses_a_statement_is_not_away() {
    for fault in [Fault::Backend, Fault::Denied] {
        let world = World::new(lenient());
        let issued = world.keys.issue(draft()).await.unwrap();
        world.keys.verify(issued.secret.expose_secret()).await.unwrap();
        world.store.fail_next(Call::Find, fault);
        let refusal = world.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
        assert_eq!(refusal.reason(), RefusalReason::StoreUnavailable, "{fault:?}");
    }
}

#[tokio::test]
async fn an_outage_during_a_lookup_is_not_remembered() {
    let world = World::new(policy());
    let issued = world.keys.issue(draft()).await.unwrap();
    for fault in [Fault::Unavailable, Fault::Backend, Fault::AnswerLost] {
        world.store.fail_next(Call::Find, fault);
        assert!(world.keys.verify(issued.secret.expose_secret()).await.unwrap_err().is_outage());
    }
    assert!(world.keys.verify(issued.secret.expose_secret()).await.unwrap().evidence().is_fresh());
}
