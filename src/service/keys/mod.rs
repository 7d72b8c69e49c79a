//! The keys of one schema over any store: [`Keys`]. Its methods stand in the files beside this one.

mod change;
mod committed;
mod error;
mod issue;
mod manage;
mod only_key;
mod owner;
mod verify;
#[cfg(feature = "tokio")]
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::TryCryptoRng;

use crate::key::{Actor, KeyFormat, Schema};
use crate::random::SharedGenerator;
use crate::service::cache::{Cache, CachePolicy, Changing, InDoubt};
use crate::service::last_used::{DEFAULT_CAPACITY, DEFAULT_INTERVAL, LastUsed};
use crate::service::source::Source;
use crate::store::KeyStore;
use crate::time::{Clock, SystemClock, Timestamp};

pub use committed::Outcome;
pub use error::KeysError;
pub use manage::{DEFAULT_PAGE, MIN_PREFIX_LEN, Page};
pub use owner::OwnerKeys;

/// The keys of one schema: issue, verify, list, change, rotate and revoke them over any [`KeyStore`].
///
/// Cheap to clone; clones share the store and the record of last use. Handlers that act for a customer take
/// [`Keys::of`] that customer, so that keys of others do not exist for them.
///
/// ```
/// use keyward::schemas::standard::{Standard, StandardKey};
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
/// let issued = keys.issue(StandardKey::new("customer-1", "nightly import")?.scope("jobs:read")?).await?;
///
/// let caller = keys.verify(issued.secret.expose_secret()).await?;
/// assert_eq!(caller.owner().as_str(), "customer-1");
/// assert!(caller.permits("jobs:read").is_ok());
///
/// let customer = keys.of(&issued.record.head.owner);
/// customer.revoke(&issued.record.head.id, None).await?;
/// let refusal = keys.verify(issued.secret.expose_secret()).await.unwrap_err();
/// assert_eq!(refusal.reason().code(), "revoked"); // for the log
/// assert_eq!(refusal.to_string(), "the API key is not valid"); // for the caller
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// Keys of one schema never meet a store of another, because the schema is part of both types:
///
/// ```
/// # use keyward::schemas::{mesh::Mesh, scraper::Scraper};
/// # use keyward::{Keys, store::MemoryKeyStore};
/// fn serve(keys: Keys<Mesh>) { /* … */ }
///
/// serve(Keys::builder(MemoryKeyStore::new(Mesh::new())).build());
/// ```
///
/// ```compile_fail,E0308
/// # use keyward::schemas::{mesh::Mesh, scraper::Scraper};
/// # use keyward::{Keys, store::MemoryKeyStore};
/// fn serve(keys: Keys<Mesh>) { /* … */ }
///
/// serve(Keys::builder(MemoryKeyStore::new(Scraper::new())).build()); // these are keys of another schema
/// ```
pub struct Keys<S: Schema> {
    shared: Arc<Shared<S>>,
    by: Option<Actor>,
}

#[derive(Debug)]
struct Shared<S: Schema> {
    source: Source<S>,
    random: SharedGenerator,
    last_used: LastUsed,
    cache: Option<Arc<Cache<S>>>,
}

impl<S: Schema> Keys<S> {
    /// Starts to set up the keys in `store`. Their format, their identities and how strict they are come from the
    /// schema that the store holds.
    pub fn builder(store: impl KeyStore<Schema = S>) -> KeysBuilder<S> {
        Self::builder_over(Arc::new(store))
    }

    /// As [`builder`](Self::builder), for a store that somebody else holds too.
    pub fn builder_over(store: Arc<dyn KeyStore<Schema = S>>) -> KeysBuilder<S> {
        KeysBuilder {
            store,
            clock: Arc::new(SystemClock),
            random: SharedGenerator::system(),
            last_used_interval: DEFAULT_INTERVAL,
            last_used_capacity: DEFAULT_CAPACITY,
            cache: None,
        }
    }

    /// The same keys, with `actor` in the history as the one who issues, changes, rotates and revokes them.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self { shared: Arc::clone(&self.shared), by: Some(actor) }
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &S {
        self.shared.source.store.schema()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn KeyStore<Schema = S>> {
        &self.shared.source.store
    }

    /// The form of new keys.
    #[must_use]
    pub fn format(&self) -> &KeyFormat {
        self.schema().formats().issued()
    }

    /// Now, by the clock that every method takes the time from.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.source.clock.now()
    }

    /// Has nothing count that is cached so far, nor what a replica says that is behind this moment: for a host that has
    /// changed keys by other means than these, such as with SQL of its own, and does not watch for changes.
    pub fn forget_cached(&self) {
        self.shared.source.everything_has_changed();
        if let Some(cache) = &self.shared.cache {
            cache.everything_changed();
        }
    }

    /// To be held while a change is on its way to the store, which may have made it whatever becomes of the call.
    pub(in crate::service) fn in_doubt(&self, changing: Changing<'_>) -> InDoubt<'_, S> {
        InDoubt::begin(&self.shared.source, self.shared.cache.as_ref(), changing)
    }
}

impl<S: Schema> Clone for Keys<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), by: self.by.clone() }
    }
}

impl<S: Schema> fmt::Debug for Keys<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("store", &self.shared.source.store).finish_non_exhaustive()
    }
}

/// Sets up [`Keys`]. The defaults are the right ones for production.
#[derive(Debug)]
#[must_use = "nothing is set up before `build`"]
pub struct KeysBuilder<S: Schema> {
    store: Arc<dyn KeyStore<Schema = S>>,
    clock: Arc<dyn Clock>,
    random: SharedGenerator,
    last_used_interval: Duration,
    last_used_capacity: usize,
    cache: Option<CachePolicy>,
}

impl<S: Schema> KeysBuilder<S> {
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

    /// Takes random bytes from `generator` instead of the operating system: any cryptographically secure generator of
    /// the crate `rand`.
    pub fn random(mut self, generator: impl TryCryptoRng + Send + 'static) -> Self {
        self.random = SharedGenerator::new(generator);
        self
    }

    /// How often `Keys::record_last_used` writes; [`DEFAULT_INTERVAL`] unless set.
    pub const fn last_used_interval(mut self, interval: Duration) -> Self {
        self.last_used_interval = interval;
        self
    }

    /// How many different keys are remembered between two writes; [`DEFAULT_CAPACITY`] unless set. One takes about
    /// 200 bytes.
    pub const fn last_used_capacity(mut self, keys: usize) -> Self {
        self.last_used_capacity = keys;
        self
    }

    /// Verifies keys on records that were read a short while ago, as far as `policy` goes. Without this, the store is
    /// asked each time.
    pub const fn cache(mut self, policy: CachePolicy) -> Self {
        self.cache = Some(policy);
        self
    }

    /// The keys, ready to use.
    #[must_use]
    pub fn build(self) -> Keys<S> {
        let shared = Shared {
            source: Source::new(self.store, self.clock),
            random: self.random,
            last_used: LastUsed::new(self.last_used_interval, self.last_used_capacity),
            cache: self.cache.map(Cache::new).map(Arc::new),
        };
        Keys { shared: Arc::new(shared), by: None }
    }
}
