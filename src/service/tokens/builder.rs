//! Setting up [`Tokens`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::TryCryptoRng;

use crate::broker::{Issuer, Resource, ServerPolicy};
use crate::key::Scopes;
use crate::random::SharedGenerator;
use crate::seal::SealKeys;
use crate::service::Tokens;
use crate::service::tokens::client_metadata::{ClientMetadataSource, FetchClientMetadata};
use crate::service::tokens::{ResourceServer, Shared};
use crate::store::grants::GrantStore;
use crate::time::{Clock, SystemClock};

/// How long a code is good for: a minute.
pub const DEFAULT_CODE_LIFETIME: Duration = Duration::from_mins(1);
/// How long an access token is good for: fifteen minutes.
pub const DEFAULT_ACCESS_TOKEN_LIFETIME: Duration = Duration::from_mins(15);
/// How long a refresh token is good for that nobody uses: thirty days.
pub const DEFAULT_REFRESH_TOKEN_LIFETIME: Duration = Duration::from_hours(30 * 24);
/// How long the answer to a refresh can be had again: ten seconds.
pub const DEFAULT_REFRESH_GRACE: Duration = Duration::from_secs(10);

/// Sets up [`Tokens`]. The defaults are the right ones for production.
#[must_use = "nothing is set up before `build`"]
pub struct TokensBuilder {
    shared: Shared,
}

impl TokensBuilder {
    pub(super) fn new(store: Arc<dyn GrantStore>, issuer: Issuer) -> Self {
        let shared = Shared {
            store,
            issuer,
            policy: ServerPolicy::default(),
            resource_servers: Vec::new(),
            client_metadata: None,
            seal_keys: None,
            clock: Arc::new(SystemClock),
            random: SharedGenerator::system(),
            code_lifetime: DEFAULT_CODE_LIFETIME,
            access_token_lifetime: DEFAULT_ACCESS_TOKEN_LIFETIME,
            refresh_token_lifetime: DEFAULT_REFRESH_TOKEN_LIFETIME,
            grant_lifetime: None,
            refresh_grace: DEFAULT_REFRESH_GRACE,
            revokes_access: true,
            drops_upstream: false,
        };
        Self { shared }
    }

    /// A resource that is protected by these tokens (RFC 8707). Where a client names none, its tokens are for the first one
    /// that was set. Without any, tokens are for no resource in particular.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.shared.policy.resources.push(resource);
        self
    }

    /// What clients can ask for; nothing unless set.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.shared.policy.scopes = scopes;
        self
    }

    /// A resource server that may ask what a token means (RFC 7662).
    pub fn resource_server(mut self, server: ResourceServer) -> Self {
        self.shared.resource_servers.push(server);
        self
    }

    /// Lets clients ask that have not registered: the identifier of such a client is the URL of its metadata, which `fetcher`
    /// fetches when a person is to be asked. Unless called, a client has to be registered.
    pub fn fetch_client_metadata(mut self, fetcher: impl FetchClientMetadata) -> Self {
        self.shared.client_metadata = Some(ClientMetadataSource::new(fetcher));
        self
    }

    /// Seals the host's own tokens on behalf of subjects. Without keys, none can be stored.
    pub fn seal_keys(mut self, keys: SealKeys) -> Self {
        self.shared.seal_keys = Some(keys);
        self
    }

    /// Leaves behind the upstream tokens of what another program has issued in the same tables, when a refresh token of its is
    /// exchanged: for a server that has no use for them, and no keys.
    pub const fn without_upstream_tokens(mut self) -> Self {
        self.shared.drops_upstream = true;
        self
    }

    /// How long a code is good for, at most ten minutes (RFC 6749 section 4.1.2); [`DEFAULT_CODE_LIFETIME`] unless set.
    pub fn code_lifetime(mut self, lifetime: Duration) -> Self {
        self.shared.code_lifetime = lifetime.min(Duration::from_mins(10));
        self
    }

    /// How long an access token is good for; [`DEFAULT_ACCESS_TOKEN_LIFETIME`] unless set.
    pub const fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.shared.access_token_lifetime = lifetime;
        self
    }

    /// How long a refresh token is good for that nobody uses; [`DEFAULT_REFRESH_TOKEN_LIFETIME`] unless set. Each one that is
    /// issued has this time anew.
    pub const fn refresh_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.shared.refresh_token_lifetime = lifetime;
        self
    }

    /// When a grant ends, however often it is refreshed: the person is asked again then. Never unless set.
    pub const fn grant_lifetime(mut self, lifetime: Duration) -> Self {
        self.shared.grant_lifetime = Some(lifetime);
        self
    }

    /// How long a client whose answer was lost on the way can have the same answer again, for as long as nobody has used
    /// what is in it; [`DEFAULT_REFRESH_GRACE`] unless set. With zero, whoever presents a refresh token twice has lost its
    /// grant.
    ///
    /// It is counted in whole seconds. In this time, whoever has stolen a refresh token just used gets the same tokens as
    /// its owner, and the first use of them, or the next refresh, ends that.
    pub const fn refresh_grace(mut self, window: Duration) -> Self {
        self.shared.refresh_grace = window;
        self
    }

    /// Lets the access tokens before a refresh live on until they expire, for clients that use several at once. Unless
    /// called, a refresh revokes them.
    pub const fn keep_access_tokens_on_refresh(mut self) -> Self {
        self.shared.revokes_access = false;
        self
    }

    /// Takes the time from `clock` instead of the operating system.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.shared.clock = Arc::new(clock);
        self
    }

    /// Takes the time from a clock that somebody else holds too, such as a test that moves it.
    pub fn shared_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.shared.clock = clock;
        self
    }

    /// Takes random bytes from `generator` instead of the operating system: any cryptographically secure generator of
    /// the crate `rand`.
    pub fn random(mut self, generator: impl TryCryptoRng + Send + 'static) -> Self {
        self.shared.random = SharedGenerator::new(generator);
        self
    }

    /// The authorization server, ready to use.
    #[must_use]
    pub fn build(self) -> Tokens {
        Tokens { shared: Arc::new(self.shared) }
    }
}

impl fmt::Debug for TokensBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { store, issuer, .. } = &self.shared;
        f.debug_struct("TokensBuilder").field("store", store).field("issuer", issuer).finish_non_exhaustive()
    }
}
