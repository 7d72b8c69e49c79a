//! The token endpoint (RFC 6749 sections 3.2 and 5).

use serde_json::json;

use super::app::{App, FORM, PASSWORD, Setup, encoded, error, json, told};
use super::client::{OTHER_VERIFIER, REDIRECT_URI, VERIFIER, basic, pair};

#[tokio::test]
async fn only_a_form_that_is_posted_is_read() {
    let app = App::start().await;
    let client = app.client().await;
    let code = client.code().await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
        ("client_id", &*client.id),
    ];
    let body = encoded(&pairs);
    app.is_secret(&code);
    for method in ["GET", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        let answer = app.request(method, &format!("/token?{body}"), &[("Content-Type", FORM)], &body).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{method}");
    }
    let members: serde_json::Map<_, _> = pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let document = json!(members).to_string();
    for (content_type, body) in [
        ("application/json", &document),
        ("text/plain", &body),
        ("multipart/form-data; boundary=x", &body),
        ("application/x-www-form-urlencodedx", &body),
        ("", &body),
    ] {
        assert_eq!(error(&app.post("/token", content_type, &[], body).await), told(400, "invalid_request"));
    }
    let twice = app.post("/token", FORM, &[("Content-Type", FORM)], &body).await;
    assert_eq!(error(&twice), told(400, "invalid_request"));
    // Nothing is taken from the query (RFC 6749 section 3.2).
    let from_query = app.post(&format!("/token?{body}"), FORM, &[], "").await;
    assert_eq!(error(&from_query), told(400, "invalid_request"));
    let loud = "APPLICATION/X-WWW-Form-Urlencoded ; charset=UTF-8";
    pair(&app.post("/token", loud, &[], &body).await);
}

#[tokio::test]
async fn the_answer_has_what_the_standard_wants_and_no_cache_keeps_it() {
    let app = App::start().await;
    let client = app.client().await;
    let answer = client.redeem(&client.code().await).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let members = json(&answer);
    assert_eq!((&members["token_type"], &members["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!((&members["scope"], members.as_object().unwrap().len()), (&json!("notes:read notes:write"), 5));
    let refreshed = client.refresh(&pair(&answer).refresh).await;
    assert_eq!((refreshed.header("cache-control"), json(&refreshed)["expires_in"].as_u64()), ("no-store", Some(900)));
}

/// A client without refresh tokens, and a server without scopes.
#[tokio::test]
async fn what_there_is_not_is_left_out_and_never_null() {
    let tokens = Box::new(|builder: keyward::service::TokensBuilder| builder.scopes(keyward::key::Scopes::default()));
    let app = App::with(Setup { tokens, ..Setup::default() }).await;
    let client =
        app.client_of(json!({"token_endpoint_auth_method": "none", "grant_types": ["authorization_code"]})).await;
    let answer = client.redeem(&client.code().await).await;
    let names: Vec<_> = json(&answer).as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["access_token", "expires_in", "token_type"], "{}", answer.body);
}

#[tokio::test]
async fn each_mistake_has_its_registered_code_and_is_400() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let code = client.code().await;
    let without_refresh = app.client_of(json!({"token_endpoint_auth_method": "none", "grant_types": []})).await;
    let refresh = ("refresh_token", &*tokens.refresh);
    for (pairs, expected) in [
        (&[("code", "x")][..], "invalid_request"),
        (&[("grant_type", "")], "invalid_request"),
        (&[("grant_type", "authorization_code")], "invalid_request"),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "")], "invalid_request"),
        (&[("grant_type", "device_code")], "unsupported_grant_type"),
        (&[("grant_type", "Refresh_Token"), refresh], "unsupported_grant_type"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "x")], "invalid_grant"),
        (&[("grant_type", "refresh_token"), refresh, ("scope", "admin")], "invalid_scope"),
        (&[("grant_type", "refresh_token"), refresh, ("scope", "a\"")], "invalid_scope"),
        (&[("grant_type", "refresh_token"), refresh, ("resource", "https://as.example/other")], "invalid_target"),
        (&[("grant_type", "refresh_token"), refresh, ("client_id", "")], "invalid_client"),
        (&[("grant_type", "refresh_token"), refresh, ("client_id", "unknown")], "invalid_client"),
        (&[("grant_type", "refresh_token"), refresh, ("client_assertion", "a.b.c")], "invalid_client"),
        (&[("grant_type", "authorization_code"), ("code", &code)], "invalid_grant"),
    ] {
        assert_eq!(error(&client.send("/token", pairs).await), told(400, expected), "{pairs:?}");
    }
    assert_eq!(error(&without_refresh.refresh("x").await), told(400, "unauthorized_client"));
    for name in ["grant_type", "refresh_token", "client_id", "x"] {
        let body = encoded(&[("grant_type", "refresh_token"), refresh, ("client_id", &client.id), ("x", "y")]);
        let answer = app.post("/token", FORM, &[], &format!("{body}&{name}=again")).await;
        assert_eq!(error(&answer), told(400, "invalid_request"), "{name}");
    }
    // None of them has spent anything.
    pair(&client.refresh(&tokens.refresh).await);
    pair(&client.redeem(&code).await);
}

