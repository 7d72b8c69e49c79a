//! Refreshes by reqwest.

use std::error::Error as _;
use std::sync::Arc;

use keyward::Secret;
use keyward::credential::{Attempt, ClientId, Endpoint, MAX_ANSWER_LEN, OAuthClient, RefreshRequest, TokenRequest};
use keyward::http::{ReqwestTransport, client_builder};
use keyward::service::{Credentials, Transport as _, TransportError};
use keyward::{Timestamp, key::OwnerId};
use tokio::runtime::Handle;

use super::server::{answering, redirect_to};
use crate::credentials::double::Fault;
use crate::credentials::exchange::CLIENT;
use crate::credentials::service::{World, seal_keys};

const DID: &str = "did:plc:one";

fn request(url: &str) -> TokenRequest {
    let (client, endpoint) = (OAuthClient::public(ClientId::new(CLIENT).unwrap()), Endpoint::new(url).unwrap());
    let token = Secret::new("refresh-token-1".to_owned());
    let request = RefreshRequest::new(&client, &endpoint, "https://issuer.example", &token);
    request.build(Attempt::new(Timestamp::from_micros(0), [1; 16], [2; 16]))
}

/// Credentials that are refreshed by reqwest.
async fn credentials(world: &World) -> (Credentials, OwnerId) {
    let owner = world.sign_in(DID).await;
    let transport = Arc::new(ReqwestTransport::new().unwrap());
    let builder = Credentials::builder_over(Arc::clone(&world.store), transport, Handle::current());
    let builder = builder.client(OAuthClient::public(ClientId::new(CLIENT).unwrap()));
    (builder.seal_keys(seal_keys()).clock(world.clock.clone()).build(), owner)
}

#[tokio::test]
async fn a_session_is_refreshed_while_nonces_rotate_under_it() {
    let world = World::in_memory();
    let (credentials, owner) = credentials(&world).await;
    for _ in 0..10 {
        let token = credentials.refresh(&owner).await.unwrap();
        assert!(world.is_live(DID, token.expose_secret()));
        world.double.rotate_nonces();
        world.double.rotate_nonces();
    }
    let seen = world.double.seen();
    assert_eq!((seen.refreshes, seen.replays, seen.proofs_refused), (10, 0, 0));
}

#[tokio::test]
async fn an_answer_that_is_lost_or_cut_leaves_the_outcome_open() {
    for fault in [Fault::LoseAnswer, Fault::CutAnswer, Fault::LoseRequest] {
        let world = World::in_memory();
        let (credentials, owner) = credentials(&world).await;
        credentials.refresh(&owner).await.unwrap();
        let before = world.double.seen().token_requests;
        world.double.plan([fault.clone()]);
        let error = credentials.refresh(&owner).await.unwrap_err();
        assert!(matches!(error, keyward::service::CredentialsError::Uncertain { .. }), "{fault:?}: {error}");
        assert_eq!(world.double.seen().token_requests, before + 1, "{fault:?}: it was sent once");
        assert_eq!(world.double.seen().replays, 0);
    }
}

#[tokio::test]
async fn what_never_left_is_told_from_what_may_have_arrived() {
    let transport = ReqwestTransport::new().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (silent, _) = answering("");
    let (half, _) = answering("HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\nhalf");
    let (odd, _) = answering("no HTTP at all\r\n\r\n");
    let no_tls = silent.replace("http://", "https://");
    for (url, is_sent) in [
        (format!("http://{closed}/token"), false),
        ("https://nothing.invalid/token".to_owned(), false),
        (format!("{no_tls}/token"), false),
        (format!("{silent}/token"), true),
        (format!("{half}/token"), true),
        (format!("{odd}/token"), true),
    ] {
        let error = transport.send(&request(&url)).await.unwrap_err();
        assert_eq!(matches!(error, TransportError::Broken(_)), is_sent, "{url}: {error:?}");
        let causes = std::iter::successors(error.source(), |&error| error.source());
        let shown = causes.fold(format!("{error} {error:?}"), |shown, error| format!("{shown} {error} {error:?}"));
        assert!(!shown.contains("refresh-token-1") && !shown.contains("/token"), "{shown}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (other, seen) = answering("HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\n{}");
    let (server, asked) = answering(&redirect_to(&other));
    // A builder that would follow it is overruled.
    let follows = client_builder().redirect(reqwest::redirect::Policy::limited(5));
    let host = ReqwestTransport::from_builder(follows).unwrap();
    for transport in [ReqwestTransport::new().unwrap(), host] {
        let answer = transport.send(&request(&server)).await.unwrap();
        assert_eq!(answer.status, 307);
        let asked = asked.recv().unwrap();
        assert!(asked.starts_with("POST / HTTP/1.1\r\n") && asked.contains("refresh-token-1"), "{asked}");
    }
    assert!(seen.try_recv().is_err());
}

#[tokio::test]
async fn no_more_of_a_body_is_read_than_is_understood() {
    let long = "x".repeat(3 * MAX_ANSWER_LEN);
    let (endless, _) = answering(&format!("HTTP/1.1 200 x\r\nConnection: close\r\n\r\n{long}"));
    let answer = ReqwestTransport::new().unwrap().send(&request(&endless)).await.unwrap();
    assert_eq!(answer.body.len(), MAX_ANSWER_LEN + 1);
    let exact = "x".repeat(MAX_ANSWER_LEN);
    let (server, _) = answering(&format!("HTTP/1.1 200 x\r\nConnection: close\r\n\r\n{exact}"));
    let answer = ReqwestTransport::new().unwrap().send(&request(&server)).await.unwrap();
    assert_eq!(answer.body.len(), MAX_ANSWER_LEN);
}

#[tokio::test]
async fn localhost_is_this_machine_whatever_a_server_of_names_says() {
    let (server, asked) = answering("HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\n{}");
    let url = server.replace("127.0.0.1", "localhost");
    let answer = ReqwestTransport::new().unwrap().send(&request(&url)).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
    assert!(asked.recv().unwrap().contains("refresh-token-1"));
}
