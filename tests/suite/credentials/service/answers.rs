//! Answers that are laid down beforehand, where the strict server never gives them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::Secret;
use keyward::credential::{
    ClientId, CoordinateForm, CredentialState, DpopKey, OAuthClient, OAuthSession, TokenRequest, TokenType,
};
use keyward::service::{Credentials, CredentialsError, Transport, TransportAnswer, TransportError};
use keyward::store::credentials::{Over, SaveRequest};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::store::FaultyCredentialStore;
use super::{World, owner};
use crate::credentials::exchange::{CLIENT, key};

const DID: &str = "did:plc:one";

type Answering = Pin<Box<dyn Future<Output = TransportAnswer> + Send>>;
type Answer = Box<dyn FnOnce() -> Answering + Send>;

/// Gives each answer once, in their order, and has none for a request that should not have been sent.
#[derive(Clone, Default)]
struct LaidDown {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<AtomicUsize>,
}

impl LaidDown {
    fn then<F: Future<Output = TransportAnswer> + Send + 'static>(
        self,
        answer: impl FnOnce() -> F + Send + 'static,
    ) -> Self {
        self.answers.lock().unwrap().push_back(Box::new(move || Box::pin(answer())));
        self
    }

    fn then_json(self, status: u16, body: Value) -> Self {
        self.then(move || async move { answer(status, &body) })
    }

    /// How many requests were sent.
    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn service(&self, world: &World) -> Credentials {
        Credentials::builder_over(Arc::clone(&world.store), Arc::new(self.clone()), Handle::current())
            .seal_keys(super::seal_keys())
            .client(OAuthClient::public(ClientId::new(CLIENT).unwrap()))
            .clock(world.clock.clone())
            .random(StdRng::seed_from_u64(5))
            .build()
    }
}

#[async_trait]
impl Transport for LaidDown {
    async fn send(&self, _request: &TokenRequest) -> Result<TransportAnswer, TransportError> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let next = self.answers.lock().unwrap().pop_front();
        Ok(next.expect("an answer is laid down for each request")().await)
    }
}

fn answer(status: u16, body: &Value) -> TransportAnswer {
    let headers = [("DPoP-Nonce", "another"), ("Content-Type", "application/json")].into_iter().collect();
    TransportAnswer::new(status, headers, body.to_string().into_bytes())
}

fn pair(access_token: &str) -> Value {
    json!({
        "access_token": access_token, "refresh_token": "the next refresh token", "token_type": "DPoP", "expires_in": 3600,
        "scope": "atproto",
    })
}

/// A session of a server of which nothing is asked but what RFC 6749 says.
async fn plain_session(world: &World, session: impl FnOnce(&mut OAuthSession)) -> keyward::key::OwnerId {
    let owner = owner(DID);
    let mut plain = world.session(DID, &key());
    session(&mut plain);
    world.credentials.put(&owner, plain, Over::Nothing).await.unwrap();
    world.clock.pass(3_600);
    owner
}

#[tokio::test]
async fn a_pair_that_came_late_is_not_followed_by_a_second_request() {
    let world = World::in_memory();
    let owner = plain_session(&world, |_| {}).await;
    let (store, of, at) = (Arc::clone(&world.store), owner.clone(), world.now());
    let transport = LaidDown::default().then(move || async move {
        // Somebody took the exchange for dead, and its pair arrives now.
        let sent = store.get(&of).await.unwrap().unwrap();
        assert!(matches!(sent.head.state, CredentialState::Sent { .. }));
        let mut save = SaveRequest::new(of, sent.head.generation, sent.secrets, at);
        save.expires_at = Some(at.saturating_add(Duration::from_hours(1)));
        assert!(store.save(&save).await.unwrap());
        answer(400, &json!({"error": "use_dpop_nonce"}))
    });
    let error = transport.service(&world).access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Busy { .. }), "{error:?}");
    assert_eq!(transport.requests(), 1);
    let head = world.credentials.get(&owner).await.unwrap().unwrap();
    assert_eq!(head.state, CredentialState::Active, "what was stored stays");
    assert!(world.credentials.access_token(&owner).await.is_ok());
    assert_eq!(world.double.seen().token_requests, 0);
}

