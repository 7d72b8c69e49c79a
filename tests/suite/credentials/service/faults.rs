//! A store that fails at each step of a refresh.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward::credential::{CredentialState, DpopKey, SessionError};
use keyward::service::CredentialsError;
use keyward::store::credentials::{Claim, ClaimRequest, Over};

use super::World;
use super::store::FaultyCredentialStore;
use crate::credentials::exchange::key;

const DID: &str = "did:plc:one";

async fn expired() -> (World, FaultyCredentialStore, keyward::key::OwnerId) {
    let store = FaultyCredentialStore::default();
    let world = World::over(Arc::new(store.clone()));
    let owner = world.sign_in(DID).await;
    world.clock.pass(3_600);
    (world, store, owner)
}

#[tokio::test]
async fn a_pair_that_could_not_be_stored_is_stored_later_and_never_dropped() {
    let (world, store, owner) = expired().await;
    store.faults.saves.refused.store(3, Ordering::SeqCst);
    let token = world.credentials.access_token(&owner).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
    assert_eq!(world.double.seen().refreshes, 1);
    assert_eq!(world.credentials.counters().failed_saves, 3);
    let fresh = world.another_process(&world.store, 9).access_token(&owner).await.unwrap();
    assert_eq!(fresh.expose_secret(), token.expose_secret(), "it is in the store");
}

#[tokio::test]
async fn a_pair_whose_storing_was_not_answered_is_found_to_be_stored() {
    let (world, store, owner) = expired().await;
    let before = world.credentials.get(&owner).await.unwrap().unwrap().generation;
    store.faults.saves.unanswered.store(2, Ordering::SeqCst);
    let token = world.credentials.access_token(&owner).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
    let head = world.credentials.get(&owner).await.unwrap().unwrap();
    assert_eq!(head.generation, before + 1, "it was stored once");
    assert_eq!(world.double.seen().refreshes, 1);
}

#[tokio::test]
async fn nothing_is_sent_that_was_not_written_down_before() {
    for is_answered in [true, false] {
        let (world, store, owner) = expired().await;
        let failing = if is_answered { &store.faults.marks.refused } else { &store.faults.marks.unanswered };
        failing.store(1, Ordering::SeqCst);
        let error = world.credentials.access_token(&owner).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Store(_)), "{error}");
        assert_eq!(world.double.seen().token_requests, 0);
        let head = world.credentials.get(&owner).await.unwrap().unwrap();
        assert_eq!(head.state, CredentialState::Active, "what was written down and not sent is taken back");
        let token = world.credentials.access_token(&owner).await.unwrap();
        assert!(world.is_live(DID, token.expose_secret()));
    }
}

#[tokio::test]
async fn an_outcome_that_could_not_be_written_down_is_uncertain_at_worst() {
    let (world, store, owner) = expired().await;
    store.faults.releases.refused.store(u32::MAX, Ordering::SeqCst);
    world.double.plan([crate::credentials::double::Fault::LoseAnswer]);
    let error = world.credentials.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Uncertain { .. }), "{error}");
    world.clock.pass(100);
    let error = world.credentials.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Uncertain { .. }), "the mark stands: {error}");
    assert_eq!(world.double.seen().replays, 0);
}

#[tokio::test]
async fn a_nonce_that_could_not_be_stored_fails_no_call_and_is_counted() {
    let store = FaultyCredentialStore::default();
    let world = World::over(Arc::new(store.clone()));
    let owner = world.sign_in(DID).await;
    store.faults.nonces.refused.store(1, Ordering::SeqCst);
    let url = world.double.resource("com.example.method");
    let signed = world.credentials.authorize(&owner, "GET", &url).await.unwrap();
    let headers = [("DPoP-Nonce", "another")].into_iter().collect();
    world.credentials.answered(&owner, &signed, 200, &headers).await;
    assert_eq!(world.credentials.counters().failed_nonce_updates, 1);
}

#[tokio::test]
async fn a_session_with_another_key_is_neither_stored_nor_sent() {
    let world = World::in_memory();
    let mut session = world.session(DID, &key());
    let other = DpopKey::from_multibase("z42trhNZPkHNQh97NA8uet3WJ1zvq3628w4K1i9fjdPbTSzU").unwrap();
    session.dpop_key = Some(other);
    let owner = super::owner(DID);
    let error = world.credentials.put(&owner, session, Over::Nothing).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Session(SessionError::OtherKey)), "{error}");
    assert!(world.store.get(&owner).await.unwrap().is_none());
    assert_eq!(world.double.seen().other_keys, 0);
}

#[tokio::test]
async fn a_client_that_is_not_set_up_is_named_before_anything_is_sent() {
    let (world, _, owner) = expired().await;
    let without = keyward::service::Credentials::builder_over(
        Arc::clone(&world.store),
        Arc::new(super::transport::Tcp),
        tokio::runtime::Handle::current(),
    );
    let without = without.seal_keys(super::seal_keys()).clock(world.clock.clone()).build();
    let error = without.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::UnknownClient { .. }), "{error}");
    assert!(error.to_string().contains("client-metadata.json"), "{error}");
    assert_eq!(world.double.seen().token_requests, 0);
    let head = world.credentials.get(&owner).await.unwrap().unwrap();
    assert_eq!((head.state, head.lease_until), (CredentialState::Active, None), "the lease is given back");
}

#[tokio::test]
async fn a_clock_that_runs_ahead_takes_no_lease_from_a_live_exchange() {
    let (world, _, owner) = expired().await;
    world.double.plan([crate::credentials::double::Fault::Delay(Duration::from_millis(300))]);
    let ahead = super::Seconds::start();
    ahead.pass(3_600 + 300);
    let other = super::builder(&world.store, &ahead, 5).build();
    let (first, owner_too) = (world.credentials.clone(), owner.clone());
    let first = tokio::runtime::Handle::current().spawn(async move { first.access_token(&owner_too).await });
    tokio::time::sleep(Duration::from_millis(150)).await;
    let error = other.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Uncertain { .. }), "to that clock the lease is over: {error}");
    assert!(world.is_live(DID, first.await.unwrap().unwrap().expose_secret()), "the pair is stored all the same");
    assert_eq!((world.double.seen().refreshes, world.double.seen().replays), (1, 0));
}

#[tokio::test]
async fn a_lease_that_nobody_ended_is_taken_over_and_counted() {
    let (world, _, owner) = expired().await;
    let until = world.now().saturating_add(Duration::from_secs(15));
    let claim = ClaimRequest::new(owner.clone(), world.now(), until);
    assert!(matches!(world.store.claim(&claim).await.unwrap(), Claim::Won(_)), "by a process that ends here");
    world.clock.pass(16);
    let token = world.credentials.access_token(&owner).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
    assert_eq!(world.credentials.counters().leases_taken_over, 1);
    assert_eq!(world.double.seen().refreshes, 1);
}
