//! What processes count together, in Redis or Valkey: [`RedisStore`].

mod limits;
mod name;
mod quotas;
mod script;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{ErrorKind, FromRedisValue, RedisError, ServerErrorKind};

use crate::key::Lineage;
use crate::store::StoreError;
use name::Prefix;
use script::Script;

pub use name::InvalidRedisPrefix;

/// How long an answer of the server is waited for unless the host says otherwise.
pub const DEFAULT_REDIS_TIMEOUT: Duration = Duration::from_millis(250);

/// Limits and quotas that several processes keep together, in Redis 5 or newer, or Valkey: for a
/// [`RateLimiter`](crate::service::RateLimiter) and for [`Quotas`](crate::service::Quotas).
///
/// The connection is the host's: a `redis::aio::ConnectionManager`, which connects again by itself, a
/// `MultiplexedConnection`, which does not, or a connection to a cluster. Clones of it are used at once, so it has to be one
/// that shares.
///
/// A request takes one round trip and one script, which touches one key; quotas ask once for many uses. Keys expire when they
/// say nothing any more: a limit's when its burst is whole again, a quota's when its period has been over for as long as it
/// lasted, and a day at least. Their names hold the identities of keys and never a plaintext or a digest. Limits take the time
/// from the server, so that the clocks of the processes do not matter.
///
/// A quota is as exact as the server is durable: one that forgets what it has answered grants it again.
///
/// ```no_run
/// use std::num::NonZeroU32;
///
/// use keyward::RedisStore;
/// use keyward::schemas::standard::Standard;
/// use keyward::service::{OnOutage, RateLimiter};
///
/// # async fn limiter() -> Result<RateLimiter<Standard>, Box<dyn std::error::Error>> {
/// let client = redis::Client::open("redis://127.0.0.1/")?;
/// let store = RedisStore::new(client.get_connection_manager().await?, "acme")?;
/// let default = NonZeroU32::new(600).unwrap();
/// let limiter = RateLimiter::builder(default).shared_by(store, OnOutage::CountInProcess).build();
/// # Ok(limiter)
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore<C> {
    connection: C,
    prefix: Prefix,
    timeout: Duration,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> RedisStore<C> {
    /// Counts over `connection`, in keys whose names start with `prefix` and a colon. Services that share a server take
    /// prefixes of their own, and so do environments whose keys have the same identities.
    ///
    /// # Errors
    /// [`InvalidRedisPrefix`] when it is not 1 to 64 characters of `A–Z a–z 0–9 _ - . :`.
    pub fn new(connection: C, prefix: impl Into<String>) -> Result<Self, InvalidRedisPrefix> {
        Ok(Self { connection, prefix: Prefix::new(prefix.into())?, timeout: DEFAULT_REDIS_TIMEOUT })
    }

    /// Waits so long for an answer; [`DEFAULT_REDIS_TIMEOUT`] unless set. Requests wait with it.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The name of what is counted of `lineage`.
    fn key(&self, what: &str, lineage: Lineage<'_>) -> String {
        self.prefix.name(what, lineage)
    }

    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        numbers: &[u64],
        text: &str,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection.clone();
        let answer = tokio::time::timeout(self.timeout, script.run(&mut connection, key, numbers, text)).await;
        answer.map_err(unavailable)?.map_err(store_error)
    }
}

impl<C> fmt::Debug for RedisStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

const BACKEND: &str = "Redis";

fn unavailable(source: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable { backend: BACKEND, source: source.into() }
}

fn store_error(error: RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => {
            StoreError::Denied { backend: BACKEND, source: error.into() }
        }
        ErrorKind::Parse
        | ErrorKind::UnexpectedReturnType
        | ErrorKind::Extension
        | ErrorKind::Server(ServerErrorKind::ResponseError | ServerErrorKind::CrossSlot) => {
            StoreError::Backend { backend: BACKEND, source: error.into() }
        }
        _ => unavailable(error),
    }
}