#[tokio::test]
async fn an_account_is_named_in_the_answer_where_accounts_are_named_by_dids() {
    for (subject, is_refreshed) in [("account 7", true), (DID, false)] {
        let world = World::in_memory();
        let owner = plain_session(&world, |session| session.subject = Some(subject.to_owned())).await;
        // What may not be used is revoked where it came from, beside the caller.
        let transport = LaidDown::default().then_json(200, pair("opaque")).then_json(200, json!({}));
        let token = transport.service(&world).access_token(&owner).await;
        if is_refreshed {
            assert_eq!(token.unwrap().expose_secret(), "opaque");
            assert_eq!(transport.requests(), 1);
        } else {
            assert!(matches!(token, Err(CredentialsError::NeedsAuthorization(_))), "{token:?}");
        }
    }
}

#[tokio::test]
async fn a_new_token_that_names_no_key_leaves_the_key_in_the_form_that_the_server_knows() {
    let mut random = StdRng::seed_from_u64(1);
    let short = loop {
        let key = DpopKey::generate(&mut random).unwrap();
        if key.jwk(CoordinateForm::Padded) != key.jwk(CoordinateForm::Unpadded) {
            break key;
        }
    };
    for form in [CoordinateForm::Padded, CoordinateForm::Unpadded] {
        let world = World::in_memory();
        let jkt = short.thumbprint(form);
        let tokens = world.double.sign_in(DID, CLIENT, Some(&jkt));
        let owner = plain_session(&world, |session| {
            session.access_token = Secret::new(tokens.access_token);
            session.dpop_key = Some(short.clone());
            session.subject = None;
        })
        .await;
        let credentials = LaidDown::default().then_json(200, pair("opaque")).service(&world);
        let signed = credentials.authorize(&owner, "GET", &world.double.resource("com.example.method")).await.unwrap();
        assert_eq!((signed.token.expose_secret(), signed.token.token_type()), ("opaque", TokenType::Dpop));
        let proof = signed.proof.unwrap();
        let header = URL_SAFE_NO_PAD.decode(proof.expose_secret().split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["jwk"], serde_json::from_str::<Value>(&short.jwk(form)).unwrap(), "{form:?}");
    }
}

#[tokio::test]
async fn what_a_slow_answer_has_settled_is_written_down_though_the_store_fails_meanwhile() {
    let store = FaultyCredentialStore::default();
    let world = World::over(Arc::new(store.clone()));
    let owner = plain_session(&world, |_| {}).await;
    let clock = world.clock.clone();
    let transport = LaidDown::default().then(move || async move {
        // Longer than the lease that the exchange had before it sent.
        clock.pass(20);
        answer(503, &json!({"error": "temporarily_unavailable"}))
    });
    let credentials = transport.service(&world);
    // More than the caller waits for.
    store.faults.releases.refused.store(6, Ordering::SeqCst);
    let error = credentials.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Later { .. }), "{error:?}");
    assert_eq!(credentials.settle(Duration::from_secs(20)).await, 0);
    let head = world.credentials.get(&owner).await.unwrap().unwrap();
    assert_eq!((head.state, head.lease_until), (CredentialState::Active, None), "nothing was spent, and it is known");
}

#[tokio::test]
async fn an_exchange_that_panics_is_an_outage_and_then_uncertain() {
    let world = World::in_memory();
    let owner = plain_session(&world, |_| {}).await;
    let transport = LaidDown::default();
    let credentials = transport.service(&world);
    let error = credentials.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Busy { .. }), "nobody knows yet how far it came: {error:?}");
    assert_eq!(credentials.settle(Duration::from_secs(10)).await, 0);
    let head = world.credentials.get(&owner).await.unwrap().unwrap();
    assert!(matches!(head.state, CredentialState::Sent { .. }), "{:?}", head.state);
    world.clock.pass(100);
    let error = world.credentials.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Uncertain { .. }), "{error:?}");
    assert_eq!((transport.requests(), world.double.seen().token_requests), (1, 0));
}
