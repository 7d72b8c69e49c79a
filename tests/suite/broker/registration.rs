//! Registration (RFC 7591).

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use keyward::broker::{ClientAuthMethod, ClientId, ClientRecord, RedirectUri, TokenDigest};
use keyward::http::RegistrationPolicy;
use serde_json::{Value, json};

use super::app::{App, Setup, encoded, error, json, told};
use super::client::{Client, REDIRECT_URI, basic, pair};

const JSON: &str = "application/json";

#[tokio::test]
async fn a_client_is_answered_all_that_was_registered_with_the_defaults_and_no_cache_keeps_it() {
    let app = App::start().await;
    let answer = app.register(&json!({"redirect_uris": [REDIRECT_URI], "unheard_of": 7})).await;
    assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"));
    let mut members = json(&answer);
    for own in ["client_id", "client_secret"] {
        let text = members.as_object_mut().unwrap().remove(own).unwrap();
        let text = text.as_str().unwrap().to_owned();
        // Nothing in it has to be escaped anywhere (part 2, 3).
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{text}");
    }
    assert_eq!(
        members,
        json!({
            "client_id_issued_at": 1_893_456_000,
            "client_secret_expires_at": 0,
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
        })
    );
    for (method, body) in [("GET", ""), ("PUT", "{}"), ("DELETE", "")] {
        assert_eq!(app.request(method, "/register", &[("Content-Type", JSON)], body).await.status, 405, "{method}");
    }
}

