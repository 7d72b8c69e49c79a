//! The authorization endpoint (RFC 6749 section 4.1.1). The page on which a person is asked has a file of its own.

use std::time::Duration;

use keyward::broker::Resource;
use serde_json::json;

use super::app::{App, ISSUER, RESOURCE, encoded, error, json, parameter, told};
use super::client::{CHALLENGE, Client, REDIRECT_URI, VERIFIER, pair};
use crate::http::server::Answer;

/// Nobody is redirected: a person is shown a page.
fn is_shown(answer: &Answer) {
    assert_eq!((answer.status, answer.header("location")), (400, ""), "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
}

/// The client is told, with its state and by whom.
fn is_told(answer: &Answer, code: &str, state: Option<&str>) {
    let location = answer.header("location");
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(location.starts_with(&format!("{REDIRECT_URI}?error={code}&")), "{location}");
    assert_eq!(parameter(location, "state").as_deref(), state, "{location}");
    assert_eq!(parameter(location, "iss").as_deref(), Some(ISSUER), "{location}");
    assert_eq!(parameter(location, "code"), None, "{location}");
}

async fn is_refused(client: &Client<'_>, changes: &[(&str, &str)], code: &str) {
    is_told(&client.authorize(&client.query(changes)).await, code, Some("a state"));
}

#[tokio::test]
async fn an_unknown_client_or_an_address_that_is_not_registered_letter_for_letter_is_never_redirected_to() {
    let app = App::start().await;
    let client = app.client().await;
    for id in ["", "unknown", "\u{7}", &client.id[1..], "https://app.example/client.json"] {
        is_shown(&client.authorize(&client.query(&[("client_id", id)])).await);
    }
    for uri in [
        "",
        "https://evil.example/cb",
        "https://app.example/cb/",
        "https://app.example/cb?x=y",
        "https://app.example/cb#x",
        "https://app.example/cb/../other",
        "https://app.example/CB",
        "https://APP.example/cb",
        "HTTPS://app.example/cb",
        "https://app.example:443/cb",
        "https://app.example.evil.example/cb",
        "https://app.example@evil.example/cb",
        "https://app.example\\@evil.example/cb",
        "//app.example/cb",
        "https://app.example/cb\r\nSet-Cookie: a=b",
        "https://app.example/cb\u{0}",
        "javascript:alert(1)",
    ] {
        is_shown(&client.authorize(&client.query(&[("redirect_uri", uri)])).await);
    }
    let query = client.query(&[]);
    is_shown(&client.authorize(&format!("{query}&redirect_uri=https://evil.example/")).await);
    is_shown(&client.authorize(&format!("{query}&x=1&x=2&redirect_uri=https://evil.example/")).await);
    is_shown(&client.authorize(&format!("{query}&client_id={}", client.id)).await);
}

/// Of an address of the client's own machine, the port may be another.
#[tokio::test]
async fn the_port_of_a_loopback_address_may_be_another_and_nothing_else() {
    let app = App::start().await;
    let uris = json!({"token_endpoint_auth_method": "none", "redirect_uris": ["http://127.0.0.1/cb?a=b", "http://[::1]:1/cb"]});
    let client = app.client_of(uris).await;
    for uri in ["http://127.0.0.1/cb?a=b", "http://127.0.0.1:52000/cb?a=b", "http://[::1]:52000/cb", "http://[::1]/cb"]
    {
        let query = client.query(&[("redirect_uri", uri)]);
        let location = client.location(&query).await;
        assert!(location.starts_with(uri), "{location}");
        // The code is bound to the port that was asked for.
        let code = parameter(&location, "code").unwrap();
        let other = client.redeem_with(&code, &[("redirect_uri", "http://127.0.0.1:1/cb?a=b")]).await;
        assert_eq!(error(&other), told(400, "invalid_grant"));
        pair(&client.redeem_with(&code, &[("redirect_uri", uri)]).await);
    }
    for uri in [
        "https://127.0.0.1/cb?a=b",
        "http://127.0.0.2/cb?a=b",
        "http://localhost/cb?a=b",
        "http://127.0.0.1:80/cb",
        "http://127.0.0.1:80/cb?a=b&c=d",
        "http://127.0.0.1:80/cb/?a=b",
        "http://127.0.0.1:99999/cb?a=b",
        "http://127.0.0.1:80@evil.example/cb?a=b",
        "http://127.0.0.1:/cb?a=b",
    ] {
        is_shown(&client.authorize(&client.query(&[("redirect_uri", uri)])).await);
    }
}

#[tokio::test]
async fn without_a_challenge_of_s256_nobody_is_asked_whatever_the_client_is() {
    let app = App::start().await;
    for client in [app.client().await, app.confidential().await] {
        for changes in [
            &[("code_challenge", ""), ("code_challenge_method", "")][..],
            &[("code_challenge", "")],
            &[("code_challenge_method", "")],
            &[("code_challenge_method", "plain")],
            &[("code_challenge_method", "s256")],
            &[("code_challenge_method", "plain"), ("code_challenge", VERIFIER)],
            &[("code_challenge", &CHALLENGE[1..])],
            &[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")],
            &[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=")],
        ] {
            is_refused(&client, changes, "invalid_request").await;
        }
    }
}

#[tokio::test]
async fn only_codes_are_answered_and_only_in_the_query() {
    let app = App::start().await;
    let client = app.client().await;
    for response_type in ["token", "code token", "Code", "none"] {
        is_refused(&client, &[("response_type", response_type)], "unsupported_response_type").await;
    }
    is_refused(&client, &[("response_type", "")], "invalid_request").await;
    for mode in ["fragment", "form_post", "jwt"] {
        is_refused(&client, &[("response_mode", mode)], "invalid_request").await;
    }
    client.code_for(&client.query(&[("response_mode", "query")])).await;
}

#[tokio::test]
async fn the_state_comes_back_exactly_and_only_where_it_was_sent() {
    let app = App::start().await;
    let client = app.client().await;
    let long = "s".repeat(4096);
    for state in
        ["s", " ", "a+b c%20d", "&code=x#y?z=\"<>", "\r\nLocation: https://evil.example", "ä→鍵", "\u{0}", &long]
    {
        let location = client.location(&client.query(&[("state", state)])).await;
        assert_eq!(parameter(&location, "state").as_deref(), Some(state));
        let refused = client.authorize(&client.query(&[("state", state), ("scope", "unheard-of")])).await;
        is_told(&refused, "invalid_scope", Some(state));
    }
    assert_eq!(parameter(&client.location(&client.query(&[("state", "")])).await, "state"), None);
    is_told(&client.authorize(&client.query(&[("state", ""), ("scope", "x")])).await, "invalid_scope", None);
    // What is no text, or there twice, cannot come back exactly.
    let without = client.query(&[("state", "")]);
    for state in ["state=%FF", "state=a%C3", "state=a&state=b"] {
        is_told(&client.authorize(&format!("{without}&{state}")).await, "invalid_request", None);
    }
    let longer = "s".repeat(4097);
    is_told(&client.authorize(&client.query(&[("state", &longer)])).await, "invalid_request", Some(&longer));
}

#[tokio::test]
async fn what_is_repeated_is_refused_what_is_empty_is_absent_and_what_is_unknown_is_ignored() {
    let app = App::start().await;
    let client = app.client().await;
    let query = client.query(&[]);
    for (name, value) in [("scope", "notes:read"), ("response_type", "code"), ("code_challenge", CHALLENGE), ("x", "y")]
    {
        let twice = format!("{}&{}", client.query(&[(name, value)]), encoded(&[(name, value)]));
        is_told(&client.authorize(&twice).await, "invalid_request", Some("a state"));
    }
    client.code_for(&format!("{query}&scope=&resource=&response_mode=&nonce=&prompt=none&unheard_of=1")).await;
    is_shown(&client.authorize(&query.replace("client_id=", "client_id=&x=")).await);
}

#[tokio::test]
async fn scopes_are_those_of_server_and_client_and_the_grant_keeps_what_was_granted() {
    let app = App::start().await;
    let reader = app.client_of(json!({"token_endpoint_auth_method": "none", "scope": "notes:read"})).await;
    for scope in [
        "notes:write",
        "notes:read notes:write",
        "admin",
        "notes:read admin",
        "a\"",
        "a\\",
        "ä",
        "notes:read\tnotes:write",
    ] {
        is_refused(&reader, &[("scope", scope)], "invalid_scope").await;
    }
    let long = vec!["notes:read"; 1000].join(" ");
    is_refused(&reader, &[("scope", &long)], "invalid_scope").await;
    let any = app.client().await;
    for (client, scope, granted) in [
        (&reader, "", "notes:read"),
        (&any, "", "notes:read notes:write"),
        (&any, "notes:write", "notes:write"),
        (&any, " notes:write  notes:read notes:write ", "notes:write notes:read"),
        (&any, "notes:read offline_access", "notes:read"),
    ] {
        let code = client.code_for(&client.query(&[("scope", scope)])).await;
        let answer = client.redeem(&code).await;
        assert_eq!(json(&answer)["scope"], granted, "{scope}");
        let grants = app.tokens.grants(keyward::store::grants::GrantFilter::default(), None, 100).await.unwrap();
        assert!(grants.iter().any(|grant| grant.scopes.to_string() == granted && grant.client.as_str() == client.id));
    }
}

#[tokio::test]
async fn a_resource_is_one_of_ours_byte_for_byte_and_the_grant_is_bound_to_it() {
    let app = App::start().await;
    let client = app.client().await;
    for resource in [
        "mcp",
        "/mcp",
        "https://as.example/mcp/",
        "https://as.example/mcp#a",
        "https://as.example/mcp?",
        "https://AS.example/mcp",
        "https://as.example:443/mcp",
        "https://as.example",
        "https://other.example/mcp",
        "javascript:alert(1)",
    ] {
        is_refused(&client, &[("resource", resource)], "invalid_target").await;
    }
    let two = format!("{}&resource={RESOURCE}&resource={RESOURCE}", client.query(&[]));
    is_told(&client.authorize(&two).await, "invalid_request", Some("a state"));
    for (asked, path, other) in
        [("", "/mcp", "/other"), (RESOURCE, "/mcp", "/other"), ("https://as.example/other", "/other", "/mcp")]
    {
        let code = client.code_for(&client.query(&[("resource", asked)])).await;
        let tokens = pair(&client.redeem_with(&code, &[("resource", asked)]).await);
        let authorization = format!("Bearer {}", tokens.access);
        assert_eq!(app.get(path, &[("Authorization", &authorization)]).await.status, 200);
        assert_eq!(app.get(other, &[("Authorization", &authorization)]).await.status, 401);
    }
    for text in ["mcp", "https://as.example/mcp#a", "http://as.example/mcp", "https://a@as.example/"] {
        assert!(Resource::new(text).is_err(), "{text}");
    }
}

/// No order of mistakes makes a code.
#[tokio::test]
async fn a_refused_request_leaves_nothing_in_the_store() {
    let app = App::start().await;
    let client = app.client().await;
    is_refused(&client, &[("scope", "unheard-of")], "invalid_scope").await;
    is_shown(&client.authorize(&client.query(&[("redirect_uri", "https://evil.example/")])).await);
    client.page(&client.query(&[])).await.submit(&app, &[("decision", "deny")]).await;
    let grants = app.tokens.grants(keyward::store::grants::GrantFilter::default(), None, 100).await.unwrap();
    assert!(grants.is_empty(), "{grants:?}");
    app.clock.advance(Duration::from_secs(1));
}
