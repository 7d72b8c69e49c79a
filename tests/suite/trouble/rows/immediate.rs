//! A rotation without grace ends the old key whatever a reader's clock says.

use std::sync::Arc;

use keyward::ManualClock;
use keyward::key::{Action, RefusalReason, Status};
use keyward::schemas::standard::Standard;

use super::{HOUR, OWNER, Rows, get, read};
use crate::support::{Fixture, START, TestSchema, keys, over, over_schemas, refusal_of_a_revoked_key};

over_schemas![
    everywhere of [standard::Standard, scraper::Scraper, mesh::Mesh, aggregator::Aggregator]:
    a_clock_that_is_behind_brings_no_key_back,
];
over_schemas![
    everywhere of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    the_old_key_is_revoked_and_still_names_its_successor,
    within_its_grace_the_old_key_is_only_left_to_expire,
];
over_schemas![
    every_database of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    whoever_reads_the_table_sees_that_the_old_key_is_dead,
];
over![every_store of Standard: the_history_says_rotated_and_a_revocation_adds_nothing];

async fn a_clock_that_is_behind_brings_no_key_back<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let old = fixture.issue(OWNER).await;
    fixture.clock.advance(HOUR);
    fixture.keys.rotate(&old.record.head.id, std::time::Duration::ZERO, None).await.unwrap();
    let several = fixture.store().abilities().several_keys_per_owner;
    let reason = if several { refusal_of_a_revoked_key(&fixture) } else { RefusalReason::Unknown };
    for behind in [0, 1, 3_600, 86_400, 1_000_000_000] {
        let clock = START.saturating_add(HOUR).saturating_sub(std::time::Duration::from_secs(behind));
        let reader = keys(Arc::clone(fixture.store()), &Arc::new(ManualClock::new(clock)), 9);
        let refusal = reader.verify(old.secret.expose_secret()).await.unwrap_err();
        assert_eq!(refusal.reason(), reason, "{behind} s behind");
    }
}

async fn the_old_key_is_revoked_and_still_names_its_successor<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let old = fixture.issue(OWNER).await;
    let id = &old.record.head.id;
    fixture.clock.advance(HOUR);
    let at = fixture.keys.now();
    let rotated = fixture.keys.rotate(id, std::time::Duration::ZERO, None).await.unwrap();
    assert_eq!(rotated.accepted_until, at);
    let head = get(&fixture, id).await.head;
    let abilities = fixture.store().abilities();
    if abilities.rotation_memory {
        assert_eq!(head.successor.as_ref(), Some(&rotated.successor.record.head.id));
    }
    if abilities.revocation_time {
        let Status::Revoked(revocation) = &head.status else { panic!("{head:?}") };
        assert_eq!((revocation.at, &revocation.reason), (Some(at), &None));
    }
    assert!(fixture.keys.revoke(id, None).await.unwrap().already, "it was revoked by the rotation");
    fixture.keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
    let again = fixture.keys.rotate(id, HOUR, None).await;
    assert!(again.is_err(), "{again:?}");
}

async fn within_its_grace_the_old_key_is_only_left_to_expire<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let old = fixture.issue(OWNER).await;
    fixture.keys.rotate(&old.record.head.id, std::time::Duration::from_micros(1), None).await.unwrap();
    fixture.keys.verify(old.secret.expose_secret()).await.unwrap();
    assert_eq!(get(&fixture, &old.record.head.id).await.head.status, Status::Active);
    fixture.clock.advance(std::time::Duration::from_micros(1));
    let refusal = fixture.keys.verify(old.secret.expose_secret()).await.unwrap_err();
    assert_eq!(refusal.reason(), RefusalReason::Expired);
}

/// The service itself reads the flag or the time, and compares the expiry with a clock of its own.
async fn whoever_reads_the_table_sees_that_the_old_key_is_dead<S: Rows>(fixture: Fixture<S>) {
    fixture.add_owner(OWNER).await;
    let old = fixture.issue(OWNER).await;
    let rotated = fixture.keys.rotate(&old.record.head.id, std::time::Duration::ZERO, None).await.unwrap();
    let is_live = if S::NAME == "scraper" { "coalesce(is_active, false)" } else { "revoked_at IS NULL" };
    let said =
        |live: bool| fixture.database().dialect(["false", "true"][usize::from(live)], ["0", "1"][usize::from(live)]);
    assert_eq!(read(&fixture, &old.record.head.id, is_live).await.as_deref(), Some(said(false)));
    let successor = &rotated.successor.record.head.id;
    assert_eq!(read(&fixture, successor, is_live).await.as_deref(), Some(said(true)));
}

async fn the_history_says_rotated_and_a_revocation_adds_nothing(fixture: Fixture<Standard>) {
    let old = fixture.issue(OWNER).await;
    let id = &old.record.head.id;
    fixture.keys.rotate(id, std::time::Duration::ZERO, None).await.unwrap();
    fixture.keys.revoke(id, None).await.unwrap();
    let history = fixture.keys.history(id).await.unwrap();
    let actions: Vec<_> = history.iter().map(|entry| (entry.action, entry.to_version)).collect();
    assert_eq!(actions, [(Action::Issued, 1), (Action::Rotated, 2)]);
}
