//! Introspection (RFC 7662).

use std::time::Duration;

use keyward::broker::{ClientId, TokenDigest};
use serde_json::{Value, json};

use super::app::{App, FORM, ISSUER, RESOURCE, RESOURCE_SERVER, encoded, error, json, told};
use super::client::{Client, basic, pair};

async fn ask(app: &App, id: &str, secret: &str, token: &str) -> crate::http::server::Answer {
    let body = encoded(&[("token", token)]);
    app.post("/introspect", FORM, &[("Authorization", &basic(id, secret))], &body).await
}

async fn seen_by(client: &Client<'_>, token: &str) -> Value {
    json(&ask(client.app, &client.id, client.secret.as_deref().unwrap(), token).await)
}

#[tokio::test]
async fn whoever_asks_without_being_known_is_401_before_anything_else_is_said() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let (id, secret) = RESOURCE_SERVER;
    for body in [
        encoded(&[("token", &tokens.access)]),
        encoded(&[("token", &tokens.access), ("client_id", &client.id)]),
        encoded(&[("token", &tokens.access), ("client_id", id)]),
        encoded(&[("token", &tokens.access), ("client_id", id), ("client_secret", "wrong")]),
        encoded(&[("client_id", "unknown"), ("client_secret", "wrong")]),
        String::new(),
    ] {
        let answer = app.post("/introspect", FORM, &[], &body).await;
        assert_eq!(error(&answer), told(401, "invalid_client"), "{body}");
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"token\"");
    }
    for (id, secret) in [(id, "wrong"), (&*client.id, ""), ("unknown", secret), ("", secret)] {
        assert_eq!(error(&ask(&app, id, secret, &tokens.access).await), told(401, "invalid_client"), "{id}");
    }
    // The token of an authenticated caller is no credential.
    let bearer = format!("Bearer {}", tokens.access);
    let answer =
        app.post("/introspect", FORM, &[("Authorization", &bearer)], &encoded(&[("token", &tokens.access)])).await;
    assert_eq!(error(&answer), told(401, "invalid_client"));
    assert_eq!(app.request("GET", &format!("/introspect?token={}", tokens.access), &[], "").await.status, 405);
    assert_eq!(error(&ask(&app, id, secret, "").await), told(400, "invalid_request"));
}

#[tokio::test]
async fn whatever_is_not_active_says_that_and_nothing_more() {
    let app = App::start().await;
    let (client, other) = (app.confidential().await, app.confidential().await);
    let tokens = client.tokens().await;
    let code = client.code_for(&client.query(&[("resource", "https://as.example/other")])).await;
    let elsewhere = pair(&client.redeem(&code).await);
    let revoked = client.tokens().await;
    client.revoke(&revoked.access).await;
    let spent = client.tokens().await;
    pair(&client.refresh(&spent.refresh).await);
    let inactive = json!({"active": false});
    for token in [
        "unknown",
        "ä\u{0}",
        &code,
        &tokens.refresh,
        &elsewhere.access,
        &revoked.access,
        &spent.access,
        &"x".repeat(5000),
    ] {
        assert_eq!(app.introspect(token).await, inactive);
    }
    for token in [&tokens.access, &tokens.refresh] {
        assert_eq!(seen_by(&other, token).await, inactive, "it is another client's");
    }
    assert_eq!(seen_by(&client, &spent.refresh).await, inactive);
    let (id, secret) = RESOURCE_SERVER;
    let answer = ask(&app, id, secret, "unknown").await;
    assert_eq!((answer.body.as_str(), answer.header("cache-control")), ("{\"active\":false}", "no-store"));
}

#[tokio::test]
async fn what_is_active_has_passed_every_check_at_this_moment() {
    let app = App::start().await;
    let client = app.confidential().await;
    let active = |members: &Value| members["active"].as_bool().unwrap();
    let tokens = client.tokens().await;
    assert!(active(&app.introspect(&tokens.access).await));
    assert!(active(&seen_by(&client, &tokens.refresh).await));
    let end = app.tokens.store().access_token(&TokenDigest::of(&tokens.access)).await.unwrap().unwrap().expires_at;
    app.clock.set(end);
    assert!(!active(&app.introspect(&tokens.access).await));
    assert!(active(&seen_by(&client, &tokens.refresh).await));
    let next = pair(&client.refresh(&tokens.refresh).await);
    assert!(active(&app.introspect(&next.access).await));
    app.clock.advance(Duration::from_hours(24 * 30));
    assert!(!active(&seen_by(&client, &next.refresh).await));
    let last = client.tokens().await;
    app.tokens.remove_client(&ClientId::new(&*client.id).unwrap()).await.unwrap();
    assert!(!active(&app.introspect(&last.access).await));
}

#[tokio::test]
async fn an_active_token_is_described_with_the_right_types() {
    let app = App::start().await;
    let client = app.confidential().await;
    let tokens = client.tokens().await;
    let described = json!({
        "active": true,
        "iss": ISSUER,
        "client_id": client.id,
        "sub": "42",
        "username": "Ada",
        "scope": "notes:read notes:write",
        "aud": RESOURCE,
        "token_type": "Bearer",
        "iat": 1_893_456_000,
        "exp": 1_893_456_900,
    });
    assert_eq!(app.introspect(&tokens.access).await, described);
    assert_eq!(seen_by(&client, &tokens.access).await, described);
    let refresh = seen_by(&client, &tokens.refresh).await;
    assert_eq!((&refresh["scope"], refresh.get("token_type")), (&json!("notes:read notes:write"), None));
}

/// Asking is no use: another client's question does not take from the owner the answer that was lost on the way.
#[tokio::test]
async fn another_clients_question_changes_nothing_for_the_owner() {
    let app = App::start().await;
    let (client, other) = (app.client().await, app.confidential().await);
    let first = client.tokens().await;
    let second = pair(&client.refresh(&first.refresh).await);
    assert_eq!(seen_by(&other, &second.access).await, json!({"active": false}));
    assert_eq!(pair(&client.refresh(&first.refresh).await), second);
    // A resource server's question is a use: the token has arrived.
    assert_eq!(app.introspect(&second.access).await["active"], json!(true));
    assert_eq!(error(&client.refresh(&first.refresh).await), told(400, "invalid_grant"));
}
