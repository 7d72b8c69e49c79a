//! Use cases over any store, with clock and randomness injected: [`Keys`].

mod issue;
mod last_used;
mod manage;
mod only_key;
mod verify;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::key::{IdScheme, KeyFormat, PrepareError, Profile};
use crate::random::{OsRandom, RandomSource};
use crate::service::last_used::LastUsed;
use crate::store::{KeyStore, StoreError};
use crate::time::{Clock, SystemClock};

pub use last_used::{DEFAULT_CAPACITY, DEFAULT_INTERVAL, LastUsedMetrics};
pub use manage::{DEFAULT_PAGE, LEAST_START, Page, Revoked};

/// The keys of one system: issue, verify, list, rotate and revoke them over any [`KeyStore`].
///
/// Cheap to clone; clones share the store and the record of last use. The methods are grouped by file: issuing and
/// rotating, verifying, managing, and last use.
///
/// ```
/// use keyward::scraper::{Scraper, ScraperKey};
/// use keyward::{Keys, store::MemoryKeyStore};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let keys = Keys::builder(Scraper, MemoryKeyStore::new()).build();
/// let draft = ScraperKey::named("acme", "nightly import")?.scope("jobs:read")?;
/// let issued = keys.issue(draft.into()).await?;
///
/// let accepted = keys.verify(issued.secret.expose_secret()).await?;
/// assert_eq!(accepted.head().owner.as_str(), "acme");
///
/// keys.revoke(&issued.record.head.id, None).await?;
/// let refusal = keys.verify(issued.secret.expose_secret()).await.unwrap_err();
/// assert_eq!(refusal.reason().code(), "revoked"); // for the log
/// assert_eq!(refusal.to_string(), "the API key is not valid"); // for the caller
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Keys<S: KeyStore> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    store: S,
    format: KeyFormat,
    id_scheme: IdScheme,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
    last_used: LastUsed,
}

impl<S: KeyStore> Keys<S> {
    /// Starts to set up the keys of the system `profile` in `store`.
    pub fn builder<P: Profile<Details = S::Details>>(_profile: P, store: S) -> KeysBuilder<S> {
        KeysBuilder {
            store,
            format: P::FORMAT,
            id_scheme: P::ID_SCHEME,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            last_used_interval: DEFAULT_INTERVAL,
            last_used_capacity: DEFAULT_CAPACITY,
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.shared.store
    }

    /// The form of the keys.
    #[must_use]
    pub fn format(&self) -> &KeyFormat {
        &self.shared.format
    }
}

impl<S: KeyStore> Clone for Keys<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: KeyStore> fmt::Debug for Keys<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shared, f)
    }
}

/// Sets up [`Keys`]. The defaults are the right ones for production.
#[derive(Debug)]
#[must_use = "nothing is set up before `build`"]
pub struct KeysBuilder<S> {
    store: S,
    format: KeyFormat,
    id_scheme: IdScheme,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
    last_used_interval: Duration,
    last_used_capacity: usize,
}

impl<S: KeyStore> KeysBuilder<S> {
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

    /// Takes random bytes from `random` instead of the operating system.
    pub fn random(mut self, random: impl RandomSource) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// How often [`Keys::record_last_used`] writes; [`DEFAULT_INTERVAL`] unless set.
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

    /// The keys, ready to use.
    #[must_use]
    pub fn build(self) -> Keys<S> {
        Keys {
            shared: Arc::new(Shared {
                store: self.store,
                format: self.format,
                id_scheme: self.id_scheme,
                clock: self.clock,
                random: self.random,
                last_used: LastUsed::new(self.last_used_interval, self.last_used_capacity),
            }),
        }
    }
}

/// Why a key was not issued, rotated, revoked or listed.
///
/// Nothing was changed, with one exception that nobody can rule out: a database that goes away while it commits
/// ([`StoreError::Unavailable`]) may have done it. The plaintext is lost then; list the owner's keys and revoke the newest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// There is no such key.
    #[error("no such key")]
    NotFound,
    /// Several keys start like this, so that none was chosen.
    #[error("several keys start like this")]
    NotUnique,
    /// The start of a key's identity or display prefix is too short to name it.
    #[error("the start of a key must have at least {least} characters")]
    StartTooShort {
        /// The fewest characters that are taken.
        least: usize,
    },
    /// The key could not be made.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
