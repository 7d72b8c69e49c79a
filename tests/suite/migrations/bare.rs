//! A host's table alone, without the side tables: what can be done on it, and what is refused.

use std::time::Duration;

use keyward::key::{OwnerId, Reason, RefusalReason};
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::store::StoreError;
use keyward::{Keys, KeysError};
use tokio::task::JoinSet;

use crate::support::{START, over};

type Fixture = crate::support::Fixture<Scraper>;

const HOUR: Duration = Duration::from_hours(1);

fn draft() -> ScraperKey {
    ScraperKey::named("acme", "nightly import").unwrap().scope("jobs:read").unwrap()
}

async fn assert_refused(keys: &Keys<Scraper>, key: &str, reason: RefusalReason) {
    let refusal = keys.verify(key).await.unwrap_err();
    assert_eq!(refusal.reason(), reason);
}

over![every_bare_table of Scraper:
    without_the_side_tables_keys_are_issued_accepted_listed_and_revoked,
    without_the_side_tables_a_rotation_has_a_grace_period,
    without_the_side_tables_one_of_many_rotations_wins,
    without_the_side_tables_a_reason_is_refused_and_nothing_revoked,
    migrating_adds_the_side_tables_to_a_table_in_use,
];

async fn without_the_side_tables_keys_are_issued_accepted_listed_and_revoked(fixture: Fixture) {
    let keys = &fixture.keys;
    let abilities = fixture.store().abilities();
    assert!(!abilities.revocation_reason && !abilities.revocation_time);
    let owner = OwnerId::new("acme").unwrap();
    let first = keys.issue(draft()).await.unwrap();
    let second = keys.issue(draft()).await.unwrap();
    assert_eq!(**keys.verify(first.secret.expose_secret()).await.unwrap().record(), first.record);
    assert_eq!(keys.of(&owner).list(10, None).await.unwrap().keys.len(), 2);

    keys.revoke(&first.record.head.id, None).await.unwrap();
    assert_refused(keys, first.secret.expose_secret(), RefusalReason::Disabled).await;
    keys.verify(second.secret.expose_secret()).await.unwrap();
    assert_eq!(keys.revoke_all(&owner, None).await.unwrap().count, 1);
    assert_refused(keys, second.secret.expose_secret(), RefusalReason::Disabled).await;
}

async fn without_the_side_tables_a_rotation_has_a_grace_period(fixture: Fixture) {
    let keys = &fixture.keys;
    for draft in [draft(), draft().expires_at(START.saturating_add(100 * HOUR))] {
        let old = keys.issue(draft).await.unwrap();
        let rotated = keys.rotate(&old.record.head.id, HOUR, None).await.unwrap();
        assert_eq!(rotated.accepted_until, keys.now().saturating_add(HOUR));
        keys.verify(old.secret.expose_secret()).await.unwrap();
        keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
        fixture.clock.advance(HOUR);
        assert_refused(keys, old.secret.expose_secret(), RefusalReason::Expired).await;
        keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    }
}

async fn without_the_side_tables_one_of_many_rotations_wins(fixture: Fixture) {
    // The harder case is the second, in which every rotation would leave the predecessor's own expiry as it is.
    for (expires_in, grace) in [(None, HOUR), (Some(HOUR), 2 * HOUR), (Some(3 * HOUR), HOUR)] {
        let mut draft = draft();
        if let Some(lifetime) = expires_in {
            draft = draft.expires_at(START.saturating_add(lifetime));
        }
        let predecessor = fixture.keys.issue(draft).await.unwrap().record;
        let mut processes = JoinSet::new();
        for _ in 0..8 {
            let keys = fixture.another_process().await;
            let prepared = keys.prepare_rotation(predecessor.clone(), grace, None).unwrap();
            processes.spawn(async move { keys.store().rotate(prepared.rotation()).await });
        }
        let outcomes = processes.join_all().await;
        let winners = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(winners, 1, "{outcomes:?}");
        for lost in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(lost, StoreError::Conflict), "{lost:?}");
        }
    }
}

async fn without_the_side_tables_a_reason_is_refused_and_nothing_revoked(fixture: Fixture) {
    let keys = &fixture.keys;
    let issued = keys.issue(draft()).await.unwrap();
    let reason = Reason::new("leaked").unwrap();
    let one = keys.revoke(&issued.record.head.id, Some(reason.clone())).await;
    assert!(matches!(one, Err(KeysError::Store(StoreError::Unsupported(_)))), "{one:?}");
    let all = keys.revoke_all(&issued.record.head.owner, Some(reason)).await;
    assert!(matches!(all, Err(StoreError::Unsupported(_))), "{all:?}");
    keys.verify(issued.secret.expose_secret()).await.unwrap();
}

async fn migrating_adds_the_side_tables_to_a_table_in_use(fixture: Fixture) {
    let issued = fixture.keys.issue(draft()).await.unwrap();
    let opened_before = fixture.another_process().await;
    let applied = fixture.sql().migrate(START).await.unwrap();
    assert_eq!(applied.iter().map(|applied| applied.name).collect::<Vec<_>>(), ["side_tables"]);

    // The store that migrated knows them from now on, and so does whoever opens another.
    for keys in [&fixture.keys, &fixture.another_process().await] {
        assert!(keys.store().abilities().revocation_reason);
        keys.verify(issued.secret.expose_secret()).await.unwrap();
    }
    fixture.keys.revoke(&issued.record.head.id, Some(Reason::new("leaked").unwrap())).await.unwrap();
    assert_refused(&fixture.another_process().await, issued.secret.expose_secret(), RefusalReason::Revoked).await;
    // Whoever opened the table before the migration still does what can be done without them.
    assert!(!opened_before.store().abilities().revocation_reason);
    assert_refused(&opened_before, issued.secret.expose_secret(), RefusalReason::Disabled).await;
}