#[tokio::test]
async fn whoever_has_used_the_header_is_told_by_401_which_scheme() {
    let app = App::start().await;
    let client = app.confidential().await;
    let body = "grant_type=refresh_token&refresh_token=x&token=x";
    for value in [
        basic(&client.id, "wrong"),
        basic("unknown", "wrong"),
        basic("", ""),
        "Basic".to_owned(),
        "Basic !".to_owned(),
        "Bearer x".to_owned(),
        "Basic /////w==".to_owned(),
    ] {
        for endpoint in ["/token", "/revoke", "/introspect"] {
            let answer = app.post(endpoint, FORM, &[("Authorization", &value)], body).await;
            assert_eq!(error(&answer), told(401, "invalid_client"), "{endpoint} {value}");
            assert_eq!(answer.header("www-authenticate"), "Basic realm=\"token\"", "{endpoint} {value}");
        }
    }
    let post = app.form("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "x")]).await;
    assert_eq!((error(&post), post.header("www-authenticate")), (told(400, "invalid_client"), ""));
}

#[tokio::test]
async fn credentials_are_form_decoded_and_come_by_one_way_alone() {
    let app = App::start().await;
    let client = app.confidential().await;
    let secret = client.secret.clone().unwrap();
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let plain = basic(&client.id, &secret);
    for value in [plain.clone(), basic(&escaped(&client.id), &escaped(&secret)), plain.trim_end_matches('=').to_owned()]
    {
        let tokens = client.tokens().await;
        let body = encoded(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)]);
        pair(&app.post("/token", FORM, &[("Authorization", &value)], &body).await);
    }
    for (headers, more) in [
        (&[("Authorization", &*plain)][..], [("client_secret", &*secret)]),
        (&[("Authorization", &*plain)], [("client_id", "another")]),
        (&[("Authorization", &*plain), ("Authorization", &*plain)], [("client_id", &*client.id)]),
    ] {
        let body = encoded(&[&[("grant_type", "refresh_token"), ("refresh_token", "x")][..], &more].concat());
        assert_eq!(error(&app.post("/token", FORM, headers, &body).await), told(400, "invalid_request"), "{more:?}");
    }
    let both = encoded(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", &client.id)]);
    let answer = app.post("/token", FORM, &[("Authorization", &plain)], &both).await;
    assert_eq!(error(&answer), told(400, "invalid_grant"), "to name oneself beside the header is no second way");
}

#[tokio::test]
async fn a_client_uses_the_method_that_it_has_registered() {
    let app = App::start().await;
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let client = app.client_of(json!({"token_endpoint_auth_method": method})).await;
        let tokens = client.tokens().await;
        for other in ["client_secret_basic", "client_secret_post", "none"] {
            let secret = client.secret.clone().or_else(|| Some("guess".to_owned()));
            let as_other = super::client::Client { app: &app, id: client.id.clone(), secret, method: other.to_owned() };
            if other != method {
                assert_eq!(error(&as_other.refresh(&tokens.refresh).await).1, "invalid_client", "{method} {other}");
            }
        }
        pair(&client.refresh(&tokens.refresh).await);
    }
}

