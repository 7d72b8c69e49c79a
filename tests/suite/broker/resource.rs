//! Protected resources (RFC 6750, RFC 9728).

use std::sync::Arc;
use std::time::Duration;

use keyward::Secret;
use keyward::broker::Resource;
use keyward::service::ResourceServer;
use keyward::store::faulty::{Fault, FaultyGrantStore, GrantCall};
use keyward::store::grants::MemoryGrantStore;

use super::app::{App, FORM, RESOURCE, Setup, encoded, error, told};

const METADATA: &str = "resource_metadata=\"https://as.example/.well-known/oauth-protected-resource/mcp\"";

#[tokio::test]
async fn a_token_is_read_from_the_header_in_any_case_of_the_scheme_and_from_nowhere_else() {
    let app = App::start().await;
    let token = app.client().await.tokens().await.access;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let answer = app.get("/mcp", &[("Authorization", &format!("  {scheme}   {token} "))]).await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
    let query = encoded(&[("access_token", &token)]);
    for answer in [
        app.get(&format!("/mcp?{query}"), &[]).await,
        app.post("/mcp", FORM, &[], &query).await,
        app.get("/mcp", &[("Cookie", &format!("access_token={token}"))]).await,
        app.get("/mcp", &[("X-Access-Token", &token)]).await,
        app.get("/mcp", &[("Authorization", &format!("DPoP {token}"))]).await,
        app.get("/mcp", &[("Authorization", &token)]).await,
    ] {
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    for value in [format!("Bearer {token} {token}"), format!("Bearer \"{token}\""), "Bearer".to_owned()] {
        assert_eq!(app.get("/mcp", &[("Authorization", &value)]).await.status, 400, "{value}");
    }
    let value = format!("Bearer {token}");
    let twice = app.get("/mcp", &[("Authorization", &value), ("Authorization", &value)]).await;
    assert_eq!(error(&twice), told(400, "invalid_request"));
}

#[tokio::test]
async fn whoever_has_no_token_is_told_where_to_ask_and_for_what_and_of_no_error() {
    let app = App::start().await;
    for headers in [&[][..], &[("Authorization", "Basic YTpi")]] {
        let answer = app.get("/mcp", headers).await;
        let challenge = format!("Bearer scope=\"notes:read notes:write\", {METADATA}");
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, &*challenge));
    }
}

/// Alike for whoever asks.
#[tokio::test]
async fn what_is_unknown_expired_revoked_or_for_another_resource_is_an_invalid_token() {
    let app = App::start().await;
    let client = app.client().await;
    let code = client.code_for(&client.query(&[("resource", "https://as.example/other")])).await;
    let elsewhere = super::client::pair(&client.redeem(&code).await);
    let (expired, revoked) = (client.tokens().await, client.tokens().await);
    client.revoke(&revoked.access).await;
    let mut answers = Vec::new();
    for token in ["unknown", "-", &elsewhere.access, &revoked.access, &"x".repeat(4096)] {
        answers.push(app.call(token).await);
    }
    app.clock.advance(Duration::from_mins(15));
    answers.push(app.call(&expired.access).await);
    for answer in &answers {
        assert_eq!(error(answer), told(401, "invalid_token"));
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\"") && challenge.contains(METADATA), "{challenge}");
        assert_eq!((&answer.body, challenge), (&answers[0].body, answers[0].header("www-authenticate")));
    }
}

#[tokio::test]
async fn too_little_scope_is_403_with_all_that_it_takes() {
    let app = App::start().await;
    let client = app.client().await;
    let code = client.code_for(&client.query(&[("scope", "notes:write")])).await;
    let token = super::client::pair(&client.redeem(&code).await).access;
    let authorization = format!("Bearer {token}");
    let answer = app.get("/mcp/write", &[("Authorization", &authorization)]).await;
    assert_eq!(error(&answer), told(403, "insufficient_scope"));
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"notes:read notes:write\"")
    );
    assert!(challenge.contains(METADATA), "{challenge}");
    let all = client.tokens().await.access;
    let answer = app.get("/mcp/write", &[("Authorization", &format!("Bearer {all}"))]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "42"));
}

/// An outage is no verdict on a token.
#[tokio::test]
async fn a_store_that_cannot_answer_is_503_and_never_401() {
    let store = Arc::new(FaultyGrantStore::new(MemoryGrantStore::new()));
    let app = App::with(Setup { store: store.clone(), ..Setup::default() }).await;
    let token = app.client().await.tokens().await.access;
    for fault in [Fault::Unavailable, Fault::Backend, Fault::Denied] {
        store.fail_next(GrantCall::AccessToken, fault);
        let answer = app.call(&token).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{fault:?}");
        assert_eq!(answer.header("www-authenticate"), "");
    }
    // That the first use could not be noted keeps nobody out.
    store.fail_next(GrantCall::NoteFirstUse, Fault::Unavailable);
    assert_eq!(app.call(&token).await.status, 200);
}

#[tokio::test]
async fn nothing_is_protected_that_no_token_can_be_for_and_no_secret_is_short() {
    let app = App::start().await;
    assert!(app.tokens.protect(Resource::new(RESOURCE).unwrap()).is_ok());
    for other in
        ["https://as.example/MCP", "https://as.example/mcp/", "https://as.example/", "https://other.example/mcp"]
    {
        assert!(app.tokens.protect(Resource::new(other).unwrap()).is_err(), "{other}");
    }
    for (length, is_taken) in [(0, false), (31, false), (32, true)] {
        assert_eq!(ResourceServer::new("notes", &Secret::new("s".repeat(length))).is_ok(), is_taken, "{length}");
    }
}
