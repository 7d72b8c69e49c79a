//! What a client can find out before it asks: the documents of the server and of its resources.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::{Shared, form};
use crate::broker::{ClientAuthMethod, CodeChallenge};
use crate::key::Scopes;

/// The metadata of the authorization server (RFC 8414 section 2).
pub(super) async fn server(State(shared): State<Arc<Shared>>) -> Response {
    let issuer = shared.tokens.issuer();
    let methods: Vec<_> = ClientAuthMethod::ALL.map(ClientAuthMethod::as_str).into();
    let with_secret: Vec<_> = methods.iter().filter(|method| **method != "none").collect();
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("issuer", json!(issuer.as_str()));
    add("authorization_endpoint", json!(issuer.endpoint("/authorize")));
    add("token_endpoint", json!(issuer.endpoint("/token")));
    if shared.registration.is_some() {
        add("registration_endpoint", json!(issuer.endpoint("/register")));
    }
    add("revocation_endpoint", json!(issuer.endpoint("/revoke")));
    add("introspection_endpoint", json!(issuer.endpoint("/introspect")));
    add("response_types_supported", json!(["code"]));
    add("response_modes_supported", json!(["query"]));
    add("grant_types_supported", json!(["authorization_code", "refresh_token"]));
    add("token_endpoint_auth_methods_supported", json!(methods));
    add("revocation_endpoint_auth_methods_supported", json!(methods));
    add("introspection_endpoint_auth_methods_supported", json!(with_secret));
    add("code_challenge_methods_supported", json!([CodeChallenge::METHOD]));
    add("authorization_response_iss_parameter_supported", json!(true));
    if shared.tokens.fetches_client_metadata() {
        add("client_id_metadata_document_supported", json!(true));
    }
    add_scopes(&mut members, &shared.tokens.policy().scopes);
    form::json(members)
}

/// The metadata of a protected resource (RFC 9728 section 2), under the path that follows from its identifier.
pub(super) async fn resource(State(shared): State<Arc<Shared>>, OriginalUri(uri): OriginalUri) -> Response {
    let asked = uri.path_and_query().map_or("", |asked| asked.as_str());
    let policy = shared.tokens.policy();
    let Some(resource) = policy.resources.iter().find(|resource| resource.metadata_path() == asked) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut members = Map::new();
    members.insert("resource".to_owned(), json!(resource.as_str()));
    members.insert("authorization_servers".to_owned(), json!([shared.tokens.issuer().as_str()]));
    members.insert("bearer_methods_supported".to_owned(), json!(["header"]));
    add_scopes(&mut members, &policy.scopes);
    form::json(members)
}

/// There are no empty lists in metadata (RFC 8414 section 3.2).
fn add_scopes(members: &mut Map<String, Value>, scopes: &Scopes) {
    if !scopes.is_empty() {
        members.insert("scopes_supported".to_owned(), json!(scopes.iter().collect::<Vec<_>>()));
    }
}
