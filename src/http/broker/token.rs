//! The endpoints for programs: token, revocation and introspection.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::client::{BasicCredentials, presented};
use super::refusal::{challenged, refuse};
use super::{Shared, form};
use crate::broker::{OAuthErrorCode, Parameters, PresentedClient};
use crate::http::Rejection;
use crate::service::{IssuedTokens, PresentedGrant, TokensError};

/// A form, and the client that sends it.
struct Request {
    body: String,
    basic: Option<BasicCredentials>,
}

impl Request {
    async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Rejection> {
        let basic = BasicCredentials::of(headers)?;
        Ok(Self { body: form::read(headers, body, form::FORM).await?, basic })
    }

    fn parameters(&self) -> Result<Parameters<'_>, Rejection> {
        let parameters = Parameters::parse(&self.body);
        match parameters.repeated() {
            None => Ok(parameters),
            Some(_) => Err(refuse(OAuthErrorCode::InvalidRequest, "a parameter is repeated")),
        }
    }
}

/// A parameter without which nothing can be done.
fn required<'p>(parameters: &'p Parameters<'_>, name: &str, missing: &'static str) -> Result<&'p str, Rejection> {
    parameters.get(name).ok_or_else(|| refuse(OAuthErrorCode::InvalidRequest, missing))
}

/// What the service says to a client.
fn says(client: PresentedClient<'_>) -> impl Fn(TokensError) -> Rejection {
    move |error| match &error {
        TokensError::Client(_) if client.is_basic() => challenged(error.into()),
        error => error.into(),
    }
}

pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Rejection> {
    let request = Request::read(&headers, body).await?;
    let parameters = request.parameters()?;
    let grant_type = required(&parameters, "grant_type", "grant_type is missing")?;
    let resource = parameters.get("resource");
    let exchanged = match grant_type {
        "authorization_code" => PresentedGrant::Code {
            code: required(&parameters, "code", "code is missing")?,
            redirect_uri: parameters.get("redirect_uri"),
            verifier: parameters.get("code_verifier"),
            resource,
        },
        "refresh_token" => PresentedGrant::Refresh {
            refresh_token: required(&parameters, "refresh_token", "refresh_token is missing")?,
            scope: parameters.get("scope"),
            resource,
        },
        _ => return Err(refuse(OAuthErrorCode::UnsupportedGrantType, "there is no such kind of grant")),
    };
    let client = presented(request.basic.as_ref(), &parameters)?;
    let issued = shared.tokens.exchange(client, exchanged).await.map_err(says(client))?;
    Ok(form::unstored_json(StatusCode::OK, answer(&issued)))
}

/// The successful answer (RFC 6749 section 5.1).
fn answer(issued: &IssuedTokens) -> Map<String, Value> {
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("access_token", json!(issued.access_token.expose_secret()));
    add("token_type", json!("Bearer"));
    add("expires_in", json!(issued.expires_in));
    if let Some(refresh_token) = &issued.refresh_token {
        add("refresh_token", json!(refresh_token.expose_secret()));
    }
    if !issued.scopes.is_empty() {
        add("scope", json!(issued.scopes.joined()));
    }
    members
}

pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Rejection> {
    let request = Request::read(&headers, body).await?;
    let parameters = request.parameters()?;
    let token = required(&parameters, "token", "token is missing")?;
    let client = presented(request.basic.as_ref(), &parameters)?;
    shared.tokens.revoke(client, token).await.map_err(says(client))?;
    Ok((StatusCode::OK, [(CACHE_CONTROL, "no-store")]).into_response())
}

pub(super) async fn introspect(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Rejection> {
    let request = Request::read(&headers, body).await?;
    let parameters = request.parameters()?;
    let asker = presented(request.basic.as_ref(), &parameters).map_err(challenged)?;
    // Who asks comes first: nobody else learns whether the rest of the request is in order (RFC 7662 section 2.3).
    let token = parameters.get("token").unwrap_or_default();
    let found = shared.tokens.introspect(asker, token).await.map_err(|error| match &error {
        TokensError::Client(_) => challenged(error.into()),
        error => error.into(),
    })?;
    required(&parameters, "token", "token is missing")?;
    Ok(form::unstored_json(StatusCode::OK, found.to_json(shared.tokens.issuer().as_str())))
}
