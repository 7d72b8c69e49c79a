//! The layer that lets requests with a good bearer token through, and the principal that it leaves in them.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::http::limit::tell;
use crate::http::verify::bearer;
use crate::http::{Limited, Rejection, RejectionKind, Rejections, VerifyBearer};
use crate::key::{Authenticated, Schema};
use crate::service::{Admitted, RateLimiter};

/// Makes the body of a response from a text.
pub trait MakeBody<B> {
    /// The body.
    fn make(&self, text: String) -> B;
}

/// Makes bodies that say themselves how they are made from a text, as those of axum do.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TextBody;

impl<B: From<String>> MakeBody<B> for TextBody {
    fn make(&self, text: String) -> B {
        B::from(text)
    }
}

impl<B, F: Fn(String) -> B> MakeBody<B> for F {
    fn make(&self, text: String) -> B {
        self(text)
    }
}

/// A [`Layer`] over any service of [`http::Request`], such as routes of axum: requests with a good bearer token pass, and
/// carry their [principal](VerifyBearer::Principal) as an extension. All others are rejected before anybody reads
/// their body.
///
/// A [`Rejection`] that a handler answers with gets the form that the layer gives to its own, so that clients see one form
/// of errors. The header `Authorization` is marked as sensitive, so that nothing inside prints it.
///
/// A request is verified once, however many handlers ask for its principal. Put the layer that answers requests of
/// browsers for other sites (CORS) outside of it: those carry no token.
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response, StatusCode};
/// use keyward::http::{Protect, principal};
/// use keyward::key::Authenticated;
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::{Keys, store::MemoryKeyStore};
/// use tower_layer::Layer as _;
/// use tower_service::Service as _;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let issued = keys.issue(StandardKey::new("customer-1", "nightly import")?).await?;
///
/// // A service of your own; axum's handlers take the `Authenticated<Standard>` as an argument.
/// let service = tower::service_fn(|request: Request<String>| async move {
///     let answer = principal::<Authenticated<Standard>>(request.extensions());
///     Ok::<_, Infallible>(match answer {
///         Ok(caller) => Response::new(caller.owner().to_string()),
///         Err(rejection) => rejection.into_response(),
///     })
/// });
/// let mut service = Protect::new(keys).layer(service);
///
/// let response = service.call(Request::new(String::new())).await?;
/// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
///
/// let authorization = format!("Bearer {}", issued.secret.expose_secret());
/// let request = Request::get("/").header("authorization", authorization).body(String::new())?;
/// assert_eq!(service.call(request).await?.body(), "customer-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a layer protects what it is put over"]
pub struct Protect<V, M = TextBody> {
    verifier: V,
    rejections: Arc<Rejections>,
    lets_anonymous_pass: bool,
    body: M,
}

impl<V: VerifyBearer> Protect<V> {
    /// Lets requests pass whose bearer token `verifier` accepts, such as [`Keys`](crate::Keys).
    pub fn new(verifier: V) -> Self {
        Self { verifier, rejections: Arc::default(), lets_anonymous_pass: false, body: TextBody }
    }
}

impl<V: VerifyBearer<Principal = Authenticated<S>>, M, S: Schema> Protect<V, M> {
    /// Lets as many requests of each key pass as its limit permits, and answers the others with 429 and `Retry-After`.
    ///
    /// Handlers find an [`Admitted`] among the extensions, and callers how much is left in the headers `RateLimit-Policy`
    /// and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10). A request counts whatever becomes of it behind the layer,
    /// one that lacks a scope too; one without credentials that [`or_anonymous`](Self::or_anonymous) lets pass does not. Put
    /// one such layer in front of a route: two count twice.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    ///
    /// use keyward::http::Protect;
    /// use keyward::schemas::standard::Standard;
    /// use keyward::{Keys, service::RateLimiter, store::MemoryKeyStore};
    ///
    /// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
    /// let layer = Protect::new(keys).limit(RateLimiter::builder(NonZeroU32::new(600).unwrap()).build());
    /// # Ok::<(), keyward::key::InvalidFormat>(())
    /// ```
    pub fn limit(self, limiter: RateLimiter<S>) -> Protect<Limited<V, S>, M> {
        let Self { verifier, rejections, lets_anonymous_pass, body } = self;
        Protect { verifier: Limited::new(verifier, limiter), rejections, lets_anonymous_pass, body }
    }
}

impl<V, M> Protect<V, M> {
    /// Makes rejections look so.
    pub fn rejections(self, rejections: Rejections) -> Self {
        Self { rejections: Arc::new(rejections), ..self }
    }

    /// Lets requests without credentials pass too, without a principal. Handlers of axum take an
    /// `Option<Authenticated<S>>`, and one that takes an `Authenticated<S>` rejects them as ever. Credentials that are not
    /// accepted are never taken for none.
    pub fn or_anonymous(self) -> Self {
        Self { lets_anonymous_pass: true, ..self }
    }

