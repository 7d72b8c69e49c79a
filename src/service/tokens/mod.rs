//! The tokens of an authorization server over any store of grants: [`Tokens`]. Its methods stand in the files beside this
//! one.

mod access;
mod authorize;
mod builder;
mod client;
mod client_metadata;
mod error;
mod exchange;
mod introspect;
mod manage;
mod resource_server;
mod revoke;
mod sweep;
mod upstream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use access::{ProtectedResource, UnknownResource};
pub use authorize::Approval;
pub use builder::{
    DEFAULT_ACCESS_TOKEN_LIFETIME, DEFAULT_CODE_LIFETIME, DEFAULT_REFRESH_GRACE, DEFAULT_REFRESH_TOKEN_LIFETIME,
    TokensBuilder,
};
pub use client::RegisteredClient;
pub use client_metadata::{ClientMetadataUnavailable, FetchClientMetadata, FetchedClientMetadata};
pub use error::{AccessError, TokensError};
pub use exchange::{IssuedTokens, PresentedGrant};
pub use introspect::Introspection;
pub use resource_server::{ResourceServer, WeakSecret};
pub use upstream::UpstreamTokens;

use client_metadata::ClientMetadataSource;

use crate::broker::{Issuer, ServerPolicy, new_id, new_secret};
use crate::random::{RandomUnavailable, SharedGenerator};
use crate::seal::SealKeys;
use crate::secret::Secret;
use crate::store::grants::GrantStore;
use crate::time::{Clock, Timestamp};

/// An OAuth 2.1 authorization server without its HTTP: registers clients, issues codes and tokens, exchanges, revokes and
/// introspects them, over any [`GrantStore`].
///
/// Cheap to clone; clones share the store. Where `axum` is at hand, `keyward::http::Broker` is its router.
///
/// ```
/// use keyward::broker::{
///     AuthorizationRequest, ClientMetadata, Issuer, Parameters, PresentedClient, Resource, Subject, SubjectId,
/// };
/// use keyward::key::Scope;
/// use keyward::service::{Approval, PresentedGrant, Tokens};
/// use keyward::store::grants::MemoryGrantStore;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let tokens = Tokens::builder(MemoryGrantStore::new(), Issuer::new("https://as.example")?)
///     .resource(Resource::new("https://api.example/mcp")?)
///     .scopes([Scope::new("notes:read")?].into_iter().collect())
///     .build();
///
/// // A client registers, and sends a browser.
/// let metadata = r#"{"redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "none",
///                    "grant_types": ["authorization_code", "refresh_token"]}"#;
/// let client = tokens.register(ClientMetadata::from_json(metadata)?).await?.record;
/// let query = format!("response_type=code&client_id={}&redirect_uri=https://app.example/cb&state=s\
///     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256", client.id);
/// let request = tokens.authorize(&Parameters::parse(&query)).await?;
///
/// // The person has said yes, so the browser goes back with a code, and the client fetches tokens.
/// let location = tokens.approve(&request, Approval::new(Subject::new(SubjectId::new("42")?))).await?;
/// # let url = location.expose_secret().split_once('?').unwrap().1.to_owned();
/// # let parameters = Parameters::parse(&url);
/// let code = parameters.get("code").unwrap();
/// let who = PresentedClient::Named(client.id.as_str());
/// let redeem = |verifier| PresentedGrant::code(code, "https://app.example/cb", verifier);
/// assert!(tokens.exchange(who, redeem("another-verifier-of-forty-three-characters-x")).await.is_err()); // spends nothing
/// let issued = tokens.exchange(who, redeem("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")).await?;
///
/// let caller = tokens.authenticate(issued.access_token.expose_secret()).await?;
/// assert_eq!(caller.subject().id.as_str(), "42");
///
/// // Presented again, a code ends everything that came of it.
/// assert!(tokens.exchange(who, redeem("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")).await.is_err());
/// assert!(tokens.authenticate(issued.access_token.expose_secret()).await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Tokens {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn GrantStore>,
    issuer: Issuer,
    policy: ServerPolicy,
    resource_servers: Vec<ResourceServer>,
    client_metadata: Option<ClientMetadataSource>,
    seal_keys: Option<SealKeys>,
    clock: Arc<dyn Clock>,
    random: SharedGenerator,
    code_lifetime: Duration,
    access_token_lifetime: Duration,
    refresh_token_lifetime: Duration,
    grant_lifetime: Option<Duration>,
    refresh_grace: Duration,
    revokes_access: bool,
    drops_upstream: bool,
}

impl Tokens {
    /// Starts to set up an authorization server over `store`.
    pub fn builder(store: impl GrantStore, issuer: Issuer) -> TokensBuilder {
        TokensBuilder::new(Arc::new(store), issuer)
    }

    /// As [`builder`](Self::builder), for a store that somebody else holds too.
    pub fn builder_over(store: Arc<dyn GrantStore>, issuer: Issuer) -> TokensBuilder {
        TokensBuilder::new(store, issuer)
    }

    /// Who issues.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.shared.issuer
    }

    /// What is granted at most.
    #[must_use]
    pub fn policy(&self) -> &ServerPolicy {
        &self.shared.policy
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn GrantStore> {
        &self.shared.store
    }

    /// Now, by the clock that every method takes the time from.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Now, in the whole seconds that stores keep.
    fn second(&self) -> Timestamp {
        Timestamp::from_seconds(self.now().as_seconds())
    }

    fn new_secret(&self) -> Result<Secret, RandomUnavailable> {
        self.shared.random.with(|random| new_secret(random))
    }

    fn new_id(&self) -> Result<String, RandomUnavailable> {
        self.shared.random.with(|random| new_id(random))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { store, issuer, .. } = &*self.shared;
        f.debug_struct("Tokens").field("store", store).field("issuer", issuer).finish_non_exhaustive()
    }
}
