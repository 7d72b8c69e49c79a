//! The resource server: proofs with the token's hash, nonces of its own, and tokens that a refresh has replaced.

use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward::Secret;
use keyward::credential::{CoordinateForm, DpopNonce, DpopProof, ResourceAnswer, ResourceChallenge, TokenOutcome};

use super::exchange::{Session, key, send};

async fn call(session: &mut Session, token: &Secret, nonce: Option<&DpopNonce>) -> (u16, ResourceAnswer) {
    let url = format!("{}?limit=50", session.double.resource("com.example.method"));
    let (at, id) = (session.now(), session.next_id());
    let mut headers = Vec::new();
    let authorization;
    let proof;
    if let Some(key) = &session.key {
        proof = DpopProof::new("GET", &url, at, id).nonce(nonce).access_token(token).sign(key, session.form);
        headers.push(("DPoP", proof.as_str()));
        authorization = format!("DPoP {}", token.expose_secret());
    } else {
        authorization = format!("Bearer {}", token.expose_secret());
    }
    headers.push(("Authorization", authorization.as_str()));
    let raw = send("GET", &url, &headers, "").await.unwrap();
    (raw.status, ResourceAnswer::understand(raw.status, &raw.headers))
}

fn copy(secret: &Secret) -> Secret {
    Secret::new(secret.expose_secret().to_owned())
}

#[tokio::test]
async fn a_call_is_let_in_once_it_has_the_resource_servers_nonce() {
    let mut session = Session::begin(Some(key()), CoordinateForm::Padded);
    let token = copy(&session.access_token);
    let (status, answer) = call(&mut session, &token, None).await;
    assert_eq!((status, answer.challenge), (401, Some(ResourceChallenge::UseNonce)));
    let nonce = answer.nonce.unwrap();
    let (status, answer) = call(&mut session, &token, Some(&nonce)).await;
    assert_eq!((status, answer.challenge), (200, None));

    // The authorization server's nonce is another.
    assert!(matches!(session.refresh().await, Some(TokenOutcome::Refreshed(_))));
    let (other, token) = (session.nonce.clone().unwrap(), copy(&session.access_token));
    assert_ne!(other, nonce);
    assert_eq!(call(&mut session, &token, Some(&other)).await.1.challenge, Some(ResourceChallenge::UseNonce));
}

#[tokio::test]
async fn a_token_that_a_refresh_replaced_is_invalid_at_once() {
    let mut session = Session::begin(Some(key()), CoordinateForm::Padded);
    let old = copy(&session.access_token);
    let nonce = call(&mut session, &old, None).await.1.nonce;
    assert!(matches!(session.refresh().await, Some(TokenOutcome::Refreshed(_))));
    let (status, answer) = call(&mut session, &old, nonce.as_ref()).await;
    assert_eq!((status, answer.challenge), (401, Some(ResourceChallenge::InvalidToken)));
    let new = copy(&session.access_token);
    assert_eq!(call(&mut session, &new, nonce.as_ref()).await.0, 200);
    assert_eq!(session.double.seen().calls, 1);
}

#[tokio::test]
async fn a_bearer_token_is_presented_by_itself() {
    let mut session = Session::begin(None, CoordinateForm::Padded);
    let token = copy(&session.access_token);
    assert_eq!(call(&mut session, &token, None).await.0, 200);
    let unknown = Secret::new("unknown".to_owned());
    assert_eq!(call(&mut session, &unknown, None).await.1.challenge, Some(ResourceChallenge::InvalidToken));
}

#[tokio::test]
async fn a_token_dies_at_its_expiry() {
    let mut session = Session::begin(None, CoordinateForm::Padded);
    session.double.set_lifetime(60);
    let Some(TokenOutcome::Refreshed(pair)) = session.refresh().await else { panic!("no refresh") };
    assert_eq!(pair.expires_in, Some(Duration::from_mins(1)));
    session.clock.fetch_add(59, Ordering::SeqCst);
    assert_eq!(call(&mut session, &pair.access_token, None).await.0, 200);
    session.clock.fetch_add(1, Ordering::SeqCst);
    let answer = call(&mut session, &pair.access_token, None).await.1;
    assert_eq!(answer.challenge, Some(ResourceChallenge::InvalidToken));
}
