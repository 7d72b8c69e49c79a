//! Pairs that are not acceptable: the session is over, and what was given is given back.

use std::time::Duration;

use keyward::credential::{CredentialState, EndReason, Endpoint};
use keyward::key::OwnerId;
use keyward::service::CredentialsError;
use keyward::store::credentials::Over;
use serde_json::{Value, json};

use super::{World, owner};
use crate::credentials::double::{Fault, Tokens};
use crate::credentials::exchange::{CLIENT, key};
use crate::support::log::Log;

const DID: &str = "did:plc:one";
const OTHER: &str = "did:plc:two";
const LONG: Duration = Duration::from_secs(20);

/// What a server answers that mistakes the session for another one, which it has as well.
fn of_another(tokens: &Tokens) -> Value {
    json!({
        "access_token": tokens.access_token, "refresh_token": tokens.refresh_token, "token_type": "DPoP",
        "expires_in": 3600, "scope": "atproto", "sub": OTHER,
    })
}

/// A session that is refreshed, with this endpoint for revocations, and is given `answer`.
async fn is_given(world: &World, endpoint: Option<Endpoint>, answer: &Value) -> OwnerId {
    let of = owner(DID);
    let mut session = world.session(DID, &key());
    session.revocation_endpoint = endpoint;
    world.credentials.put(&of, session, Over::Anything).await.unwrap();
    world.double.plan([Fault::Spend { status: 200, body: answer.to_string() }]);
    let error = world.credentials.refresh(&of).await.unwrap_err();
    let reason = EndReason::UnacceptableAnswer;
    assert!(matches!(error, CredentialsError::NeedsAuthorization(found) if found == reason), "{error:?}");
    assert_eq!(world.credentials.settle(LONG).await, 0);
    let head = world.credentials.get(&of).await.unwrap().unwrap();
    assert!(matches!(head.state, CredentialState::Ended { reason: found, .. } if found == reason), "{:?}", head.state);
    of
}

#[tokio::test]
async fn the_tokens_of_another_account_are_revoked() {
    let (log, _listening) = Log::listen();
    let world = World::in_memory();
    let theirs = world.double.sign_in(OTHER, CLIENT, None);
    let endpoint = Endpoint::new(world.double.revocation_endpoint()).unwrap();
    // Nothing but a nonce that it has to be told again stands between it and the server.
    is_given(&world, Some(endpoint), &of_another(&theirs)).await;
    assert_eq!(world.double.current(OTHER), None, "the session of which tokens were given to us is over");
    assert_eq!(world.double.seen().revocations, 1);
    let events = log.events();
    assert!(events.contains(&"credential.unacceptable_revoked".to_owned()), "{events:?}");
}

#[tokio::test]
async fn tokens_without_a_refresh_token_are_revoked_by_themselves() {
    let world = World::in_memory();
    let theirs = world.double.sign_in(OTHER, CLIENT, None);
    let endpoint = Endpoint::new(world.double.revocation_endpoint()).unwrap();
    let mut answer = of_another(&theirs);
    answer["refresh_token"] = Value::Null;
    is_given(&world, Some(endpoint), &answer).await;
    assert_eq!(world.double.current(OTHER), None);
}

#[tokio::test]
async fn what_cannot_be_revoked_is_said_and_keeps_nobody_waiting() {
    // One where nobody listens.
    for endpoint in [None, Some(Endpoint::new("http://127.0.0.1:9/revoke").unwrap())] {
        let (log, _listening) = Log::listen();
        let world = World::in_memory();
        let theirs = world.double.sign_in(OTHER, CLIENT, None);
        is_given(&world, endpoint, &of_another(&theirs)).await;
        assert_eq!(world.double.current(OTHER), Some(theirs));
        assert_eq!(world.double.seen().revocations, 0);
        let events = log.events();
        assert!(events.contains(&"credential.unacceptable_not_revoked".to_owned()), "{events:?}");
    }
}

#[tokio::test]
async fn what_a_server_grants_is_never_revoked() {
    let world = World::in_memory();
    let of = world.sign_in(DID).await;
    world.credentials.refresh(&of).await.unwrap();
    assert_eq!(world.credentials.settle(LONG).await, 0);
    assert_eq!(world.double.seen().revocations, 0);
}
