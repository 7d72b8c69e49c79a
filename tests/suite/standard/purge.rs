//! The purge removes keys that have been dead for long, a few at a time, and no others.

use std::time::Duration;

use keyward::KeysError;
use keyward::schemas::standard::Standard;
use keyward::store::KeyFilter;

use super::{Fixture, HOUR, named, verdict};
use crate::support::log::Log;
use crate::support::{START, over};

over![every_store of Standard:
    a_purge_takes_long_dead_keys_in_bounded_batches_and_no_others,
    what_a_purged_key_left_behind_hinders_nobody,
    a_key_that_died_at_the_edge_of_the_retention_stays,
];

async fn a_purge_takes_long_dead_keys_in_bounded_batches_and_no_others(fixture: Fixture) {
    let keys = &fixture.keys;
    let at = |hours: u32| START.saturating_add(hours * HOUR);
    for number in 0..25 {
        let revoked = keys.issue(named(&format!("revoked {number}"))).await.unwrap();
        keys.revoke(&revoked.record.head.id, None).await.unwrap();
        keys.issue(named(&format!("expired {number}")).expires_at(at(1))).await.unwrap();
    }
    let live = keys.issue(named("live")).await.unwrap();
    let long = keys.issue(named("long").expires_at(at(9_999))).await.unwrap();
    let disabled = keys.issue(named("disabled")).await.unwrap();
    keys.disable(&disabled.record.head.id, None).await.unwrap();
    let old = keys.issue(named("rotated")).await.unwrap();
    keys.rotate(&old.record.head.id, 9_998 * HOUR, None).await.unwrap();
    fixture.clock.set(at(1_000));
    let recent = keys.issue(named("recently revoked")).await.unwrap();
    keys.revoke(&recent.record.head.id, None).await.unwrap();
    keys.issue(named("recently expired").expires_at(at(1_001))).await.unwrap();
    fixture.clock.set(at(1_002));

    let mut batches = Vec::new();
    for _ in 0..4 {
        batches.push(keys.purge(24 * HOUR, 20).await.unwrap());
    }
    assert_eq!(batches, [20, 20, 10, 0]);
    let mut names: Vec<_> = keys.list(KeyFilter::new(), 100, None).await.unwrap().keys;
    names.sort_unstable_by(|a, b| a.details.name.cmp(&b.details.name));
    let names: Vec<_> = names.iter().map(|key| key.details.name.as_str()).collect();
    let stay = ["disabled", "live", "long", "recently expired", "recently revoked", "rotated", "rotated"];
    assert_eq!(names, stay);
    for live in [&live, &long, &old] {
        assert_eq!(verdict(keys, live).await, "accepted");
    }
}

async fn what_a_purged_key_left_behind_hinders_nobody(fixture: Fixture) {
    let keys = &fixture.keys;
    let first = keys.issue(named("first")).await.unwrap();
    let id = &first.record.head.id;
    let successor = keys.rotate(id, HOUR, None).await.unwrap().successor;
    keys.verify(first.secret.expose_secret()).await.unwrap();
    keys.flush_last_used().await.unwrap();
    // A use that is written after the key is gone.
    keys.verify(first.secret.expose_secret()).await.unwrap();
    fixture.clock.advance(9 * HOUR);
    assert_eq!(keys.purge(HOUR, 10).await.unwrap(), 1);

    assert_eq!(keys.get(id).await.unwrap(), None);
    assert!(matches!(keys.history(id).await, Err(KeysError::NotFound)));
    assert_eq!(verdict(keys, &first).await, "unknown");
    assert_eq!(keys.flush_last_used().await.unwrap(), 0);
    assert_eq!(verdict(keys, &successor).await, "accepted");
    assert_eq!(keys.get(&successor.record.head.id).await.unwrap(), Some(successor.record.clone()));
    keys.rotate(&successor.record.head.id, HOUR, None).await.unwrap();
}

async fn a_key_that_died_at_the_edge_of_the_retention_stays(fixture: Fixture) {
    let keys = &fixture.keys;
    let revoked = keys.issue(named("revoked")).await.unwrap();
    keys.revoke(&revoked.record.head.id, None).await.unwrap();
    fixture.clock.advance(24 * HOUR);
    let (log, _listening) = Log::listen();
    assert_eq!(keys.purge(24 * HOUR, 10).await.unwrap(), 0);
    assert_eq!(log.events(), [""; 0], "nothing was removed");
    fixture.clock.advance(Duration::from_micros(1));
    assert_eq!(keys.purge(24 * HOUR, 10).await.unwrap(), 1);
    assert_eq!(log.events(), ["keys.purged"]);
}
