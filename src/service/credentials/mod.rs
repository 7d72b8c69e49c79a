//! Upstream OAuth credentials over any store: [`Credentials`]. Its methods stand in the files beside this one.

mod access;
mod calls;
mod counters;
mod error;
mod exchange;
mod in_flight;
mod keep_fresh;
mod opened;
mod pair;
mod release;
mod reseal;
mod seal;
mod session;
mod slot;
mod sweep;
mod transport;
mod unwanted;
mod verdict;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::TryCryptoRng;
use tokio::runtime::Handle;

use crate::credential::{CredentialHead, OAuthClient};
use crate::key::OwnerId;
use crate::random::SharedGenerator;
use crate::seal::SealKeys;
use crate::store::credentials::{CredentialListRequest, CredentialStore};
use crate::time::{Clock, SystemClock, Timestamp};

pub use calls::{AfterAnswer, Authorization};
pub use counters::CredentialCounters;
pub use error::CredentialsError;
pub use opened::AccessToken;
pub use reseal::{ResealProgress, Resealed};
pub use session::RevokedCredential;
pub use sweep::{RefreshProgress, RefreshReport};
pub use transport::{Transport, TransportAnswer, TransportError};

use counters::Counters;
use in_flight::InFlight;
use slot::Slots;

/// For how long a token that is handed out is still good, unless the host says otherwise.
pub const DEFAULT_MARGIN: Duration = Duration::from_mins(1);

/// How long one refresh may take, unless the host says otherwise.
pub const DEFAULT_EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a token lives whose server does not say.
pub const ASSUMED_LIFETIME: Duration = Duration::from_mins(5);

/// Upstream OAuth credentials, one for an owner: access tokens that are good, refreshed when they have to be, and never by
/// spending a refresh token twice.
///
/// Cheap to clone; clones share the tokens that are known to be good, so that handing one out costs no more than looking
/// it up.
///
/// # Refreshing
/// One caller at a time refreshes a credential, among all tasks and all processes: it takes a lease in the store, writes
/// down that the refresh token is on its way, sends it once, and stores the new pair before anybody has it. What happens when
/// that goes wrong at some point is written in [`CredentialState`](crate::credential::CredentialState).
///
/// An exchange that has begun is run to its end whatever becomes of its caller: dropping it half way would lose the pair
/// that the server has given. It runs on the runtime whose handle the host passes; this is the one place where keyward starts
/// tasks. [`settle`](Self::settle) waits for them at shutdown.
pub struct Credentials {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn CredentialStore>,
    transport: Arc<dyn Transport>,
    seal_keys: Option<SealKeys>,
    clients: Vec<OAuthClient>,
    clock: Arc<dyn Clock>,
    random: SharedGenerator,
    runtime: Handle,
    settings: Settings,
    slots: Slots,
    counters: Counters,
    in_flight: Arc<InFlight>,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    margin: Duration,
    exchange_timeout: Duration,
    concurrency: usize,
    spread: Duration,
    ends_soon: Duration,
}

impl Credentials {
    /// Starts to set up the credentials in `store`. Refreshes are sent by `transport`, and run on `runtime`, which is
    /// `Handle::current()` in most programs.
    pub fn builder(store: impl CredentialStore, transport: impl Transport, runtime: Handle) -> CredentialsBuilder {
        Self::builder_over(Arc::new(store), Arc::new(transport), runtime)
    }

