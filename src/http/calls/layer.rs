//! A layer that signs every call of a client.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::http::calls::CallError;
use crate::key::OwnerId;
use crate::service::{AfterAnswer, Credentials};

/// On whose behalf a request is: an extension of the request, which counts more than the layer's own
/// [owner](SignCalls::owner). It is a type of its own so that no other [`OwnerId`] among the extensions, such as the caller's,
/// is taken for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is one owner, and no more")]
pub struct OnBehalfOf(pub OwnerId);

/// Makes a body once more, in case that the request has to be sent again. `None` where it cannot be had twice, such as a
/// stream: the first answer is then handed through.
pub trait RepeatBody<B> {
    /// A body that is as `body` is before anybody has read it.
    fn repeat(&self, body: &B) -> Option<B>;
}

/// Repeats bodies that can be cloned.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct CloneBody;

impl<B: Clone> RepeatBody<B> for CloneBody {
    fn repeat(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }
}

impl<B, F: Fn(&B) -> Option<B>> RepeatBody<B> for F {
    fn repeat(&self, body: &B) -> Option<B> {
        self(body)
    }
}

/// A [`Layer`] over any client, that is any [`Service`] of [`http::Request`]: each call is signed with an access token that
/// is good, and sent a second time where the server asks for a nonce or the token was replaced under way.
///
/// The token is shown to the credential's own server alone, where the credential names one (`resource_server`): a call to another origin fails with
/// [`CredentialsError::OtherServer`](crate::service::CredentialsError::OtherServer) and sends nothing. That holds for each
/// hop of a redirect too, as long as it is followed *outside* of this layer (and so is signed anew) and not by the client
/// inside.
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response};
/// use keyward::http::{OnBehalfOf, SignCalls};
/// # use keyward::credential::{ClientId, Endpoint, OAuthClient, OAuthSession};
/// use keyward::key::OwnerId;
/// # use keyward::seal::{SealKey, SealKeys};
/// # use keyward::store::credentials::{MemoryCredentialStore, Over};
/// # use keyward::{Clock as _, Secret, SystemClock};
/// use keyward::service::Credentials;
/// # use keyward::service::{Transport, TransportAnswer, TransportError};
/// # struct Nowhere;
/// # #[async_trait::async_trait]
/// # impl Transport for Nowhere {
/// #     async fn send(&self, _: &keyward::credential::TokenRequest) -> Result<TransportAnswer, TransportError> {
/// #         Err(TransportError::NotSent("nowhere".into()))
/// #     }
/// # }
/// use tower_layer::Layer as _;
/// use tower_service::Service as _;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let keys = SealKeys::new("a".parse()?, SealKey::from_bytes(&[7; 32])?);
/// # let credentials: Credentials = Credentials::builder(MemoryCredentialStore::new(), Nowhere, tokio::runtime::Handle::current())
/// #     .seal_keys(keys).client(OAuthClient::public(ClientId::new("app")?)).build();
/// # let owner = OwnerId::new("customer-1")?;
/// # let endpoint = Endpoint::new("https://as.example/token")?;
/// # let mut session = OAuthSession::new(ClientId::new("app")?, "https://as.example", endpoint, Secret::new("t-1".to_owned()));
/// # session.resource_server = Some("https://api.example".to_owned());
/// # session.expires_at = Some(SystemClock.now().saturating_add(std::time::Duration::from_secs(3600)));
/// # credentials.put(&owner, session, Over::Nothing).await?;
/// // Your client here, such as hyper's; this one only answers how it was asked.
/// let client = tower::service_fn(|request: Request<String>| async move {
///     assert_eq!(request.headers()["authorization"], "Bearer t-1");
///     Ok::<_, Infallible>(Response::new(request.uri().path().to_owned()))
/// });
///
/// let mut client = SignCalls::new(credentials).layer(client);
/// let request = Request::get("https://api.example/v1/jobs").extension(OnBehalfOf(owner)).body(String::new())?;
/// assert_eq!(client.call(request).await?.body(), "/v1/jobs");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SignCalls<R = CloneBody> {
    credentials: Credentials,
    owner: Option<OwnerId>,
    repeat: R,
}