#[tokio::test]
async fn a_secret_says_when_it_ends_and_is_refused_from_that_very_second() {
    let app = App::start().await;
    let public =
        json(&app.register(&json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"})).await);
    assert!(public.get("client_secret").is_none() && public.get("client_secret_expires_at").is_none(), "{public}");

    let uris = vec![RedirectUri::new(REDIRECT_URI).unwrap()];
    let mut record = ClientRecord::new(ClientId::new("ending").unwrap(), uris, app.tokens.now());
    let end = keyward::Timestamp::from_micros(1_893_456_060_000_000);
    record.secret = Some(TokenDigest::of("a-secret-that-ends"));
    record.secret_expires_at = Some(end);
    record.auth_method = ClientAuthMethod::ClientSecretBasic;
    app.tokens.store().register(&record).await.unwrap();
    app.is_secret("a-secret-that-ends");
    let client = Client {
        app: &app,
        id: "ending".to_owned(),
        secret: Some("a-secret-that-ends".to_owned()),
        method: "client_secret_basic".to_owned(),
    };
    app.clock.set(end.saturating_sub(Duration::from_micros(1)));
    assert_eq!(error(&client.redeem("x").await), told(400, "invalid_grant"));
    app.clock.set(end);
    assert_eq!(error(&client.redeem("x").await), told(401, "invalid_client"));
}

/// What cannot be honoured, and the code for it.
#[tokio::test]
async fn what_cannot_be_honoured_is_refused_by_its_code_in_json() {
    let app = App::start().await;
    let uris = |uris: &[&str]| json!({"redirect_uris": uris});
    let with = |member: &str, value: Value| json!({"redirect_uris": [REDIRECT_URI], member: value});
    let many = vec![REDIRECT_URI; 17];
    for metadata in [
        json!({}),
        json!({"redirect_uris": null}),
        json!({"redirect_uris": REDIRECT_URI}),
        json!({"redirect_uris": [[REDIRECT_URI]]}),
        uris(&[]),
        uris(&many),
        uris(&["/cb"]),
        uris(&["https://app.example/cb#top"]),
        uris(&["http://app.example/cb"]),
        uris(&["javascript:alert(1)"]),
        uris(&["JavaScript://app.example/%0aalert(1)"]),
        uris(&["data:text/html,x"]),
        uris(&["vbscript:x"]),
        uris(&["file:///etc/passwd"]),
        uris(&["https://app.example\\@evil.example/"]),
        uris(&["https://user:password@app.example/"]),
        uris(&["https://app.example/\r\nSet-Cookie: a=b"]),
        uris(&["https://app.example/cb", "http://evil.example/"]),
    ] {
        assert_eq!(error(&app.register(&metadata).await), told(400, "invalid_redirect_uri"), "{metadata}");
    }
    for metadata in [
        with("token_endpoint_auth_method", json!("private_key_jwt")),
        with("token_endpoint_auth_method", json!(["none"])),
        with("grant_types", json!(["implicit"])),
        with("grant_types", json!(["refresh_token"])),
        with("response_types", json!(["token"])),
        with("scope", json!(["notes:read"])),
        with("scope", json!("a ".repeat(5000))),
        with("client_name", json!("two\nlines")),
        with("client_uri", json!("javascript:alert(1)")),
        with("logo_uri", json!("data:image/png;base64,x")),
        with("application_type", json!("toaster")),
    ] {
        assert_eq!(error(&app.register(&metadata).await), told(400, "invalid_client_metadata"), "{metadata}");
    }
    for body in ["", "[]", "null", "{", "7", "\"x\"", "{\"redirect_uris\": [\"https://app.example/cb\"]}}"] {
        let answer = app.post("/register", JSON, &[], body).await;
        assert_eq!(error(&answer), told(400, "invalid_client_metadata"), "{body}");
    }
}

/// What is not known is left out, what is replaced is said.
#[tokio::test]
async fn what_is_not_known_is_ignored_and_what_is_replaced_is_answered_as_it_now_is() {
    let app = App::start().await;
    let answer = app
        .register(&json!({
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "none",
            "grant_types": ["implicit", "authorization_code", "refresh_token"],
            "response_types": ["token", "code"],
            "scope": "notes:read admin offline_access",
            "client_id": "chosen",
            "client_secret": "chosen",
            "jwks_uri": "http://169.254.169.254/",
            "client_name": null,
        }))
        .await;
    let members = json(&answer);
    assert_eq!(members["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!((&members["response_types"], &members["scope"]), (&json!(["code"]), &json!("notes:read")));
    assert_ne!(members["client_id"], "chosen");
    for absent in ["client_secret", "jwks_uri", "client_name"] {
        assert!(members.get(absent).is_none(), "{members}");
    }
}

#[tokio::test]
async fn identifiers_and_secrets_are_new_each_time_and_the_store_has_no_secret() {
    let app = App::start().await;
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        let client = app.confidential().await;
        let secret = client.secret.unwrap();
        // 256 bits in base64url, and 128 of an identifier.
        assert_eq!((secret.len(), client.id.len()), (43, 22));
        let record = app.tokens.store().client(&ClientId::new(&*client.id).unwrap()).await.unwrap().unwrap();
        assert_eq!(record.secret, Some(TokenDigest::of(&secret)));
        assert!(!format!("{record:?}").contains(&secret));
        assert!(seen.insert(secret) && seen.insert(client.id));
    }
    // Nothing overwrites a client, not even a registration under its identifier.
    let record = app.tokens.clients(None, 1).await.unwrap().remove(0);
    assert!(app.tokens.store().register(&record).await.is_err());
}

#[tokio::test]
async fn a_public_client_never_passes_for_a_confidential_one_nor_the_reverse() {
    let app = App::start().await;
    let (public, confidential) = (app.client().await, app.confidential().await);
    let post = app.client_of(json!({"token_endpoint_auth_method": "client_secret_post"})).await;
    let secret = |client: &Client<'_>| client.secret.clone().unwrap();
    let as_post = |id: &str, secret: &str| (None, encoded(&[("client_id", id), ("client_secret", secret)]));
    for (headers, who) in [
        (Some(basic(&public.id, "")), String::new()),
        (Some(basic(&public.id, "guess")), String::new()),
        as_post(&public.id, "guess"),
        as_post(&confidential.id, &secret(&confidential)),
        as_post(&post.id, &secret(&confidential)),
        (None, encoded(&[("client_id", &confidential.id)])),
        (None, encoded(&[("client_id", &post.id)])),
        (Some(basic(&post.id, &secret(&post))), String::new()),
        (Some(basic(&confidential.id, "")), String::new()),
        (Some(basic(&confidential.id, &secret(&post))), String::new()),
    ] {
        for endpoint in ["/token", "/revoke", "/introspect"] {
            let body = format!("grant_type=refresh_token&refresh_token=x&token=x&{who}");
            let headers: Vec<_> = headers.iter().map(|value| ("Authorization", value.as_str())).collect();
            let answer = app.post(endpoint, super::app::FORM, &headers, &body).await;
            assert_eq!(error(&answer).1, "invalid_client", "{endpoint} {headers:?} {who}");
        }
    }
}

#[tokio::test]
async fn so_many_clients_register_in_a_minute_and_those_that_nobody_uses_go() {
    let two = NonZeroU32::new(2).unwrap();
    let app = App::with(Setup { registration: RegistrationPolicy::open_at_most(two), ..Setup::default() }).await;
    let (used, unused) = (app.client().await, app.client().await);
    let answer = app.register(&json!({"redirect_uris": [REDIRECT_URI]})).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "60"));
    let tokens = used.tokens().await;
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(app.register(&json!({"redirect_uris": [REDIRECT_URI]})).await.status, 201);

    app.clock.advance(Duration::from_hours(24 * 20));
    let swept = app.tokens.sweep(Some(Duration::from_hours(24 * 10))).await.unwrap();
    assert_eq!(swept.clients, 2, "the two that never had a code");
    assert_eq!(unused.authorize(&unused.query(&[])).await.status, 400);
    pair(&used.refresh(&tokens.refresh).await);
}

/// A host that registers its clients itself has no such endpoint.
#[tokio::test]
async fn where_registration_is_closed_there_is_no_endpoint_and_the_document_names_none() {
    let app = App::with(Setup { registration: RegistrationPolicy::closed(), ..Setup::default() }).await;
    assert_eq!(app.register(&json!({"redirect_uris": [REDIRECT_URI]})).await.status, 404);
    let members = json(&app.get("/.well-known/oauth-authorization-server", &[]).await);
    assert!(members.get("registration_endpoint").is_none());
}

#[tokio::test]
async fn with_a_client_go_its_codes_its_grants_and_its_tokens() {
    let app = App::start().await;
    let (gone, other) = (app.client().await, app.client().await);
    let (pair_of_gone, pair_of_other) = (gone.tokens().await, other.tokens().await);
    let code = gone.code().await;
    assert!(app.tokens.remove_client(&ClientId::new(&*gone.id).unwrap()).await.unwrap());
    assert_eq!(error(&app.call(&pair_of_gone.access).await), told(401, "invalid_token"));
    assert_eq!(error(&gone.refresh(&pair_of_gone.refresh).await), told(400, "invalid_client"));
    assert_eq!(error(&gone.redeem(&code).await), told(400, "invalid_client"));
    assert_eq!(app.introspect(&pair_of_gone.access).await, json!({"active": false}));
    assert_eq!(app.call(&pair_of_other.access).await.status, 200);
    // Not even a client of the same identifier has them again.
    let uris = vec![RedirectUri::new(REDIRECT_URI).unwrap()];
    let again = ClientRecord::new(ClientId::new(&*gone.id).unwrap(), uris, app.tokens.now());
    app.tokens.store().register(&again).await.unwrap();
    assert_eq!(error(&app.call(&pair_of_gone.access).await), told(401, "invalid_token"));
    assert_eq!(error(&gone.refresh(&pair_of_gone.refresh).await), told(400, "invalid_grant"));
    assert_eq!(error(&gone.redeem(&code).await), told(400, "invalid_grant"));
}
