//! Rotations under watch: there is no moment at which neither key is accepted, and without grace none with both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward::Keys;
use keyward::key::{PreparedRotation, RefusalReason};
use tokio::task::{JoinSet, yield_now};

use super::{ACME, HOUR, issue, verify_head};
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![
    everywhere of [standard::Standard, scraper::Scraper, mesh::Mesh]:
    during_a_rotation_with_grace_the_old_key_is_accepted_throughout,
    during_a_rotation_without_grace_exactly_one_key_is_accepted,
];

async fn during_a_rotation_with_grace_the_old_key_is_accepted_throughout<S: TestSchema>(fixture: Fixture<S>) {
    rotate_under_watch(&fixture, HOUR).await;
}

async fn during_a_rotation_without_grace_exactly_one_key_is_accepted<S: TestSchema>(fixture: Fixture<S>) {
    rotate_under_watch(&fixture, Duration::ZERO).await;
}

async fn rotate_under_watch<S: TestSchema>(fixture: &Fixture<S>, grace: Duration) {
    fixture.add_owner(ACME).await;
    let [rotator, one, other] = [(); 3].map(|()| fixture.another_process());
    let (rotator, one, other) = (rotator.await, one.await, other.await);
    let mut key = issue(&fixture.keys, None).await.record().clone();
    for _ in 0..20 {
        let prepared = Arc::new(rotator.prepare_rotation(key, grace, None).unwrap());
        let done = Arc::new(AtomicBool::new(false));
        let mut running = JoinSet::new();
        for keys in [&one, &other] {
            running.spawn(watch(keys.clone(), Arc::clone(&prepared), Arc::clone(&done)));
        }
        yield_now().await;
        rotator.store().rotate(prepared.rotation()).await.unwrap();
        done.store(true, Ordering::SeqCst);
        running.join_all().await;
        key = prepared.rotation().successor.clone();
    }
}

/// Looks at both keys of a rotation over and over until it is done, and at least once more after that.
async fn watch<S: TestSchema>(keys: Keys<S>, prepared: Arc<PreparedRotation<S>>, done: Arc<AtomicBool>) {
    let rotation = prepared.rotation();
    let (old, new) = (&rotation.predecessor, &rotation.successor.head);
    let has_grace = rotation.retire_at > rotation.at;
    loop {
        let is_last_look = done.load(Ordering::SeqCst);
        if let Err(refusal) = verify_head(&keys, old).await {
            assert!(!has_grace, "the old key was refused within its grace: {refusal:?}");
            assert!(matches!(refusal.reason(), RefusalReason::Revoked | RefusalReason::Disabled), "{refusal:?}");
            // The old key is dead, so the rotation has happened, and the new one must be there.
            verify_head(&keys, new).await.expect("neither key was accepted");
        }
        if verify_head(&keys, new).await.is_ok() {
            // The new key is there, so the rotation has happened, and the old one must be dead.
            assert_eq!(verify_head(&keys, old).await.is_ok(), has_grace);
        } else {
            assert!(!is_last_look, "the new key was refused after the rotation");
        }
        if is_last_look {
            return;
        }
        yield_now().await;
    }
}
