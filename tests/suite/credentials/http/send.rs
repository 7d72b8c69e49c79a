//! Calls by reqwest in one line.

use keyward::http::{CallError, client_builder};
use keyward::service::CredentialsError;

use super::server::{answering, redirect_to};
use crate::credentials::service::World;

const DID: &str = "did:plc:one";

fn strict() -> reqwest::Client {
    client_builder().build().unwrap()
}

#[tokio::test]
async fn a_call_is_signed_and_repeated_for_a_nonce_alone() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let (client, url) = (strict(), world.double.resource("com.example.method?limit=50"));
    for expected in [1, 1, 2] {
        if expected == 2 {
            world.double.rotate_nonces();
            world.double.rotate_nonces();
        }
        let before = world.double.seen();
        let response = world.credentials.send(&owner, client.post(&url).body("{}")).await.unwrap();
        assert_eq!(response.status(), 200);
        let calls = world.double.seen();
        let sent = calls.calls + calls.calls_refused - before.calls - before.calls_refused;
        // The very first call has no nonce yet.
        assert_eq!(sent, if before.calls == 0 { 2 } else { expected });
    }
    assert_eq!(world.double.seen().token_requests, 0);
}

#[tokio::test]
async fn a_token_that_another_process_has_replaced_is_exchanged_for_the_new_one() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let (client, url) = (strict(), world.double.resource("com.example.method"));
    assert_eq!(world.credentials.send(&owner, client.get(&url)).await.unwrap().status(), 200);
    world.another_process(&world.store, 1).refresh(&owner).await.unwrap();
    assert_eq!(world.credentials.send(&owner, client.get(&url)).await.unwrap().status(), 200);
    assert_eq!(world.double.seen().refreshes, 1);
}

#[tokio::test]
async fn a_token_is_shown_to_no_other_origin() {
    let world = World::in_memory();
    let (evil, seen) = answering("HTTP/1.1 200 x\r\nDPoP-Nonce: evil\r\nContent-Length: 0\r\n\r\n");
    let owner = world.sign_in(DID).await;
    let error = world.credentials.send(&owner, strict().get(&evil)).await.unwrap_err();
    assert!(matches!(error, CallError::Credentials(CredentialsError::OtherServer)), "{error}");
    assert!(seen.try_recv().is_err(), "nothing was sent");

    // A resource server that sends its callers elsewhere.
    let (server, asked) = answering(&redirect_to(&evil));
    let mut session = world.session(DID, &crate::credentials::exchange::key());
    let token = session.access_token.expose_secret().to_owned();
    session.resource_server = Some(server.clone());
    world.credentials.put(&owner, session, keyward::store::credentials::Over::Anything).await.unwrap();
    let response = world.credentials.send(&owner, strict().get(&server)).await.unwrap();
    assert_eq!(response.status(), 307, "it is handed through");
    assert!(asked.recv().unwrap().contains(&token));
    assert!(seen.try_recv().is_err());

    // A client that follows in spite of what is written: the token stays behind, and nothing is learnt over there.
    let follows = client_builder().redirect(reqwest::redirect::Policy::limited(5)).build().unwrap();
    let response = world.credentials.send(&owner, follows.get(&server)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!seen.recv().unwrap().contains(&token));
    let head = world.credentials.get(&owner).await.unwrap().unwrap();
    assert_eq!(head.nonces.resource_server, None);
}

#[tokio::test]
async fn what_cannot_be_called_says_why() {
    let world = World::in_memory();
    let nobody = crate::credentials::service::owner("did:plc:nobody");
    let error = world.credentials.send(&nobody, strict().get(world.double.resource("a"))).await.unwrap_err();
    assert!(matches!(error, CallError::Credentials(CredentialsError::NotFound)), "{error}");
    let error = world.credentials.send(&nobody, strict().get("no url")).await.unwrap_err();
    assert!(matches!(error, CallError::Client(_)), "{error}");
}
