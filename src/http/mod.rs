//! HTTP: keys and tokens in requests that come in, and calls on behalf of an owner that go out.
//!
//! What stands here translates between keyward and the crates of HTTP, and decides nothing: which key is good says
//! [`Keys`](crate::Keys), and which token may be shown where says `Credentials`.
//!
//! # Requests that come in
//!
//! | server | how |
//! |---|---|
//! | axum | `.layer(Protect::new(keys))` behind the routes, and an `Authenticated<S>` or a `Permitted<…>` in the handler |
//! | any service of [`http::Request`], such as hyper's or tonic's | the same layer, and `principal(request.extensions())?` |
//! | another | `keys.authenticate(&headers).await`, of [`VerifyBearer`], and [`Rejection::into_response`] |
//!
//! A request passes four questions, in this order: is there one [`Bearer`] token (RFC 6750)? Is it accepted
//! ([`VerifyBearer`]), and within the limit of its key, if there is a limiter ([`Limited`])? Does it hold the scopes that
//! the route needs ([`RequiredScopes`])? And only then: what is in its body? Whatever says no is a [`Rejection`], with the [`Challenge`] that the standards ask for; [`Rejections`] say how it
//! looks.
#![cfg_attr(
    all(feature = "tower", feature = "credentials"),
    doc = r"
# Calls that go out

| client | one line |
|---|---|
| reqwest | `credentials.send(&owner, client.get(url)).await?` |
| any [`tower_service::Service`] of [`http::Request`], such as hyper's | [`SignCalls`], a [`tower_layer::Layer`] |
| another | `credentials.sign(&owner, &mut request).await?`, and `credentials.answered_by(…)` after it |
"
)]

#[cfg(feature = "broker")]
mod access;
mod bearer;
#[cfg(all(feature = "axum", feature = "broker"))]
mod broker;
#[cfg(all(feature = "tower", feature = "credentials"))]
mod calls;
mod challenge;
#[cfg(feature = "axum")]
mod extract;
#[cfg(feature = "tower")]
mod layer;
mod limit;
mod rejection;
mod scopes;
mod verify;

pub use bearer::{Bearer, BearerError};
#[cfg(all(feature = "axum", feature = "broker"))]
#[cfg_attr(docsrs_keyward, doc(cfg(all(feature = "axum", feature = "broker"))))]
pub use broker::{
    Broker, BrowserRequest, CheckPassword, Consent, ConsentOutcome, ConsentPage, RegistrationPolicy, SignIn,
    SignInUnavailable,
};
#[cfg(all(feature = "tower", feature = "credentials"))]
#[cfg_attr(docsrs_keyward, doc(cfg(all(feature = "tower", feature = "credentials"))))]
pub use calls::{CallError, CloneBody, OnBehalfOf, RepeatBody, SignCalls, SignedCalls};
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "reqwest")))]
pub use calls::{ReqwestTransport, client_builder};
pub use challenge::{Challenge, InvalidChallenge};
#[cfg(feature = "axum")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "axum")))]
pub use extract::Permitted;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "tower")))]
pub use layer::{MakeBody, Protect, Protected, TextBody, optional_principal, principal};
pub use limit::Limited;
pub use rejection::{BodyForm, Rejection, RejectionKind, Rejections};
pub use scopes::RequiredScopes;
pub use verify::{FreshKeys, VerifyBearer};

pub use crate::oauth_error::OAuthErrorCode;
