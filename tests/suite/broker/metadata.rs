//! Metadata and discovery (RFC 8414, RFC 9728).

use serde_json::{Value, json};

use super::app::{App, ISSUER, RESOURCE, Setup, error, json, parameter, told};
use super::client::VERIFIER;
use keyward::http::RegistrationPolicy;

/// Each issuer, where its document is, and where its endpoints are.
const ISSUERS: [(&str, &str, &str); 5] = [
    ("https://as.example", "/.well-known/oauth-authorization-server", "https://as.example"),
    ("https://as.example/", "/.well-known/oauth-authorization-server", "https://as.example"),
    ("https://as.example:8443/t/a", "/.well-known/oauth-authorization-server/t/a", "https://as.example:8443/t/a"),
    ("https://AS.example/t/", "/.well-known/oauth-authorization-server/t", "https://AS.example/t"),
    ("http://127.0.0.1:3000", "/.well-known/oauth-authorization-server", "http://127.0.0.1:3000"),
];

fn has_nothing_empty(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty() && values.iter().all(has_nothing_empty),
        Value::Object(members) => members.values().all(has_nothing_empty),
        _ => true,
    }
}

#[tokio::test]
async fn the_document_is_where_the_standard_puts_it_and_names_the_issuer_byte_for_byte() {
    for (issuer, path, endpoints) in ISSUERS {
        let app = App::with(Setup { issuer, ..Setup::default() }).await;
        let answer = app.get(path, &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{issuer}");
        let members = json(&answer);
        assert_eq!(members["issuer"], issuer);
        for (name, endpoint) in [("authorization_endpoint", "authorize"), ("token_endpoint", "token")] {
            assert_eq!(members[name], format!("{endpoints}/{endpoint}"), "{issuer}");
        }
        let resource = json(&app.get("/.well-known/oauth-protected-resource/mcp", &[]).await);
        assert_eq!(resource["authorization_servers"], json!([issuer]));
    }
}

#[test]
fn an_issuer_that_clients_would_not_accept_is_none() {
    for issuer in
        ["http://as.example", "https://as.example?a=b", "https://as.example#a", "https://a@as.example", "as.example"]
    {
        assert!(keyward::broker::Issuer::new(issuer).is_err(), "{issuer}");
    }
}

/// What clients refuse to go on without.
#[tokio::test]
async fn the_document_says_what_clients_insist_on_and_every_endpoint_that_it_names_is_there() {
    let app = App::start().await;
    let members = json(&app.get("/.well-known/oauth-authorization-server", &[]).await);
    assert_eq!(members["response_types_supported"], json!(["code"]));
    assert_eq!(members["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(members["authorization_response_iss_parameter_supported"], json!(true));
    assert_eq!(
        members["token_endpoint_auth_methods_supported"],
        json!(["none", "client_secret_basic", "client_secret_post"])
    );
    let endpoints: Vec<_> =
        members.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint")).collect();
    assert_eq!(endpoints.len(), 5);
    for (name, url) in endpoints {
        let path = url.as_str().unwrap().strip_prefix(ISSUER).unwrap();
        let answer = app.post(path, "text/plain", &[], "").await;
        assert_ne!(answer.status, 404, "{name}");
    }
}

#[tokio::test]
async fn no_member_is_null_or_an_empty_list_even_where_there_is_nothing_to_say() {
    let bare = Setup {
        resources: &[],
        registration: RegistrationPolicy::closed(),
        tokens: Box::new(|builder| builder.scopes(keyward::key::Scopes::default())),
        ..Setup::default()
    };
    for setup in [Setup::default(), bare] {
        let resources = setup.resources;
        let app = App::with(setup).await;
        let server = json(&app.get("/.well-known/oauth-authorization-server", &[]).await);
        assert!(has_nothing_empty(&server), "{server}");
        assert_eq!(server.get("registration_endpoint").is_some(), !resources.is_empty());
        if !resources.is_empty() {
            let resource = json(&app.get("/.well-known/oauth-protected-resource/mcp", &[]).await);
            assert!(has_nothing_empty(&resource), "{resource}");
        }
    }
}

#[tokio::test]
async fn each_resource_has_a_document_that_names_it_byte_for_byte() {
    let resources =
        &["https://as.example/mcp", "https://as.example/mcp/", "https://as.example", "https://as.example/q?a=b"];
    let app = App::with(Setup { resources, ..Setup::default() }).await;
    for (path, resource) in [
        ("/.well-known/oauth-protected-resource/mcp", "https://as.example/mcp"),
        ("/.well-known/oauth-protected-resource/mcp/", "https://as.example/mcp/"),
        ("/.well-known/oauth-protected-resource", "https://as.example"),
        ("/.well-known/oauth-protected-resource/q?a=b", "https://as.example/q?a=b"),
    ] {
        let answer = app.get(path, &[]).await;
        let members = json(&answer);
        assert_eq!((&members["resource"], &members["authorization_servers"]), (&json!(resource), &json!([ISSUER])));
        assert_eq!(members["bearer_methods_supported"], json!(["header"]));
        assert!(!members["scopes_supported"].as_array().unwrap().contains(&json!("offline_access")));
    }
    for path in ["/.well-known/oauth-protected-resource/q", "/.well-known/oauth-protected-resource/none"] {
        assert_eq!(app.get(path, &[]).await.status, 404, "{path}");
    }
}

/// Clients derive the document's place from where they were refused.
#[tokio::test]
async fn the_challenge_of_a_resource_leads_to_its_document() {
    let app = App::start().await;
    let answer = app.get("/mcp", &[]).await;
    let (_, rest) = answer.header("www-authenticate").split_once("resource_metadata=\"").unwrap();
    let url = rest.split('"').next().unwrap();
    assert_eq!(url, "https://as.example/.well-known/oauth-protected-resource/mcp");
    let members = json(&app.get(url.strip_prefix(ISSUER).unwrap(), &[]).await);
    assert_eq!(members["resource"], RESOURCE);
}

/// With a code, with an error, and when the person refuses, for every way to write an issuer.
#[tokio::test]
async fn whoever_is_sent_back_is_told_by_whom_byte_for_byte() {
    for (issuer, ..) in ISSUERS {
        let app = App::with(Setup { issuer, ..Setup::default() }).await;
        let client = app.client().await;
        let refused = client.authorize(&client.query(&[("scope", "unheard-of")])).await;
        let page = client.query(&[("state", "s")]);
        let mut answers = vec![refused];
        if issuer.starts_with("https") {
            let page = client.page(&page).await;
            answers.push(page.submit(&app, &[("decision", "deny")]).await);
            answers.push(page.submit(&app, &[]).await);
        }
        for answer in answers {
            assert_eq!(answer.status, 303, "{answer:?}");
            assert_eq!(parameter(answer.header("location"), "iss").as_deref(), Some(issuer), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn neither_a_token_nor_a_password_is_to_be_had_by_the_old_grants() {
    let app = App::start().await;
    let client = app.confidential().await;
    for response_type in ["token", "id_token", "code token", "code id_token"] {
        let answer = client.authorize(&client.query(&[("response_type", response_type)])).await;
        let location = answer.header("location");
        assert_eq!(parameter(location, "error").as_deref(), Some("unsupported_response_type"), "{location}");
        assert!(!location.contains('#'), "{location}");
    }
    for grant_type in ["password", "client_credentials", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
        let pairs = [("grant_type", grant_type), ("username", "ada"), ("password", VERIFIER)];
        assert_eq!(error(&client.send("/token", &pairs).await), told(400, "unsupported_grant_type"));
    }
}
