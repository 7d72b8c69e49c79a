//! The authorization endpoint: where the person is asked.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::{BrowserRequest, ConsentOutcome, Shared, form, page};
use crate::broker::{AuthorizationRefusal, AuthorizationRequest, OAuthErrorCode, Parameters};
use crate::service::TokensError;
use crate::visible::Causes;

/// The longest query that is read, in bytes.
const MAX_QUERY_LEN: usize = 16 * 1024;

pub(super) async fn ask(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let from = BrowserRequest { uri: &uri, headers: &headers, form: None, is_https: shared.tokens.issuer().is_https() };
    shared.answer(&from).await
}

/// The form of a page, sent to the same address as the page.
pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(body) = form::read(&headers, body, form::FORM).await else {
        return page::refused(StatusCode::BAD_REQUEST, "the form cannot be read");
    };
    let parameters = Parameters::parse(&body);
    let from = BrowserRequest {
        uri: &uri,
        headers: &headers,
        form: Some(&parameters),
        is_https: shared.tokens.issuer().is_https(),
    };
    shared.answer(&from).await
}

impl Shared {
    async fn answer(&self, from: &BrowserRequest<'_>) -> Response {
        if from.query().len() > MAX_QUERY_LEN {
            return page::refused(StatusCode::BAD_REQUEST, "the request is too long");
        }
        let request = match self.tokens.authorize(&Parameters::parse(from.query())).await {
            Ok(request) => request,
            Err(error) => return self.refused(None, &error),
        };
        let mut response = match self.person.ask(&request, from).await {
            ConsentOutcome::Respond(response) => response,
            ConsentOutcome::Denied => redirect(&self.tokens.deny(&request).location(self.tokens.issuer().as_str())),
            ConsentOutcome::Unavailable => self.later(&request),
            ConsentOutcome::Approved(approval) => match self.tokens.approve(&request, *approval).await {
                Ok(location) => redirect(location.expose_secret()),
                Err(error) => self.refused(Some(&request), &error),
            },
        };
        let headers = response.headers_mut();
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
        // Pages of the host's own are not to be framed either (RFC 9700 section 4.16).
        headers.entry(X_FRAME_OPTIONS).or_insert(HeaderValue::from_static("DENY"));
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("frame-ancestors 'none'"));
        response
    }

    /// What the client may be told, it is told; everything else, the person is shown.
    fn refused(&self, request: Option<&AuthorizationRequest>, error: &TokensError) -> Response {
        match error {
            TokensError::Authorization(AuthorizationRefusal::Redirected(refusal)) => {
                redirect(&refusal.location(self.tokens.issuer().as_str()))
            }
            TokensError::Authorization(AuthorizationRefusal::Shown(reason)) => {
                page::refused(StatusCode::BAD_REQUEST, reason)
            }
            error => {
                tracing::error!(event = "broker.unavailable", error = %Causes(error));
                match request {
                    Some(request) => self.later(request),
                    None => page::refused(StatusCode::SERVICE_UNAVAILABLE, "the service cannot answer at the moment"),
                }
            }
        }
    }

    fn later(&self, request: &AuthorizationRequest) -> Response {
        let refusal =
            request.refused(OAuthErrorCode::TemporarilyUnavailable, "the service cannot answer at the moment");
        redirect(&refusal.location(self.tokens.issuer().as_str()))
    }
}

/// 303, so that no browser sends a form on (RFC 9700 section 4.12).
pub(super) fn redirect(location: &str) -> Response {
    let headers = [(CACHE_CONTROL, "no-store"), (REFERRER_POLICY, "no-referrer")];
    match HeaderValue::from_str(location) {
        Ok(mut location) => {
            location.set_sensitive(true);
            (StatusCode::SEE_OTHER, headers, [(LOCATION, location)]).into_response()
        }
        Err(_) => page::refused(StatusCode::BAD_REQUEST, "redirect_uri is not one that the client has registered"),
    }
}