#[tokio::test]
async fn nobody_learns_from_an_answer_which_clients_and_which_codes_there_are() {
    let app = App::start().await;
    let (client, other) = (app.confidential().await, app.confidential().await);
    let body = encoded(&[("grant_type", "refresh_token"), ("refresh_token", "x")]);
    let mut answers = Vec::new();
    for value in
        [basic(&client.id, "wrong"), basic("unknown", "wrong"), basic(&client.id, &other.secret.clone().unwrap())]
    {
        let answer = app.post("/token", FORM, &[("Authorization", &value)], &body).await;
        answers.push((answer.status, answer.header("www-authenticate").to_owned(), answer.body));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");

    let (foreign, spent) = (other.code().await, client.code().await);
    pair(&client.redeem(&spent).await);
    let mut bodies = vec![client.redeem("unknown").await.body, client.redeem(&foreign).await.body];
    bodies.extend([client.redeem(&spent).await.body, client.refresh("unknown").await.body]);
    bodies.push(client.refresh(&other.tokens().await.refresh).await.body);
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

/// Every `App` looks for the secrets that it has seen in its log at the end; this one shows that there is a log.
#[tokio::test]
async fn neither_an_answer_that_says_no_nor_the_log_has_a_secret() {
    let app = App::start().await;
    let client = app.confidential().await;
    let tokens = client.tokens().await;
    let code = client.code().await;
    let page = client.page(&client.query(&[])).await;
    page.submit(&app, &[("username", "eve")]).await;
    let secret = client.secret.clone().unwrap();
    let secrets = [&*code, &*tokens.access, &*tokens.refresh, &*secret, VERIFIER, OTHER_VERIFIER, PASSWORD];
    for answer in [
        client.redeem_with(&code, &[("code_verifier", OTHER_VERIFIER)]).await,
        client.redeem_with(&tokens.access, &[]).await,
        client.refresh(&tokens.access).await,
        client.refresh_with(&tokens.refresh, &[("scope", &code)]).await,
        client.send("/token", &[("grant_type", &code)]).await,
        client.send("/token", &[(&code, "x"), (&code, "y")]).await,
        app.call(&tokens.refresh).await,
        client.authorize(&client.query(&[("scope", &code)])).await,
        app.form(
            "/token",
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", "x"),
                ("client_id", &client.id),
                ("client_secret", "x"),
            ],
        )
        .await,
    ] {
        let all = format!("{answer:?}");
        assert!(answer.status >= 300 && secrets.iter().all(|secret| !all.contains(secret)), "{all}");
    }
    let log = app.log();
    for event in [
        "client.registered",
        "code.redeemed",
        "code.refused",
        "refresh_token.refused",
        "access_token.refused",
        "consent.refused",
    ] {
        assert!(log.contains(event), "{event}: {log}");
    }
    assert!(log.contains("reason=\"wrong_verifier\"") && log.contains(&client.id));
}

/// What is guessed has 256 bits, and is checked once for each request that is logged. To limit how many of those there
/// are is the part of whoever stands in front, as it is for every other route; no number of guesses locks the owner out.
#[tokio::test]
async fn guesses_are_logged_and_lock_nobody_out() {
    let app = App::start().await;
    let client = app.confidential().await;
    let code = client.code().await;
    app.log();
    for guess in 0..100 {
        let value = basic(&client.id, &format!("guess-{guess}"));
        let answer =
            app.post("/token", FORM, &[("Authorization", &value)], "grant_type=refresh_token&refresh_token=x").await;
        assert_eq!(answer.status, 401);
        assert_eq!(client.redeem_with(&code, &[("code_verifier", OTHER_VERIFIER)]).await.status, 400);
    }
    let log = app.log();
    assert_eq!(
        (log.matches("reason=\"wrong_secret\"").count(), log.matches("reason=\"wrong_verifier\"").count()),
        (100, 100)
    );
    pair(&client.redeem(&code).await);
}
