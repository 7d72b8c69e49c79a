//! What clients of the Model Context Protocol insist on, as it was observed of the TypeScript SDK, oauth4webapi and rmcp.

use serde_json::{Value, json};

use super::app::{App, FORM, ISSUER, RESOURCE, encoded, json, parameter};
use super::client::{REDIRECT_URI, pair};

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

/// From the resource that refuses to the call that passes, as a client goes that knows nothing but an address.
#[tokio::test]
async fn a_client_that_knows_nothing_but_an_address_finds_its_way() {
    let app = App::start().await;
    let refused = app.get("/mcp", &[]).await;
    let (_, rest) = refused.header("www-authenticate").split_once("resource_metadata=\"").unwrap();
    let local = |url: &str| url.strip_prefix(ISSUER).unwrap().to_owned();
    let resource = json(&app.get(&local(rest.split('"').next().unwrap()), &[]).await);
    let issuer = resource["authorization_servers"][0].as_str().unwrap().to_owned();
    let server = json(&app.get("/.well-known/oauth-authorization-server", &[]).await);
    assert_eq!(server["issuer"], issuer);
    let endpoint = |name: &str| local(server[name].as_str().unwrap());

    let scope = resource["scopes_supported"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap());
    let scope = scope.collect::<Vec<_>>().join(" ");
    let metadata = json!({
        "redirect_uris": ["http://127.0.0.1:3334/oauth/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "client_name": "MCP Client",
        "scope": scope,
    });
    let registered = app.post(&endpoint("registration_endpoint"), "application/json", &[], &metadata.to_string()).await;
    let members = json(&registered);
    assert_eq!((registered.status, &members["redirect_uris"]), (201, &metadata["redirect_uris"]));
    assert!(!has_null(&members), "{members}");

    let client = super::client::Client {
        app: &app,
        id: members["client_id"].as_str().unwrap().to_owned(),
        secret: None,
        method: "none".to_owned(),
    };
    let uri = "http://127.0.0.1:52431/oauth/callback";
    let asked = client.query(&[("redirect_uri", uri), ("scope", &scope), ("resource", RESOURCE)]);
    let location = client.location(&asked).await;
    assert_eq!(parameter(&location, "iss").as_deref(), Some(&*issuer));
    let code = parameter(&location, "code").unwrap();
    let answer = client.redeem_with(&code, &[("redirect_uri", uri), ("resource", RESOURCE)]).await;
    assert!(!has_null(&json(&answer)));
    let tokens = pair(&answer);
    assert_eq!(app.call(&tokens.access).await.status, 200);
    // rmcp sends the scope with each refresh, the SDK the resource.
    let next = client.refresh_with(&tokens.refresh, &[("scope", &scope), ("resource", RESOURCE)]).await;
    assert!(!has_null(&json(&next)));
    assert_eq!(app.call(&pair(&next).access).await.status, 200);
}

/// The SDK refuses `"client_secret": null` and the like outright.
#[tokio::test]
async fn no_answer_has_a_null_member_whatever_is_left_out() {
    let app = App::start().await;
    let nulls = json!({
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "none",
        "client_name": null, "scope": null, "contacts": null, "client_uri": null, "software_id": null,
    });
    let client = app.client_of(nulls).await;
    let confidential = app.confidential().await;
    let tokens = client.tokens().await;
    for answer in [
        app.register(&json!({"redirect_uris": [REDIRECT_URI], "logo_uri": null})).await,
        app.get("/.well-known/oauth-authorization-server", &[]).await,
        app.get("/.well-known/oauth-protected-resource/mcp", &[]).await,
        client.redeem("x").await,
        confidential.redeem(&confidential.code().await).await,
        client.refresh(&tokens.refresh).await,
        app.get("/mcp", &[]).await,
    ] {
        assert!(!has_null(&json(&answer)), "{answer:?}");
    }
}

/// A browser is a client too: it may call what programs call, with no cookie, and reads what it needs from the headers.
#[tokio::test]
async fn pages_of_other_sites_may_call_what_programs_call() {
    let app = App::start().await;
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/mcp",
        "/register",
        "/token",
        "/revoke",
    ] {
        let request = format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nOrigin: https://client.example\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n"
        );
        let preflight = String::from_utf8(app.server.bytes(request.as_bytes()).await).unwrap().to_ascii_lowercase();
        assert!(preflight.starts_with("http/1.1 204"), "{path}: {preflight}");
        for header in ["access-control-allow-origin: *", "access-control-allow-headers: authorization, content-type"] {
            assert!(preflight.contains(header), "{path}: {preflight}");
        }
        assert!(!preflight.contains("allow-credentials"), "{path}: {preflight}");
    }
    let refused =
        app.post("/token", FORM, &[("Origin", "https://client.example")], &encoded(&[("grant_type", "x")])).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (400, "*"));
}

/// On `invalid_grant` with 400 the SDK lets its tokens go, and on `invalid_client` it registers again.
#[tokio::test]
async fn a_dead_token_and_a_client_that_is_gone_are_told_by_the_codes_that_clients_act_upon() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    client.revoke(&tokens.refresh).await;
    assert_eq!(super::app::error(&client.refresh(&tokens.refresh).await), super::app::told(400, "invalid_grant"));
    app.tokens.remove_client(&keyward::broker::ClientId::new(&*client.id).unwrap()).await.unwrap();
    assert_eq!(super::app::error(&client.refresh(&tokens.refresh).await), super::app::told(400, "invalid_client"));
}
