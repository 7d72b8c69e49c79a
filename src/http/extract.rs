//! Whose request it is, and what it takes, as arguments of axum's handlers.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::http::{Rejection, RequiredScopes, optional_principal, principal};
use crate::key::{Authenticated, PermitsScope, Schema};

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        Self::into_response::<Body>(self)
    }
}

/// Proof that the request was made with a good key, left by the layer [`Protect`](crate::http::Protect). Nothing is
/// verified again.
///
/// ```
/// use axum::{Router, routing::get};
/// use keyward::http::Protect;
/// use keyward::key::Authenticated;
/// use keyward::schemas::standard::Standard;
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// async fn whoami(caller: Authenticated<Standard>) -> String {
///     caller.owner().to_string()
/// }
///
/// fn app(keys: Keys<Standard>) -> Router {
///     Router::new().route("/whoami", get(whoami)).layer(Protect::new(keys))
/// }
/// # app(Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "axum")))]
impl<S: Schema, State: Sync> FromRequestParts<State> for Authenticated<S> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Rejection> {
        principal(&parts.extensions)
    }
}

/// `None` for a request without credentials that the layer let pass
/// ([`or_anonymous`](crate::http::Protect::or_anonymous)).
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "axum")))]
impl<S: Schema, State: Sync> OptionalFromRequestParts<State> for Authenticated<S> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Option<Self>, Rejection> {
        optional_principal(&parts.extensions)
    }
}

/// A principal that holds the scopes `R`: proof that a handler may do what it does. It is made from a request that the
/// layer [`Protect`](crate::http::Protect) let pass, and is checked before the body of the request is read.
///
/// An alias keeps signatures short.
///
/// ```
/// use axum::{Router, routing::get};
/// use keyward::http::{Permitted, Protect};
/// use keyward::key::Authenticated;
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::{Keys, store::MemoryKeyStore};
/// # use tower_service::Service as _;
///
/// keyward::required_scopes! {
///     JobsRead = ["jobs:read"];
///     JobsRun = ["jobs:read", "jobs:run"];
/// }
/// type Caller<R> = Permitted<Authenticated<Standard>, R>;
///
/// async fn list(caller: Caller<JobsRead>) -> String {
///     format!("the jobs of {}", caller.owner())
/// }
///
/// async fn run(caller: Caller<JobsRun>) -> String {
///     format!("{} runs a job", caller.owner())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let issued = keys.issue(StandardKey::new("customer-1", "reader")?.scope("jobs:read")?).await?;
/// let mut app = Router::new().route("/jobs", get(list).post(run)).layer(Protect::new(keys));
///
/// let authorization = format!("Bearer {}", issued.secret.expose_secret());
/// let request = |method| axum::extract::Request::builder().method(method).uri("/jobs").header("authorization", &authorization);
/// assert_eq!(app.call(request("GET").body(axum::body::Body::empty())?).await?.status(), 200);
/// assert_eq!(app.call(request("POST").body(axum::body::Body::empty())?).await?.status(), 403);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Permitted<P, R> {
    principal: P,
    scopes: PhantomData<fn() -> R>,
}

impl<P: PermitsScope, R: RequiredScopes> Permitted<P, R> {
    /// Takes `principal` where it holds the scopes.
    ///
    /// # Errors
    /// [`Rejection`]: 403 `insufficient_scope`, which names all the scopes that are needed.
    pub fn new(principal: P) -> Result<Self, Rejection> {
        R::check(&principal)?;
        Ok(Self { principal, scopes: PhantomData })
    }
}

impl<P, R> Permitted<P, R> {
    /// The principal.
    #[must_use]
    pub fn into_principal(self) -> P {
        self.principal
    }
}

impl<P, R> Deref for Permitted<P, R> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.principal
    }
}

impl<P: Clone, R> Clone for Permitted<P, R> {
    fn clone(&self) -> Self {
        Self { principal: self.principal.clone(), scopes: PhantomData }
    }
}

impl<P: fmt::Debug, R> fmt::Debug for Permitted<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permitted").field(&self.principal).finish()
    }
}

#[cfg_attr(docsrs_keyward, doc(cfg(feature = "axum")))]
impl<P, R, State> FromRequestParts<State> for Permitted<P, R>
where
    P: PermitsScope + Clone + Send + Sync + 'static,
    R: RequiredScopes,
    State: Sync,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Rejection> {
        Self::new(principal(&parts.extensions)?)
    }
}
