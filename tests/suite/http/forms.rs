//! The bodies that services in production have always answered with, each by a function of the host.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::header::ALLOW;
use http::{HeaderValue, StatusCode};
use keyward::http::{BodyForm, Challenge, OAuthErrorCode, Protect, Rejection, RejectionKind, Rejections};
use keyward::key::{Authenticated, KeyId, RefusalReason};
use keyward::schemas::mesh::{Access, Capability, Mesh, MeshKey};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::store::MemoryKeyStore;
use keyward::store::faulty::{Call, Fault, FaultyStore};
use keyward::{Keys, store::KeyStore};
use serde_json::json;
use std::sync::Arc;

use super::server::Server;

/// Coves: every failure is 401 with `AuthenticationRequired`, and no challenge. An outage is not.
fn coves() -> Rejections {
    Rejections::new().map(|rejection| {
        let message = match rejection.kind() {
            RejectionKind::NoCredentials => "Missing authentication",
            RejectionKind::InvalidRequest => "Invalid Authorization header format. Expected: Bearer <token>",
            RejectionKind::InvalidToken => "Invalid or revoked API key",
            _ => return rejection,
        };
        let body = json!({ "error": "AuthenticationRequired", "message": message });
        rejection.with_status(StatusCode::UNAUTHORIZED).without_challenges().with_json(&body)
    })
}

#[tokio::test]
async fn coves_has_one_code_for_every_failure_and_a_message() {
    let store = Arc::new(FaultyStore::new(MemoryKeyStore::new(Standard::new("acme").unwrap())));
    let keys = Keys::builder_over(store.clone() as Arc<dyn KeyStore<Schema = Standard>>).build();
    let key = super::key(&keys, "customer-1", &[]).await;
    let app = Router::new().route("/", get(|| async {})).layer(Protect::new(keys).rejections(coves()));
    let server = Server::start(app).await;
    for (headers, message) in [
        ("", "Missing authentication"),
        ("Authorization: Bearer \"\r\n", "Invalid Authorization header format. Expected: Bearer <token>"),
        ("Authorization: Bearer hunter2\r\n", "Invalid or revoked API key"),
    ] {
        let answer = server.get("/", headers.as_bytes()).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, ""));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.body, format!("{{\"error\":\"AuthenticationRequired\",\"message\":\"{message}\"}}"));
    }
    store.fail_next(Call::Find, Fault::Unavailable);
    assert_eq!(server.get_with("/", &key).await.status, 503);
}

/// The mesh: a code for each failure, and the code once more as the message.
fn mesh() -> Rejections {
    Rejections::new().map(|rejection| {
        let code = match (rejection.kind(), rejection.error()) {
            (RejectionKind::NoCredentials | RejectionKind::InvalidRequest, _) => "error.api_key_missing",
            (RejectionKind::InvalidToken, _) => "error.api_key_invalid",
            (RejectionKind::Forbidden, "missing_capability") => "error.api_key_missing_capability",
            (RejectionKind::Forbidden, "topic_out_of_scope") => "error.api_key_topic_out_of_scope",
            _ => return rejection,
        };
        let is_request = rejection.kind() == RejectionKind::InvalidRequest;
        let status = if is_request { StatusCode::UNAUTHORIZED } else { rejection.status() };
        let body = json!({ "code": code, "message": code, "status": status.as_u16() });
        rejection.with_status(status).without_challenges().with_json(&body)
    })
}

#[tokio::test]
async fn the_mesh_has_codes_that_say_what_a_key_may_not() {
    async fn send(caller: Authenticated<Mesh>) -> Result<(), Rejection> {
        let denied =
            |denied: keyward::schemas::mesh::AccessDenied| Rejection::forbidden(denied).with_error(denied.code());
        caller.permits(Access::to_topic(Capability::Send, "deploys")).map_err(denied)
    }
    let keys = Keys::builder(MemoryKeyStore::new(Mesh::new())).build();
    let app = Router::new().route("/", get(send)).layer(Protect::new(keys.clone()).rejections(mesh()));
    let server = Server::start(app).await;
    let key = |capability| MeshKey::new("mesh-1", "bot", [capability]).unwrap();
    let mut drafts = Vec::new();
    for draft in [key(Capability::Read), key(Capability::Send).no_topics(), key(Capability::Send)] {
        drafts.push(keys.issue(draft).await.unwrap().secret.expose_secret().to_owned());
    }
    for (authorization, status, code) in [
        (String::new(), 401, "error.api_key_missing"),
        ("Authorization: Bearer\r\n".to_owned(), 401, "error.api_key_missing"),
        ("Authorization: Bearer hunter2\r\n".to_owned(), 401, "error.api_key_invalid"),
        (format!("Authorization: Bearer {}\r\n", drafts[0]), 403, "error.api_key_missing_capability"),
        (format!("Authorization: Bearer {}\r\n", drafts[1]), 403, "error.api_key_topic_out_of_scope"),
    ] {
        let answer = server.get("/", authorization.as_bytes()).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (status, ""), "{code}");
        assert_eq!(answer.body, format!("{{\"code\":\"{code}\",\"message\":\"{code}\",\"status\":{status}}}"));
    }
    assert_eq!(server.get_with("/", &drafts[2]).await.status, 200);
}

