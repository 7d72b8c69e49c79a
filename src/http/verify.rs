//! What verifies a bearer token, and says whose request it is.

use std::future::Future;
use std::sync::Arc;

use http::{Extensions, HeaderMap};

use crate::http::{Bearer, BearerError, Rejection};
use crate::key::{Authenticated, Schema};
use crate::service::Keys;

/// What verifies a bearer token, and says whose request it is: [`Keys`], or whatever else issues tokens.
///
/// ```
/// use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
/// use keyward::http::VerifyBearer;
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let issued = keys.issue(StandardKey::new("customer-1", "nightly import")?).await?;
///
/// let mut headers = HeaderMap::new();
/// let rejection = keys.authenticate(&headers).await.unwrap_err();
/// assert_eq!(rejection.status(), StatusCode::UNAUTHORIZED);
///
/// headers.insert(AUTHORIZATION, format!("Bearer {}", issued.secret.expose_secret()).parse()?);
/// let caller = keys.authenticate(&headers).await?;
/// assert_eq!(caller.owner().as_str(), "customer-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait VerifyBearer: Clone + Send + Sync + 'static {
    /// Whose request it is, and what they may do. It should be cheap to clone, and nothing else should be able to make
    /// one.
    type Principal: Clone + Send + Sync + 'static;

    /// Accepts or refuses a token.
    ///
    /// # Errors
    /// [`Rejection`]: [`InvalidToken`](crate::http::RejectionKind::InvalidToken) for every token that is not accepted,
    /// alike for all reasons, and [`Unavailable`](crate::http::RejectionKind::Unavailable) where that cannot be found
    /// out.
    fn verify_bearer(&self, bearer: Bearer<'_>) -> impl Future<Output = Result<Self::Principal, Rejection>> + Send;

    /// As [`verify_bearer`](Self::verify_bearer), and leaves what handlers may want to know beside the principal among the
    /// `extensions` of the request, as [`Limited`](crate::http::Limited) does. This is what the layer `Protect` calls.
    ///
    /// # Errors
    /// [`Rejection`], as that of [`verify_bearer`](Self::verify_bearer).
    fn admit(
        &self,
        bearer: Bearer<'_>,
        extensions: &mut Extensions,
    ) -> impl Future<Output = Result<Self::Principal, Rejection>> + Send {
        let _ = extensions;
        self.verify_bearer(bearer)
    }

    /// Accepts or refuses the bearer token of a request.
    ///
    /// # Errors
    /// [`Rejection`], also of a [`BearerError`].
    fn authenticate(&self, headers: &HeaderMap) -> impl Future<Output = Result<Self::Principal, Rejection>> + Send {
        async move { self.verify_bearer(bearer(headers)?).await }
    }
}

impl<S: Schema> VerifyBearer for Keys<S> {
    type Principal = Authenticated<S>;

    async fn verify_bearer(&self, bearer: Bearer<'_>) -> Result<Authenticated<S>, Rejection> {
        Ok(self.verify(bearer.expose_secret()).await?)
    }
}

/// [`Keys`] that ask the store for each request, whatever their [cache](crate::KeysBuilder::cache) holds: for routes on
/// which a key that was revoked a moment ago must do nothing. While the store cannot answer, they accept nothing.
///
/// Under a layer over all routes, put another one over these.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Router, routing::{get, post}};
/// use keyward::http::{FreshKeys, Protect};
/// use keyward::key::Authenticated;
/// use keyward::schemas::standard::Standard;
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// async fn look(caller: Authenticated<Standard>) -> String {
///     format!("{} looks, by {:?} evidence", caller.owner(), caller.evidence())
/// }
///
/// async fn pay(caller: Authenticated<Standard>) -> String {
///     assert!(caller.evidence().is_fresh());
///     format!("{} pays", caller.owner())
/// }
///
/// fn app(keys: Keys<Standard>) -> Router {
///     let sensitive = Router::new().route("/payments", post(pay)).layer(Protect::new(FreshKeys::new(keys.clone())));
///     Router::new().route("/balance", get(look)).layer(Protect::new(keys)).merge(sensitive)
/// }
/// # app(Keys::builder(MemoryKeyStore::new(Standard::new("acme").unwrap())).build());
/// # }
/// ```
#[derive(Debug)]
pub struct FreshKeys<S: Schema>(Keys<S>);

impl<S: Schema> Clone for FreshKeys<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Schema> FreshKeys<S> {
    /// These keys, without their cache.
    #[must_use]
    pub const fn new(keys: Keys<S>) -> Self {
        Self(keys)
    }
}

impl<S: Schema> VerifyBearer for FreshKeys<S> {
    type Principal = Authenticated<S>;

    async fn verify_bearer(&self, bearer: Bearer<'_>) -> Result<Authenticated<S>, Rejection> {
        Ok(self.0.verify_fresh(bearer.expose_secret()).await?)
    }
}

impl<V: VerifyBearer> VerifyBearer for Arc<V> {
    type Principal = V::Principal;

    async fn verify_bearer(&self, bearer: Bearer<'_>) -> Result<V::Principal, Rejection> {
        V::verify_bearer(self, bearer).await
    }

    async fn admit(&self, bearer: Bearer<'_>, extensions: &mut Extensions) -> Result<V::Principal, Rejection> {
        V::admit(self, bearer, extensions).await
    }
}

/// The bearer token; a header that cannot be read is logged.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Bearer<'_>, BearerError> {
    let bearer = Bearer::of(headers);
    match &bearer {
        Err(error) if error.is_absence() => tracing::debug!(event = "bearer.absent", reason = error.code()),
        Err(error) => tracing::warn!(event = "bearer.refused", reason = error.code(), "{error}"),
        Ok(_) => {}
    }
    bearer
}
