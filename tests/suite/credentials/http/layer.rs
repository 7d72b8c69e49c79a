//! The layer over hyper's client, and over clients of a few lines.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use keyward::http::{CallError, OnBehalfOf, SignCalls};
use keyward::service::CredentialsError;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

use super::server::{answering, redirect_to};
use crate::credentials::service::World;

const DID: &str = "did:plc:one";

type Body = Full<&'static [u8]>;

fn hyper() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn post(url: &str) -> Request<Body> {
    Request::post(url).body(Full::new(&b"{}"[..])).unwrap()
}

#[tokio::test]
async fn hypers_client_calls_out_in_one_line() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let url = world.double.resource("com.example.method?limit=50");
    let mut client = SignCalls::new(world.credentials.clone()).owner(owner.clone()).layer(hyper());
    for rotations in [0, 0, 2] {
        for _ in 0..rotations {
            world.double.rotate_nonces();
        }
        assert_eq!(client.ready().await.unwrap().call(post(&url)).await.unwrap().status(), 200);
    }
    assert_eq!(world.double.seen().calls, 3);
    assert_eq!(world.double.seen().nonces_demanded, 2, "for the first call, and after the rotation");
    world.another_process(&world.store, 1).refresh(&owner).await.unwrap();
    assert_eq!(client.call(post(&url)).await.unwrap().status(), 200, "the token was replaced");
}

#[tokio::test]
async fn the_owner_of_a_request_counts_more_than_that_of_the_layer() {
    let world = World::in_memory();
    let (one, two) = (world.sign_in("did:plc:a").await, world.sign_in("did:plc:b").await);
    let tokens = [&one, &two].map(|owner| world.double.current(owner.as_str()).unwrap().access_token);
    let client = service_fn(|request: Request<Body>| async move {
        assert!(request.headers()["authorization"].is_sensitive() && request.headers()["dpop"].is_sensitive());
        assert!(!format!("{request:?}").contains("DPoP "), "no token is printed");
        Ok::<_, Infallible>(Response::new(request.headers()["authorization"].to_str().unwrap().to_owned()))
    });
    let url = world.double.resource("com.example.method");
    let layer = SignCalls::new(world.credentials.clone());
    let error = layer.clone().layer(client).call(post(&url)).await.unwrap_err();
    assert!(matches!(error, CallError::NoOwner), "{error}");
    let mut client = layer.owner(one).layer(client);
    let mut named = post(&url);
    named.extensions_mut().insert(OnBehalfOf(two));
    for (request, token) in [(post(&url), &tokens[0]), (named, &tokens[1])] {
        let mut request = request;
        request.headers_mut().insert("authorization", "Basic bm8=".parse().unwrap());
        assert_eq!(client.call(request).await.unwrap().into_body(), format!("DPoP {token}"));
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_had_twice_is_sent_once() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let url = world.double.resource("com.example.method");
    let once = SignCalls::new(world.credentials.clone()).owner(owner).repeat_body(|_: &Body| None);
    let mut client = once.layer(hyper());
    assert_eq!(client.call(post(&url)).await.unwrap().status(), 401, "it is handed through");
    assert_eq!(client.call(post(&url)).await.unwrap().status(), 200, "and its nonce is kept");
}

/// As web frameworks have them: bodies that tasks cannot share, and that cannot be cloned.
#[tokio::test]
async fn a_body_of_any_kind_is_had_twice_where_somebody_says_how() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let empty = || UnsyncBoxBody::new(Empty::<&[u8]>::new());
    let repeat = move |_: &UnsyncBoxBody<_, _>| Some(empty());
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut client = SignCalls::new(world.credentials.clone()).owner(owner).repeat_body(repeat).layer(client);
    let request = Request::get(world.double.resource("com.example.method")).body(empty()).unwrap();
    let called = tokio::task::JoinSet::from_iter([client.call(request)]).join_all().await;
    assert_eq!(called[0].as_ref().unwrap().status(), 200);
}

#[tokio::test]
async fn a_server_that_always_asks_for_a_nonce_is_asked_twice() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let client = service_fn(move |_: Request<Body>| {
        let nonce = format!("n-{}", counted.fetch_add(1, Ordering::SeqCst));
        let response = Response::builder().status(401).header("DPoP-Nonce", nonce);
        let response = response.header("WWW-Authenticate", r#"DPoP error="use_dpop_nonce""#);
        std::future::ready(Ok::<_, Infallible>(response.body(()).unwrap()))
    });
    let mut client = SignCalls::new(world.credentials.clone()).owner(owner).layer(client);
    assert_eq!(client.call(post(&world.double.resource("a"))).await.unwrap().status(), 401);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_is_shown_to_no_other_origin() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let (evil, seen) = answering("HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n");
    let mut client = SignCalls::new(world.credentials.clone()).owner(owner.clone()).layer(hyper());
    for url in [evil.as_str(), "/relative", "http://evil.example/"] {
        let error = client.call(post(url)).await.unwrap_err();
        assert!(matches!(error, CallError::Credentials(CredentialsError::OtherServer)), "{url}: {error}");
    }
    let (server, _) = answering(&redirect_to(&evil));
    let mut session = world.session(DID, &crate::credentials::exchange::key());
    session.resource_server = Some(server.clone());
    world.credentials.put(&owner, session, keyward::store::credentials::Over::Anything).await.unwrap();
    let response = client.call(post(&server)).await.unwrap();
    assert_eq!(response.status(), 307);
    // Whoever follows it outside of the layer comes by here again.
    let next = response.headers()["location"].to_str().unwrap();
    let error = client.call(post(next)).await.unwrap_err();
    assert!(matches!(error, CallError::Credentials(CredentialsError::OtherServer)), "{error}");
    assert!(seen.try_recv().is_err(), "nothing was sent");
}
