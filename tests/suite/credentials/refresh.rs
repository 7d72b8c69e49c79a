//! The token endpoint: nonces, rotation, replays, other keys, lost answers, and clients of each kind.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::Secret;
use keyward::credential::{
    Attempt, ClientAuthentication, ClientId, ClientKey, CoordinateForm, DpopKey, EndCause, Endpoint, KeyBinding,
    OAuthClient, RevocationAnswer, RevocationOutcome, RevocationRequest, ServerAnswer, TokenOutcome, Unacceptable,
    Unreadable,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::double::{Client, Fault};
use super::exchange::{CLIENT, DID, Session, key, send};

fn public() -> Session {
    Session::begin(Some(key()), CoordinateForm::Padded)
}

fn is_refreshed(outcome: Option<&TokenOutcome>) -> bool {
    matches!(outcome, Some(TokenOutcome::Refreshed(_)))
}

/// A key of which one coordinate is short.
fn affected() -> DpopKey {
    let mut scalars = (0_u32..1_000).map(|number| Sha256::digest(number.to_be_bytes()));
    scalars
        .find_map(|scalar| {
            let mut text = [0; 47];
            bs58::encode([&[0x86, 0x26][..], &scalar].concat()).onto(text.as_mut_slice()).unwrap();
            let key = DpopKey::from_multibase(&format!("z{}", std::str::from_utf8(&text).unwrap())).unwrap();
            (key.thumbprint(CoordinateForm::Padded) != key.thumbprint(CoordinateForm::Unpadded)).then_some(key)
        })
        .unwrap()
}

#[tokio::test]
async fn a_hundred_refreshes_with_rotating_nonces_leave_the_session_alive() {
    let mut session = public();
    for round in 0..100 {
        if round % 3 == 0 {
            session.double.rotate_nonces();
        }
        if round % 10 == 5 {
            session.double.plan([Fault::DemandNonce]);
        }
        let outcome = session.refresh().await;
        assert!(is_refreshed(outcome.as_ref()), "round {round}: {outcome:?}");
        let current = session.double.current(DID).unwrap();
        assert_eq!(session.refresh_token.expose_secret(), current.refresh_token);
    }
    let seen = session.double.seen();
    assert_eq!((seen.refreshes, seen.replays, seen.proofs_refused), (100, 0, 0));
    // The first has no nonce; those that lag one behind are still good.
    assert_eq!((seen.nonces_demanded, seen.token_requests), (11, 111));
}

#[tokio::test]
async fn a_session_is_refreshed_in_the_form_of_its_key_and_dies_of_the_other() {
    for form in [CoordinateForm::Padded, CoordinateForm::Unpadded] {
        let mut session = Session::begin(Some(affected()), form);
        assert_eq!(session.form, form);
        assert!(is_refreshed(session.refresh().await.as_ref()));
        session.form = if form == CoordinateForm::Padded { CoordinateForm::Unpadded } else { CoordinateForm::Padded };
        let outcome = session.refresh().await;
        assert!(matches!(outcome, Some(TokenOutcome::Ended { cause: EndCause::OtherKey, .. })), "{outcome:?}");
        assert!(!session.is_alive() && session.double.seen().other_keys == 1);
    }
}

#[tokio::test]
async fn another_key_is_known_before_it_costs_the_session() {
    let mut session = public();
    assert_eq!(affected().binding(session.access_token.expose_secret()), KeyBinding::OtherKey);
    session.key = Some(affected());
    assert!(matches!(session.refresh().await, Some(TokenOutcome::Ended { cause: EndCause::OtherKey, .. })));
}

#[tokio::test]
async fn a_lost_answer_spends_the_token_and_its_second_use_ends_the_session() {
    for fault in [Fault::LoseAnswer, Fault::CutAnswer] {
        let mut session = public();
        session.double.plan([fault]);
        assert!(session.refresh().await.is_none());
        assert!(session.is_alive());
        let outcome = session.refresh().await;
        assert!(matches!(outcome, Some(TokenOutcome::Ended { cause: EndCause::Replayed, .. })), "{outcome:?}");
        assert!(!session.is_alive());
    }
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_later_and_the_session_goes_on() {
    let mut session = public();
    let body = || r#"{"error":"server_error"}"#.to_owned();
    let page = || "<html>502 Bad Gateway</html>".to_owned();
    for fault in [Fault::Refuse { status: 500, body: body() }, Fault::Refuse { status: 502, body: page() }] {
        session.double.plan([fault]);
        assert!(matches!(session.refresh().await, Some(TokenOutcome::Later { .. })));
    }
    session.double.plan([Fault::LoseRequest]);
    assert!(session.refresh().await.is_none());
    assert!(is_refreshed(session.refresh().await.as_ref()));
}

#[tokio::test]
async fn what_is_spent_without_usable_tokens_is_told_apart() {
    let pair = json!({
        "access_token": "a", "refresh_token": "r", "token_type": "DPoP", "scope": "atproto", "sub": "did:plc:other",
    });
    let mut session = public();
    session.double.plan([Fault::Spend { status: 200, body: pair.to_string() }]);
    let outcome = session.refresh().await;
    assert!(matches!(outcome, Some(TokenOutcome::Unacceptable { reason: Unacceptable::Subject, .. })), "{outcome:?}");

    let mut session = public();
    session.double.plan([Fault::Spend { status: 200, body: "<html>".to_owned() }]);
    assert!(matches!(session.refresh().await, Some(TokenOutcome::Uncertain(Unreadable::NotJson))));
}

#[tokio::test]
async fn a_clock_may_be_off_by_two_minutes_and_no_more() {
    let mut session = public();
    for (skew, is_good) in [(120, true), (-120, true), (121, false), (-300, false), (0, true)] {
        session.skew = skew;
        let outcome = session.refresh().await;
        assert_eq!(is_refreshed(outcome.as_ref()), is_good, "{skew}: {outcome:?}");
        assert!(is_good || matches!(outcome, Some(TokenOutcome::ProofRefused(_))));
    }
}

#[tokio::test]
async fn an_answer_that_takes_its_time_is_the_same_answer() {
    let mut session = public();
    let moment = Duration::from_millis(20);
    for fault in [Fault::Delay(moment), Fault::Stall(moment)] {
        session.double.plan([fault]);
        assert!(is_refreshed(session.refresh().await.as_ref()));
    }
    assert!(session.double.planned().is_empty());
    assert_eq!(session.double.seen().refreshes, 2);
}

#[tokio::test]
async fn a_public_session_ends_after_two_weeks_however_often_it_is_refreshed() {
    let mut session = public();
    for _ in 0..13 {
        session.clock.fetch_add(24 * 60 * 60, Ordering::SeqCst);
        assert!(is_refreshed(session.refresh().await.as_ref()));
    }
    session.clock.fetch_add(24 * 60 * 60, Ordering::SeqCst);
    let outcome = session.refresh().await;
    assert!(matches!(outcome, Some(TokenOutcome::Ended { cause: EndCause::Expired, .. })), "{outcome:?}");
}

#[tokio::test]
async fn confidential_clients_of_each_kind_are_accepted_and_wrong_ones_spend_nothing() {
    let id = || ClientId::new(CLIENT).unwrap();
    let secret = |text: &str| Arc::new(Secret::new(text.to_owned()));
    let known = || Client::Secret("p:ß +%".to_owned());
    for (authentication, is_good) in [
        (ClientAuthentication::SecretBasic(secret("p:ß +%")), true),
        (ClientAuthentication::SecretPost(secret("p:ß +%")), true),
        (ClientAuthentication::SecretBasic(secret("wrong")), false),
        (ClientAuthentication::Public, false),
    ] {
        let client = OAuthClient::new(id(), authentication);
        let mut session = Session::begin_by(client, known(), Some(key()), CoordinateForm::Padded);
        let outcome = session.refresh().await;
        assert_eq!(is_refreshed(outcome.as_ref()), is_good, "{outcome:?}");
        assert!(is_good || matches!(outcome, Some(TokenOutcome::ClientRefused(_))));
        assert!(session.is_alive() && session.double.seen().clients_refused == u64::from(!is_good));
    }

    let jwk: Value = serde_json::from_str(&affected().jwk(CoordinateForm::Padded)).unwrap();
    let member = |name: &str| jwk[name].as_str().unwrap().to_owned();
    let known = Client::Key { kid: "k-1".to_owned(), x: member("x"), y: member("y") };
    let authentication = ClientAuthentication::PrivateKeyJwt(ClientKey::new(affected(), "k-1").unwrap());
    let client = OAuthClient::new(id(), authentication);
    let mut session = Session::begin_by(client, known, Some(key()), CoordinateForm::Padded);
    for _ in 0..3 {
        assert!(is_refreshed(session.refresh().await.as_ref()));
    }
    assert_eq!(session.double.seen().clients_refused, 0);
}

#[tokio::test]
async fn bearer_sessions_are_refreshed_without_a_proof() {
    let mut session = Session::begin(None, CoordinateForm::Padded);
    assert!(is_refreshed(session.refresh().await.as_ref()));
    assert_eq!(session.double.seen().nonces_demanded, 0);
}

#[tokio::test]
async fn a_revocation_ends_the_session_and_is_no_error_for_an_unknown_token() {
    let mut session = public();
    assert!(is_refreshed(session.refresh().await.as_ref()));
    let endpoint = Endpoint::new(session.double.revocation_endpoint()).unwrap();
    let issuer = session.double.issuer();
    for _ in 0..2 {
        let (at, id) = (session.now(), session.next_id());
        let request = RevocationRequest::new(&session.client, &endpoint, &issuer, &session.refresh_token)
            .dpop(session.key.as_ref().unwrap(), session.form, session.nonce.as_ref())
            .build(Attempt::new(at, id, id));
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
        let raw = send("POST", request.url.as_str(), &headers, request.body.expose_secret()).await.unwrap();
        let answer = ServerAnswer::new(raw.status, &raw.headers, &raw.body);
        let answer = RevocationAnswer::understand(answer, &session.refresh_token, true);
        assert!(matches!(answer.outcome, RevocationOutcome::Revoked), "{answer:?}");
        assert!(!session.is_alive());
    }
}

/// The double itself has to be strict, or the other tests show nothing.
#[tokio::test]
async fn the_double_takes_no_proof_twice_and_none_for_another_request() {
    let session = public();
    let url = session.double.token_endpoint();
    let nonce = send("POST", &url, &[("Content-Type", "application/x-www-form-urlencoded")], "a=b").await.unwrap();
    let nonce = nonce.headers.nonce().cloned().unwrap();
    let now = session.now();
    let proof = |method, url: &str, id| {
        let proof = keyward::credential::DpopProof::new(method, url, now, [id; 16]).nonce(Some(&nonce));
        proof.sign(&key(), CoordinateForm::Padded)
    };
    let good = proof("POST", &url, 1);
    let mut forged = good.clone();
    let claims =
        URL_SAFE_NO_PAD.encode(json!({"htm": "POST", "htu": url, "jti": "x", "iat": 1_893_456_000}).to_string());
    forged.replace_range(good.find('.').unwrap() + 1..good.rfind('.').unwrap(), &claims);
    let body = format!("grant_type=refresh_token&refresh_token=x&client_id={}", CLIENT.replace(['/', ':'], "%2F"));
    for (proof, expected) in [
        (proof("GET", &url, 2), "invalid_dpop_proof"),
        (proof("POST", &session.double.issuer(), 3), "invalid_dpop_proof"),
        (forged, "invalid_dpop_proof"),
        (good.clone(), "invalid_client"),
        (good, "invalid_dpop_proof"),
    ] {
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("DPoP", proof.as_str())];
        let raw = send("POST", &url, &headers, &body).await.unwrap();
        let answer: Value = serde_json::from_slice(&raw.body).unwrap();
        assert_eq!((raw.status, answer["error"].as_str()), (401, Some(expected)));
    }
    assert!(session.is_alive());
}