/// The broker: 401 without a body, and a challenge that says what is wrong.
fn broker() -> Rejections {
    Rejections::new().form(BodyForm::Empty).map(|rejection| {
        let (error, reason) = match (rejection.kind(), rejection.refusal_reason()) {
            (RejectionKind::NoCredentials | RejectionKind::InvalidRequest, _) => {
                (OAuthErrorCode::InvalidRequest, "no token")
            }
            (RejectionKind::InvalidToken, Some(RefusalReason::Expired)) => (OAuthErrorCode::InvalidToken, "expired"),
            (RejectionKind::InvalidToken, Some(RefusalReason::Revoked)) => (OAuthErrorCode::InvalidToken, "revoked"),
            (RejectionKind::InvalidToken, _) => (OAuthErrorCode::InvalidToken, "unknown"),
            _ => return rejection,
        };
        let challenge = Challenge::bearer().error(error).error_description(reason);
        rejection.with_status(StatusCode::UNAUTHORIZED).without_challenges().with_challenge(challenge)
    })
}

#[tokio::test]
async fn the_broker_says_everything_in_the_challenge() {
    let keys = super::keys();
    let revoked = keys.issue(StandardKey::new("customer-1", "test").unwrap()).await.unwrap();
    keys.revoke(&revoked.record.head.id, None).await.unwrap();
    let app = Router::new().route("/", get(|| async {})).layer(Protect::new(keys).rejections(broker()));
    let server = Server::start(app).await;
    let revoked = format!("Authorization: Bearer {}\r\n", revoked.secret.expose_secret());
    for (headers, error, reason) in [
        ("", "invalid_request", "no token"),
        ("Authorization: Bearer a b\r\n", "invalid_request", "no token"),
        ("Authorization: Bearer hunter2\r\n", "invalid_token", "unknown"),
        (&revoked, "invalid_token", "revoked"),
    ] {
        let answer = server.get("/", headers.as_bytes()).await;
        assert_eq!((answer.status, answer.body.as_str(), answer.header("content-type")), (401, "", ""));
        let challenge = format!("Bearer error=\"{error}\", error_description=\"{reason}\"");
        assert_eq!(answer.header("www-authenticate"), challenge);
    }
}

#[tokio::test]
async fn what_a_handler_rejects_has_the_form_of_the_layer_and_keeps_what_others_added() {
    async fn revoke(caller: Authenticated<Standard>, State(keys): State<Keys<Standard>>) -> Result<(), Rejection> {
        keys.of(caller.owner()).revoke(&KeyId::new("somebody-else's").unwrap(), None).await?;
        Ok(())
    }
    let keys = super::keys();
    let key = super::key(&keys, "customer-1", &[]).await;
    let rejections = Rejections::new().form(BodyForm::Problem).map(|rejection| {
        let support = json!({ "title": rejection.description(), "support": "https://acme.example/help" });
        if rejection.kind() == RejectionKind::NotFound { rejection.with_json(&support) } else { rejection }
    });
    let add = |mut response: axum::response::Response| async {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        response
    };
    let app = Router::new().route("/", get(revoke)).with_state(keys.clone());
    let app = app.layer(axum::middleware::map_response(add)).layer(Protect::new(keys).rejections(rejections));
    let answer = Server::start(app).await.get_with("/", &key).await;
    assert_eq!((answer.status, answer.header("allow"), answer.header("cache-control")), (404, "GET", "no-store"));
    assert_eq!(answer.body, r#"{"support":"https://acme.example/help","title":"no such key"}"#);
}
