//! Calls of the resource server.

use keyward::key::OwnerId;
use keyward::service::{AfterAnswer, Credentials, CredentialsError};

use super::World;
use crate::credentials::exchange::send;

const DID: &str = "did:plc:one";

/// A call as a caller makes it: once, and once more if it may be sent again.
async fn call(credentials: &Credentials, owner: &OwnerId, url: &str) -> (u16, u32) {
    for sent in 1.. {
        let signed = credentials.authorize(owner, "GET", url).await.unwrap();
        let mut headers = vec![("Authorization", signed.authorization.expose_secret())];
        headers.extend(signed.proof.as_ref().map(|proof| ("DPoP", proof.expose_secret())));
        let answer = send("GET", url, &headers, "").await.unwrap();
        let after = credentials.answered(owner, &signed, answer.status, &answer.headers).await;
        if after == AfterAnswer::Done || sent == 2 {
            return (answer.status, sent);
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_call_learns_the_nonce_and_remembers_it() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let url = format!("{}?limit=50#top", world.double.resource("com.example.method"));
    let url = url.split('#').next().unwrap();
    assert_eq!(call(&world.credentials, &owner, url).await, (200, 2), "the first one is asked for a nonce");
    assert_eq!(call(&world.credentials, &owner, url).await, (200, 1));
    let other = world.another_process(&world.store, 1);
    assert_eq!(call(&other, &owner, url).await, (200, 1), "another process has it from the store");
    world.double.rotate_nonces();
    world.double.rotate_nonces();
    assert_eq!(call(&world.credentials, &owner, url).await, (200, 2));
    assert_eq!(world.double.seen().token_requests, 0);
}

#[tokio::test]
async fn a_token_that_another_process_has_replaced_is_exchanged_for_the_new_one() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let url = world.double.resource("com.example.method");
    assert_eq!(call(&world.credentials, &owner, &url).await.0, 200);
    world.another_process(&world.store, 1).refresh(&owner).await.unwrap();
    // The server no longer takes the token that this process knows to be good for an hour.
    assert_eq!(call(&world.credentials, &owner, &url).await, (200, 2));
    assert_eq!(world.double.seen().refreshes, 1);
}

#[tokio::test]
async fn a_token_that_its_server_refuses_is_refreshed_once_and_the_end_is_found_out() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let url = world.double.resource("com.example.method");
    // Nobody knows here that the session was ended there.
    world.double.sign_in(DID, crate::credentials::exchange::CLIENT, None);
    assert_eq!(call(&world.credentials, &owner, &url).await.0, 401);
    let error = world.credentials.authorize(&owner, "GET", &url).await.unwrap_err();
    assert!(matches!(error, CredentialsError::NeedsAuthorization(_)), "{error}");
    assert_eq!(world.double.seen().token_requests, 2, "one attempt, and once more for the nonce");
}

#[tokio::test]
async fn a_token_is_signed_for_its_own_server_alone() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    for url in ["https://evil.example/", "http://127.0.0.1:1/", "http://evil.example/", ""] {
        let error = world.credentials.authorize(&owner, "GET", url).await.unwrap_err();
        assert!(matches!(error, CredentialsError::OtherServer), "{url}: {error}");
    }
}

#[tokio::test]
async fn nothing_that_is_printed_shows_a_token() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let tokens = world.double.current(DID).unwrap();
    let url = world.double.resource("com.example.method");
    let signed = world.credentials.authorize(&owner, "GET", &url).await.unwrap();
    let record = world.store.get(&owner).await.unwrap().unwrap();
    let session = world.session(DID, &crate::credentials::exchange::key());
    let token = world.credentials.access_token(&owner).await.unwrap();
    let shown = format!("{signed:?} {record:?} {session:?} {token:?} {:?}", world.credentials);
    for secret in [&tokens.access_token, &tokens.refresh_token] {
        assert!(!shown.contains(secret.as_str()));
    }
}
