//! Revocation (RFC 7009).

use std::time::Duration;

use serde_json::json;

use super::app::{App, FORM, encoded, error, told};
use super::client::{basic, pair};

#[tokio::test]
async fn whoever_revokes_says_who_it_is_as_at_the_token_endpoint() {
    let app = App::start().await;
    for client in [app.client().await, app.confidential().await] {
        let tokens = client.tokens().await;
        let token = ("token", &*tokens.access);
        assert_eq!(error(&app.form("/revoke", &[token]).await), told(400, "invalid_client"));
        assert_eq!(error(&app.form("/revoke", &[token, ("client_id", "unknown")]).await), told(400, "invalid_client"));
        let wrong = basic(&client.id, "wrong");
        let answer = app.post("/revoke", FORM, &[("Authorization", &wrong)], &encoded(&[token])).await;
        assert_eq!(error(&answer), told(401, "invalid_client"));
        assert_eq!(app.call(&tokens.access).await.status, 200, "nothing has become of it");
        let answer = client.revoke(&tokens.access).await;
        assert_eq!((answer.status, answer.body.as_str(), answer.header("cache-control")), (200, "", "no-store"));
        assert_eq!(error(&app.call(&tokens.access).await), told(401, "invalid_token"));
    }
    for method in ["GET", "DELETE"] {
        assert_eq!(app.request(method, "/revoke?token=x", &[], "").await.status, 405, "{method}");
    }
}

#[tokio::test]
async fn the_token_of_another_client_stays_and_is_answered_as_one_that_nobody_knows() {
    let app = App::start().await;
    let (owner, other) = (app.client().await, app.confidential().await);
    let tokens = owner.tokens().await;
    let unknown = other.revoke("unknown").await;
    for token in [&tokens.access, &tokens.refresh] {
        let answer = other.revoke(token).await;
        assert_eq!((answer.status, &answer.body), (unknown.status, &unknown.body));
    }
    assert_eq!(app.call(&tokens.access).await.status, 200);
    pair(&owner.refresh(&tokens.refresh).await);
}

#[tokio::test]
async fn what_is_unknown_expired_or_revoked_already_is_no_error() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let code = client.code().await;
    let long = "x".repeat(60_000);
    for token in ["unknown", &code, "ä\u{0}", &long, &tokens.access, &tokens.access, &tokens.refresh, &tokens.refresh]
    {
        assert_eq!(client.revoke(token).await.status, 200);
    }
    app.clock.advance(Duration::from_hours(24 * 365));
    assert_eq!(client.revoke(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn a_hint_that_is_wrong_or_unknown_keeps_no_token_from_being_found() {
    let app = App::start().await;
    let client = app.client().await;
    for hint in ["", "access_token", "refresh_token", "id_token", "<script>"] {
        let tokens = client.tokens().await;
        for token in [&tokens.access, &tokens.refresh] {
            assert_eq!(client.send("/revoke", &[("token", token), ("token_type_hint", hint)]).await.status, 200);
        }
        assert_eq!(error(&app.call(&tokens.access).await), told(401, "invalid_token"), "{hint}");
        assert_eq!(error(&client.refresh(&tokens.refresh).await), told(400, "invalid_grant"), "{hint}");
    }
}

#[tokio::test]
async fn a_revocation_holds_at_once_and_with_a_refresh_token_for_all_of_its_grant() {
    let app = App::start().await;
    let client = app.client().await;
    let (tokens, other) = (client.tokens().await, client.tokens().await);
    assert_eq!(app.call(&tokens.access).await.status, 200);
    assert_eq!(app.introspect(&tokens.access).await["active"], json!(true));
    client.revoke(&tokens.refresh).await;
    assert_eq!(error(&app.call(&tokens.access).await), told(401, "invalid_token"));
    assert_eq!(app.introspect(&tokens.access).await, json!({"active": false}));
    assert_eq!(error(&client.refresh(&tokens.refresh).await), told(400, "invalid_grant"));
    assert_eq!(app.call(&other.access).await.status, 200, "another grant of the same person");

    // An access token by itself leaves the rest, and one that was spent still speaks for its grant.
    client.revoke(&other.access).await;
    assert_eq!(error(&app.call(&other.access).await), told(401, "invalid_token"));
    let next = pair(&client.refresh(&other.refresh).await);
    client.revoke(&other.refresh).await;
    assert_eq!(error(&app.call(&next.access).await), told(401, "invalid_token"));
    assert_eq!(error(&client.refresh(&next.refresh).await), told(400, "invalid_grant"));
}

#[tokio::test]
async fn without_a_token_the_request_is_invalid() {
    let app = App::start().await;
    let client = app.client().await;
    for pairs in [&[][..], &[("token", "")], &[("token_type_hint", "access_token")]] {
        assert_eq!(error(&client.send("/revoke", pairs).await), told(400, "invalid_request"), "{pairs:?}");
    }
    let twice = format!("client_id={}&token=a&token=b", client.id);
    assert_eq!(error(&app.post("/revoke", FORM, &[], &twice).await), told(400, "invalid_request"));
}
