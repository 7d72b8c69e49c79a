//! Refreshing everything that is due.

use std::sync::Arc;
use std::time::Duration;

use keyward::credential::EndReason;
use keyward::service::CredentialsError;
use keyward::store::credentials::{CredentialStore, MemoryCredentialStore, Over, PutRequest};

use super::{World, builder};
use crate::credentials::double::Fault;
use crate::credentials::exchange::{CLIENT, key};

fn hours(hours: u64) -> Duration {
    Duration::from_hours(hours)
}

#[tokio::test]
async fn each_outcome_is_reported_as_what_it_is() {
    let store: Arc<dyn CredentialStore> = Arc::new(MemoryCredentialStore::new());
    let world = World::over(Arc::clone(&store));
    let one_at_a_time = builder(&store, &world.clock, 1).concurrency(1).build();
    let good = world.sign_in("did:plc:a").await;
    let spent = world.sign_in("did:plc:b").await;
    world.double.sign_in(spent.as_str(), CLIENT, None);
    let odd = world.sign_in("did:plc:c").await;
    let mut moved = store.get(&good).await.unwrap().unwrap();
    moved.head.owner = odd.clone();
    store.put(&PutRequest::new(moved, world.now()).over(Over::Anything)).await.unwrap();
    let lost = world.sign_in("did:plc:d").await;
    let later = world.sign_in("did:plc:e").await;
    let mut far = world.session("did:plc:f", &key());
    far.expires_at = Some(world.now().saturating_add(hours(5)));
    world.credentials.put(&super::owner("did:plc:f"), far, Over::Nothing).await.unwrap();

    // The first refresh of all is asked for a nonce.
    one_at_a_time.refresh(&good).await.unwrap();
    let body = r#"{"error":"server_error"}"#.to_owned();
    let pass = Fault::Delay(Duration::ZERO);
    world.double.plan([pass, Fault::LoseAnswer, Fault::Refuse { status: 500, body }]);
    let mut progress = Vec::new();
    let deadline = world.now().saturating_add(hours(3));
    let report = one_at_a_time.refresh_expiring_with(deadline, |at| progress.push((at.done, at.due))).await.unwrap();
    assert_eq!(report.refreshed, 1, "{report:?}");
    assert_eq!(report.needs_authorization, [(spent, EndReason::InvalidGrant)]);
    assert_eq!(report.uncertain.len(), 1);
    assert_eq!(report.uncertain[0].0, lost);
    let failed: Vec<_> = report.failed.iter().map(|(owner, _)| owner.clone()).collect();
    assert_eq!(failed, [odd, later]);
    assert!(matches!(report.failed[0].1, CredentialsError::Open { .. }));
    assert!(matches!(report.failed[1].1, CredentialsError::Later { .. }));
    assert_eq!(progress, [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)], "the one that is not due is not dealt with");
}

#[tokio::test]
async fn the_deadline_decides_what_is_due() {
    let world = World::in_memory();
    for number in 0..4 {
        let did = format!("did:plc:{number}");
        let mut session = world.session(&did, &key());
        session.expires_at = (number > 0).then(|| world.now().saturating_add(hours(number)));
        world.credentials.put(&super::owner(&did), session, Over::Nothing).await.unwrap();
    }
    let report = world.credentials.refresh_expiring(world.now().saturating_add(hours(1))).await.unwrap();
    assert_eq!(report.refreshed, 2, "one that expires in an hour, and one of which nobody knows");
    // They live for an hour now.
    let report = world.credentials.refresh_expiring(world.now().saturating_add(hours(3))).await.unwrap();
    assert_eq!(report.refreshed, 4);
}

#[tokio::test]
async fn two_processes_that_sweep_at_once_refresh_each_credential_once() {
    let store: Arc<dyn CredentialStore> = Arc::new(MemoryCredentialStore::new());
    let world = World::over(Arc::clone(&store));
    for number in 0..20 {
        world.sign_in(&format!("did:plc:{number:02}")).await;
    }
    world.clock.pass(3_590);
    let deadline = world.now().saturating_add(Duration::from_mins(1));
    let (one, other) = (world.another_process(&store, 1), world.another_process(&store, 2));
    let (one, other) = tokio::join!(one.refresh_expiring(deadline), other.refresh_expiring(deadline));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.refreshed + other.refreshed, 20, "{one:?} {other:?}");
    assert_eq!(one.failed.len() + other.failed.len(), 0, "{one:?} {other:?}");
    assert_eq!((world.double.seen().refreshes, world.double.seen().replays), (20, 0));
}

#[tokio::test]
async fn a_session_that_will_end_is_said_before_it_does() {
    let world = World::in_memory();
    let owner = world.sign_in("did:plc:a").await;
    let head = world.credentials.get(&owner).await.unwrap().unwrap();
    assert_eq!(head.session_ends_at, Some(world.now().saturating_add(hours(14 * 24))), "a public client's");
    let report = world.credentials.refresh_expiring(world.now().saturating_add(hours(2))).await.unwrap();
    assert_eq!((report.refreshed, report.ending_soon), (1, Vec::new()));
    world.clock.pass(12 * 86_400 + 1);
    let report = world.credentials.refresh_expiring(world.now().saturating_add(hours(2))).await.unwrap();
    assert_eq!(report.ending_soon, [(owner.clone(), head.session_ends_at.unwrap())]);
    assert_eq!(world.credentials.counters().ending_soon, 1);
    world.clock.pass(2 * 86_400);
    let error = world.credentials.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::NeedsAuthorization(EndReason::SessionExpired)), "{error}");
}

#[tokio::test]
async fn the_background_refresh_goes_on_and_can_be_stopped() {
    let world = World::in_memory();
    let owner = world.sign_in("did:plc:a").await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let credentials = world.credentials.clone();
    let running = tokio::runtime::Handle::current().spawn(async move {
        let shutdown = async {
            let _ = stopped.await;
        };
        credentials.keep_fresh(Duration::from_millis(10), hours(2), shutdown).await;
    });
    while world.double.seen().refreshes < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(world.credentials.settle(Duration::from_secs(10)).await, 0);
    let token = world.credentials.access_token(&owner).await.unwrap();
    assert!(world.is_live("did:plc:a", token.expose_secret()));
    assert_eq!(world.double.seen().replays, 0);
}