    /// As [`builder`](Self::builder), for a store and a transport that somebody else holds too.
    pub fn builder_over(
        store: Arc<dyn CredentialStore>,
        transport: Arc<dyn Transport>,
        runtime: Handle,
    ) -> CredentialsBuilder {
        CredentialsBuilder {
            store,
            transport,
            runtime,
            seal_keys: None,
            clients: Vec::new(),
            clock: Arc::new(SystemClock),
            random: SharedGenerator::system(),
            settings: Settings {
                margin: DEFAULT_MARGIN,
                exchange_timeout: DEFAULT_EXCHANGE_TIMEOUT,
                concurrency: 8,
                spread: Duration::ZERO,
                ends_soon: Duration::from_hours(48),
            },
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn CredentialStore> {
        &self.shared.store
    }

    /// Now, by the clock that every method takes the time from.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// What is known of an owner's credential, without its secrets.
    ///
    /// # Errors
    /// [`CredentialsError::Store`] when the store could not answer.
    pub async fn get(&self, owner: &OwnerId) -> Result<Option<CredentialHead>, CredentialsError> {
        Ok(self.shared.store.get(owner).await?.map(|record| record.head))
    }

    /// A page of what is known of credentials, without their secrets.
    ///
    /// # Errors
    /// [`CredentialsError::Store`] when the store could not answer.
    pub async fn list(&self, request: &CredentialListRequest) -> Result<Vec<CredentialHead>, CredentialsError> {
        Ok(self.shared.store.list(request).await?)
    }

    /// What happened so far in this process.
    #[must_use]
    pub fn counters(&self) -> CredentialCounters {
        self.shared.counters.read()
    }

    /// Waits until no exchange is under way any more, for so long at most, and says how many are. Call it at shutdown, after
    /// the last request: an exchange that ends with the process leaves its credential uncertain.
    pub async fn settle(&self, at_most: Duration) -> usize {
        self.shared.in_flight.wait(at_most).await
    }
}

impl Clone for Credentials {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("store", &self.shared.store).finish_non_exhaustive()
    }
}

/// Sets up [`Credentials`]. The defaults are the right ones for production, but for [keys](Self::seal_keys) and
/// [clients](Self::client), which only the host knows.
#[must_use = "nothing is set up before `build`"]
pub struct CredentialsBuilder {
    store: Arc<dyn CredentialStore>,
    transport: Arc<dyn Transport>,
    runtime: Handle,
    seal_keys: Option<SealKeys>,
    clients: Vec<OAuthClient>,
    clock: Arc<dyn Clock>,
    random: SharedGenerator,
    settings: Settings,
}

impl fmt::Debug for CredentialsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialsBuilder").field("store", &self.store).finish_non_exhaustive()
    }
}

impl CredentialsBuilder {
    /// The keys that seal what is stored. Without them nothing secret is stored, and nothing sealed is read:
    /// [`CredentialsError::NoSealKeys`].
    pub fn seal_keys(mut self, keys: SealKeys) -> Self {
        self.seal_keys = Some(keys);
        self
    }

    /// A client whose credentials are refreshed. Each credential names its own; call this for every one.
    pub fn client(mut self, client: OAuthClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Takes the time from `clock` instead of the operating system.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes the time from a clock that somebody else holds too, such as a test that moves it.
    pub fn shared_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes random bytes from `generator` instead of the operating system.
    pub fn random(mut self, generator: impl TryCryptoRng + Send + 'static) -> Self {
        self.random = SharedGenerator::new(generator);
        self
    }

    /// For how long a token that is handed out is still good; [`DEFAULT_MARGIN`] unless set.
    pub const fn margin(mut self, margin: Duration) -> Self {
        self.settings.margin = margin;
        self
    }

    /// How long a caller waits for a refresh; [`DEFAULT_EXCHANGE_TIMEOUT`] unless set, five minutes at most. The refresh
    /// itself goes on. For other processes its outcome counts as not known 15 seconds after that.
    pub fn exchange_timeout(mut self, timeout: Duration) -> Self {
        self.settings.exchange_timeout = timeout.min(Duration::from_mins(5));
        self
    }

    /// How many credentials [`Credentials::refresh_expiring`] refreshes at a time; 8 unless set.
    pub fn concurrency(mut self, at_a_time: usize) -> Self {
        self.settings.concurrency = at_a_time.max(1);
        self
    }

    /// Over how long [`Credentials::refresh_expiring`] spreads the refreshes that are due; at once unless set.
    pub const fn spread(mut self, over: Duration) -> Self {
        self.settings.spread = over;
        self
    }

    /// How long before a session ends for good it is reported as ending; two days unless set.
    pub const fn ends_soon(mut self, before: Duration) -> Self {
        self.settings.ends_soon = before;
        self
    }

    /// The credentials, ready to use.
    #[must_use]
    pub fn build(self) -> Credentials {
        let Self { store, transport, runtime, seal_keys, clients, clock, random, settings } = self;
        let (slots, counters, in_flight) = (Slots::default(), Counters::default(), Arc::default());
        let shared = Shared {
            store,
            transport,
            seal_keys,
            clients,
            clock,
            random,
            runtime,
            settings,
            slots,
            counters,
            in_flight,
        };
        Credentials { shared: Arc::new(shared) }
    }
}