    /// Makes the bodies of rejections by `body`, for services whose bodies are not made from a text by themselves.
    pub fn body_with<B, F: Fn(String) -> B>(self, body: F) -> Protect<V, F> {
        let Self { verifier, rejections, lets_anonymous_pass, .. } = self;
        Protect { verifier, rejections, lets_anonymous_pass, body }
    }
}

impl<V, M> fmt::Debug for Protect<V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protect")
            .field("rejections", &self.rejections)
            .field("lets_anonymous_pass", &self.lets_anonymous_pass)
            .finish_non_exhaustive()
    }
}

impl<T, V: Clone, M: Clone> Layer<T> for Protect<V, M> {
    type Service = Protected<T, V, M>;

    fn layer(&self, service: T) -> Protected<T, V, M> {
        Protected { service, layer: self.clone() }
    }
}

/// A service that only requests with a good bearer token reach; see [`Protect`].
#[derive(Clone)]
pub struct Protected<T, V, M = TextBody> {
    service: T,
    layer: Protect<V, M>,
}

impl<T: fmt::Debug, V, M> fmt::Debug for Protected<T, V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protected").field("service", &self.service).field("layer", &self.layer).finish()
    }
}

type Serving<A, E> = Pin<Box<dyn Future<Output = Result<Response<A>, E>> + Send>>;

impl<T, V, M, B, A> Service<Request<B>> for Protected<T, V, M>
where
    T: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    T::Future: Send,
    V: VerifyBearer,
    M: MakeBody<A> + Clone + Send + 'static,
    B: Send + 'static,
    A: Send,
{
    type Response = Response<A>;
    type Error = T::Error;
    type Future = Serving<A, T::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready is this one, not its clone.
        let clone = self.service.clone();
        let mut service = mem::replace(&mut self.service, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if let Err(rejection) = layer.admit(&mut parts.headers, &mut parts.extensions).await {
                let rejection = layer.rejections.apply(rejection);
                return Ok(rejection.into_response_with(|text| layer.body.make(text)));
            }
            let admitted = parts.extensions.get::<Admitted>().copied();
            request = Request::from_parts(parts, body);
            let mut response = service.call(request).await?;
            if let Some(admitted) = admitted {
                tell(&admitted, response.headers_mut());
            }
            if let Some(rejection) = response.extensions().get::<Rejection>().cloned() {
                layer.rejections.apply_to(rejection, &mut response, |text| layer.body.make(text));
            }
            Ok(response)
        })
    }
}

impl<V: VerifyBearer, M> Protect<V, M> {
    /// Verifies the token, and leaves the principal.
    fn admit(
        &self,
        headers: &mut HeaderMap,
        extensions: &mut Extensions,
    ) -> impl Future<Output = Result<(), Rejection>> + Send {
        for (name, value) in &mut *headers {
            if name == AUTHORIZATION {
                value.set_sensitive(true);
            }
        }
        let (verifier, lets_anonymous_pass) = (&self.verifier, self.lets_anonymous_pass);
        async move {
            match bearer(headers) {
                Ok(bearer) => {
                    let principal = verifier.admit(bearer, extensions).await?;
                    extensions.insert(principal);
                }
                Err(error) if error.is_absence() && lets_anonymous_pass => {
                    extensions.insert(Anonymous::<V::Principal>(PhantomData));
                }
                Err(error) => return Err(error.into()),
            }
            Ok(())
        }
    }
}

/// A layer for this kind of principal let the request pass without one.
struct Anonymous<P>(PhantomData<fn() -> P>);

impl<P> Clone for Anonymous<P> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

/// Whose request it is: the principal that the layer [`Protect`] left among the extensions of the request.
///
/// # Errors
/// [`Rejection`]: 401 where the layer let the request pass without credentials; 500 where there is no such layer, which
/// is logged with the line that is missing.
pub fn principal<P: Clone + Send + Sync + 'static>(extensions: &Extensions) -> Result<P, Rejection> {
    optional_principal(extensions)?.ok_or_else(|| RejectionKind::NoCredentials.into())
}

/// As [`principal`], or `None` where the layer let the request pass without credentials.
///
/// # Errors
/// [`Rejection`]: 500 where there is no layer, which is logged with the line that is missing.
pub fn optional_principal<P: Clone + Send + Sync + 'static>(extensions: &Extensions) -> Result<Option<P>, Rejection> {
    let found = extensions.get::<P>().cloned();
    if found.is_none() && extensions.get::<Anonymous<P>>().is_none() {
        tracing::error!(
            event = "http.not_protected",
            principal = type_name::<P>(),
            "a handler asks whose request it is, and nothing has verified it: add \
             `.layer(keyward::http::Protect::new(keys))` behind the route, with the keys of this schema"
        );
        return Err(RejectionKind::Misconfigured.into());
    }
    Ok(found)
}
