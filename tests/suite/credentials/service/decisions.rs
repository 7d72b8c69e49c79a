//! What somebody decides, stores anew or wipes while a refresh is under way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward::credential::CredentialState;
use keyward::service::CredentialsError;
use keyward::store::credentials::Over;
use tokio::runtime::Handle;

use super::World;
use super::store::FaultyCredentialStore;
use crate::credentials::double::Fault;
use crate::credentials::exchange::key;

const DID: &str = "did:plc:one";

async fn uncertain() -> (World, keyward::key::OwnerId) {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    // From then on the server's nonce is known, and one refresh is one request.
    world.credentials.refresh(&owner).await.unwrap();
    world.clock.pass(3_600);
    world.double.plan([Fault::LoseRequest]);
    let error = world.credentials.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Uncertain { .. }), "{error}");
    (world, owner)
}

#[tokio::test]
async fn a_decision_that_bought_nothing_says_nothing_of_what_was_sent_before() {
    let (world, owner) = uncertain().await;
    let before = world.credentials.get(&owner).await.unwrap().unwrap().state;
    let body = r#"{"error":"server_error"}"#.to_owned();
    world.double.plan([Fault::Refuse { status: 500, body }]);
    let error = world.credentials.retry_uncertain(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Later { .. }), "{error}");
    world.clock.pass(600);
    let asked = world.double.seen().token_requests;
    let error = world.credentials.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Uncertain { .. }), "it is not sent again by itself: {error}");
    assert_eq!(world.double.seen().token_requests, asked);
    let head = world.credentials.get(&owner).await.unwrap().unwrap();
    assert_eq!((head.state, head.lease_until), (before, None), "and since when is not forgotten");
    let token = world.credentials.retry_uncertain(&owner).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
}

#[tokio::test]
async fn a_decision_is_good_for_the_loss_that_was_seen_and_for_no_later_one() {
    let (world, owner) = uncertain().await;
    world.double.plan([Fault::Stall(Duration::from_millis(400)), Fault::LoseRequest]);
    let (first, owner_too) = (world.credentials.clone(), owner.clone());
    let first = Handle::current().spawn(async move { first.retry_uncertain(&owner_too).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = world.another_process(&world.store, 2).retry_uncertain(&owner).await.unwrap_err();
    assert!(matches!(second, CredentialsError::Uncertain { .. }), "{second}");
    let first = first.await.unwrap().unwrap_err();
    assert!(matches!(first, CredentialsError::Uncertain { .. }), "{first}");
    assert_eq!(world.double.planned().len(), 0);
    assert_eq!(world.double.seen().token_requests, 4, "two at first, one that was lost, and one by decision");
}

#[tokio::test]
async fn a_pair_of_a_session_that_was_wiped_does_not_take_the_place_of_the_next_one() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    world.clock.pass(3_600);
    world.double.plan([Fault::Delay(Duration::from_millis(400))]);
    let (caller, owner_too) = (world.credentials.clone(), owner.clone());
    let caller = Handle::current().spawn(async move { caller.access_token(&owner_too).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Its owner disconnects, and connects again.
    assert!(world.credentials.wipe(&owner).await.unwrap());
    world.credentials.put(&owner, world.session(DID, &key()), Over::Nothing).await.unwrap();
    let error = caller.await.unwrap().unwrap_err();
    assert!(matches!(error, CredentialsError::Replaced), "{error}");
    let fresh = world.another_process(&world.store, 3);
    assert!(world.is_live(DID, fresh.access_token(&owner).await.unwrap().expose_secret()));
    assert!(world.is_live(DID, fresh.refresh(&owner).await.unwrap().expose_secret()), "the new session lives");
    let head = fresh.get(&owner).await.unwrap().unwrap();
    assert_eq!(head.state, CredentialState::Active);
}

#[tokio::test]
async fn what_was_read_before_a_wipe_is_not_handed_out_after_it() {
    for in_a_transaction_of_the_hosts in [false, true] {
        let store = FaultyCredentialStore::default();
        let world = World::over(Arc::new(store.clone()));
        let owner = world.sign_in(DID).await;
        let held = store.faults.reading.lock().await;
        let looks = store.faults.calls.load(Ordering::SeqCst);
        let (reader, owner_too) = (world.credentials.clone(), owner.clone());
        let reader = Handle::current().spawn(async move { reader.access_token(&owner_too).await });
        while store.faults.calls.load(Ordering::SeqCst) == looks {
            tokio::task::yield_now().await;
        }
        if in_a_transaction_of_the_hosts {
            assert!(world.store.wipe(&owner).await.unwrap());
            world.credentials.forget(&owner);
        } else {
            assert!(world.credentials.wipe(&owner).await.unwrap());
        }
        drop(held);
        // Who asked before the wipe may still be given it, and nobody else.
        assert!(reader.await.unwrap().is_ok());
        let error = world.credentials.access_token(&owner).await.unwrap_err();
        assert!(matches!(error, CredentialsError::NotFound), "{error}");
    }
}
