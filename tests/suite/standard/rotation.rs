//! A key is rotated once, and its successors remember where they come from.

use keyward::key::{PrepareError, RefusalReason};
use keyward::schemas::standard::Standard;
use keyward::{KeysError, Timestamp};

use super::{Fixture, HOUR, get, named, verdict};
use crate::support::concurrency::{RACERS, processes, race};
use crate::support::{START, over};

over![every_store of Standard:
    a_successor_is_like_its_predecessor_and_remembers_the_first_key,
    a_rotated_key_names_its_successor_instead_of_being_rotated_again,
    of_many_concurrent_rotations_one_wins_and_the_others_learn_the_successor,
    a_grace_period_ends_with_the_keys_own_expiry,
    only_a_live_key_is_rotated,
];

async fn a_successor_is_like_its_predecessor_and_remembers_the_first_key(fixture: Fixture) {
    let described = named("import").scope("jobs:read").unwrap().description("Copies jobs.").unwrap();
    let described = described.metadata("{}").unwrap().requests_per_minute(9).unwrap();
    let first = fixture.keys.issue(described).await.unwrap();
    assert_eq!((&first.record.details.lineage, &first.record.details.predecessor), (&first.record.head.id, &None));
    let mut old = first.record.clone();
    for version in 1..4 {
        fixture.clock.advance(HOUR);
        let rotated = fixture.keys.rotate(&old.head.id, HOUR, None).await.unwrap();
        let successor = rotated.successor.record;
        assert_ne!(successor.head.id, old.head.id);
        let mut like = old.details.clone();
        like.predecessor = Some(old.head.id.clone());
        assert_eq!(successor.details, like, "rotation {version}");
        assert_eq!(successor.details.lineage, first.record.head.id);
        assert_eq!(get(&fixture.keys, &successor.head.id).await, successor);
        let retired = get(&fixture.keys, &old.head.id).await;
        assert_eq!(retired.head.successor.as_ref(), Some(&successor.head.id));
        assert_eq!(retired.head.version, 2);
        old = successor;
    }
}

async fn a_rotated_key_names_its_successor_instead_of_being_rotated_again(fixture: Fixture) {
    let issued = fixture.keys.issue(named("import")).await.unwrap();
    let id = &issued.record.head.id;
    let rotated = fixture.keys.rotate(id, HOUR, None).await.unwrap();
    let expected = &rotated.successor.record.head.id;
    for keys in [&fixture.keys, &fixture.another_process().await] {
        let again = keys.rotate(id, HOUR, None).await.unwrap_err();
        assert!(again.to_string().contains(expected.as_str()), "{again}");
        assert!(matches!(&again, KeysError::AlreadyRotated { successor } if successor == expected), "{again:?}");
    }
    assert_eq!(fixture.keys.of(&super::acme()).list(10, None).await.unwrap().keys.len(), 2);
}

async fn of_many_concurrent_rotations_one_wins_and_the_others_learn_the_successor(fixture: Fixture) {
    let issued = fixture.keys.issue(named("import")).await.unwrap();
    let processes = processes(&fixture).await;
    let racers = (0..RACERS).map(|racer| {
        let (keys, id) = (processes[racer % processes.len()].clone(), issued.record.head.id.clone());
        move || async move { keys.rotate(&id, HOUR, None).await }
    });
    let (won, lost): (Vec<_>, Vec<_>) = race(racers).await.into_iter().partition(Result::is_ok);
    let [Ok(won)] = &won[..] else { panic!("{won:?}") };
    let winner = &won.successor.record.head.id;
    for lost in lost {
        assert!(matches!(&lost, Err(KeysError::AlreadyRotated { successor }) if successor == winner), "{lost:?}");
    }
    assert_eq!(fixture.keys.of(&super::acme()).list(100, None).await.unwrap().keys.len(), 2);
}

async fn a_grace_period_ends_with_the_keys_own_expiry(fixture: Fixture) {
    let at = |hours: u32| START.saturating_add(hours * HOUR);
    let new_expiry: Option<Timestamp> = Some(at(9));
    for (own, expected) in [(1, at(1)), (5, at(2))] {
        let issued = fixture.keys.issue(named("import").expires_at(at(own))).await.unwrap();
        let rotated = fixture.keys.rotate(&issued.record.head.id, 2 * HOUR, new_expiry).await.unwrap();
        assert_eq!(rotated.accepted_until, expected);
        assert_eq!(rotated.successor.record.head.expires_at, new_expiry);
        assert_eq!(get(&fixture.keys, &issued.record.head.id).await.head.expires_at, Some(expected));
        fixture.clock.set(expected.saturating_sub(std::time::Duration::from_micros(1)));
        assert_eq!(verdict(&fixture.keys, &issued).await, "accepted");
        fixture.clock.set(expected);
        assert_eq!(verdict(&fixture.keys, &issued).await, "expired");
        assert_eq!(verdict(&fixture.keys, &rotated.successor).await, "accepted");
        fixture.clock.set(START);
    }
}

async fn only_a_live_key_is_rotated(fixture: Fixture) {
    let [expired, disabled, revoked] = [(); 3].map(|()| named("import").expires_at(START.saturating_add(HOUR)));
    let expired = fixture.keys.issue(expired).await.unwrap().record.head.id;
    let disabled = fixture.keys.issue(disabled).await.unwrap().record.head.id;
    let revoked = fixture.keys.issue(revoked).await.unwrap().record.head.id;
    fixture.keys.disable(&disabled, None).await.unwrap();
    fixture.keys.revoke(&revoked, None).await.unwrap();
    fixture.clock.advance(HOUR);
    for (id, why) in
        [(expired, RefusalReason::Expired), (disabled, RefusalReason::Disabled), (revoked, RefusalReason::Revoked)]
    {
        let before = get(&fixture.keys, &id).await;
        let refused = fixture.keys.rotate(&id, HOUR, None).await.map(|_| ());
        assert!(
            matches!(&refused, Err(KeysError::Prepare(error)) if *error == PrepareError::NotLive(why)),
            "{refused:?}"
        );
        assert_eq!(get(&fixture.keys, &id).await, before);
    }
}