impl SignCalls {
    /// Signs calls with `credentials`. Each request says by the extension [`OnBehalfOf`] whose it is, unless
    /// [`owner`](Self::owner) says it for all.
    #[must_use]
    pub const fn new(credentials: Credentials) -> Self {
        Self { credentials, owner: None, repeat: CloneBody }
    }
}

impl<R> SignCalls<R> {
    /// Signs calls on behalf of `owner`, but for those that name another one.
    #[must_use]
    pub fn owner(self, owner: OwnerId) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// Repeats bodies by `repeat`, for clients whose bodies cannot be cloned. A request whose body it does not repeat is
    /// sent once: `|_| None` repeats none.
    #[must_use]
    pub fn repeat_body<B, F: Fn(&B) -> Option<B>>(self, repeat: F) -> SignCalls<F> {
        let Self { credentials, owner, .. } = self;
        SignCalls { credentials, owner, repeat }
    }
}

impl<R> fmt::Debug for SignCalls<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignCalls").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl<C, R: Clone> Layer<C> for SignCalls<R> {
    type Service = SignedCalls<C, R>;

    fn layer(&self, client: C) -> SignedCalls<C, R> {
        SignedCalls { client, layer: self.clone() }
    }
}

/// A client whose calls are signed; see [`SignCalls`].
#[derive(Clone)]
pub struct SignedCalls<C, R = CloneBody> {
    client: C,
    layer: SignCalls<R>,
}

impl<C: fmt::Debug, R> fmt::Debug for SignedCalls<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedCalls").field("client", &self.client).field("layer", &self.layer).finish()
    }
}

type Calling<T, E> = Pin<Box<dyn Future<Output = Result<T, CallError<E>>> + Send>>;

impl<C, R, B, A> Service<Request<B>> for SignedCalls<C, R>
where
    C: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    C::Future: Send,
    C::Error: Send,
    R: RepeatBody<B> + Clone + Send + 'static,
    B: Send + 'static,
    A: Send,
{
    type Response = Response<A>;
    type Error = CallError<C::Error>;
    type Future = Calling<Response<A>, C::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.client.poll_ready(context).map_err(CallError::Client)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is this one, not its clone.
        let clone = self.client.clone();
        let client = mem::replace(&mut self.client, clone);
        let layer = self.layer.clone();
        Box::pin(async move { call(client, layer, request).await })
    }
}

async fn call<C, R, B, A>(
    mut client: C,
    layer: SignCalls<R>,
    mut request: Request<B>,
) -> Result<Response<A>, CallError<C::Error>>
where
    C: Service<Request<B>, Response = Response<A>> + Send,
    C::Future: Send,
    C::Error: Send,
    R: RepeatBody<B> + Send,
    B: Send,
    A: Send,
{
    let SignCalls { credentials, owner, repeat } = layer;
    let named = request.extensions_mut().remove::<OnBehalfOf>().map(|OnBehalfOf(owner)| owner);
    let owner = named.or(owner).ok_or(CallError::NoOwner)?;
    let mut again = copy(&request, &repeat);
    loop {
        let authorization = credentials.sign(&owner, &mut request).await?;
        let response = client.call(request).await.map_err(CallError::Client)?;
        let answered = credentials.answered_by(&owner, &authorization, &response);
        let after = answered.await;
        match (after, again.take()) {
            (AfterAnswer::SendAgain, Some(next)) => request = next,
            _ => return Ok(response),
        }
        poll_fn(|context| client.poll_ready(context)).await.map_err(CallError::Client)?;
    }
}

/// The same request once more, before it is signed.
fn copy<B>(request: &Request<B>, repeat: &impl RepeatBody<B>) -> Option<Request<B>> {
    let mut copy = Request::new(repeat.repeat(request.body())?);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    copy.extensions_mut().clone_from(request.extensions());
    Some(copy)
}
