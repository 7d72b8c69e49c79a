//! How far a replica may be behind, and what may be spent on it.

use std::time::Duration;

/// How keys are looked up on [replicas](crate::Postgres::replicas).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "pass it to `Postgres::replicas`"]
pub struct ReplicaPolicy {
    pub(super) max_lag: Duration,
    pub(super) readers: u8,
    pub(super) patience: Duration,
    misses_per_second: u32,
}

impl ReplicaPolicy {
    /// How far a replica may be behind unless [`max_lag`](Self::max_lag) says otherwise: 1 second.
    pub const DEFAULT_MAX_LAG: Duration = Duration::from_secs(1);
    /// How many connections each store keeps to each replica unless [`readers`](Self::readers) says otherwise: 2.
    pub const DEFAULT_READERS: u8 = 2;
    /// How long a verification waits for replicas unless [`patience`](Self::patience) says otherwise: 250 milliseconds.
    pub const DEFAULT_PATIENCE: Duration = Duration::from_millis(250);
    /// How many keys that no replica knows the primary is asked for in a second unless
    /// [`misses_per_second`](Self::misses_per_second) says otherwise: 100.
    pub const DEFAULT_MISSES_PER_SECOND: u32 = 100;

    /// The defaults.
    pub const fn new() -> Self {
        Self {
            max_lag: Self::DEFAULT_MAX_LAG,
            readers: Self::DEFAULT_READERS,
            patience: Self::DEFAULT_PATIENCE,
            misses_per_second: Self::DEFAULT_MISSES_PER_SECOND,
        }
    }

    /// How far a replica may be behind, at least 100 milliseconds. One that is further behind is not asked; so this
    /// bounds how long a revocation that somebody else makes can go unnoticed by a verification without a cache.
    pub fn max_lag(self, lag: Duration) -> Self {
        Self { max_lag: lag.max(Duration::from_millis(100)), ..self }
    }

    /// How many connections each store keeps to each replica, at least one. As those of
    /// [`Postgres::gathered_readers`](crate::Postgres::gathered_readers), each looks up together what waits at the same time.
    pub const fn readers(self, connections: u8) -> Self {
        Self { readers: if connections == 0 { 1 } else { connections }, ..self }
    }

    /// How long a verification waits for all replicas together at most, before the primary is asked; never longer than half of
    /// the [read timeout](crate::Postgres::read_timeout). Whichever verification asks the primary where its log ends waits for that no
    /// longer than a quarter of it. A primary so far away that four round trips take longer needs more.
    pub const fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How many keys that a replica does not know each store asks the primary for in a second, each of which may have been
    /// issued a moment ago. Beyond that, it cannot be told whether a key is valid
    /// ([`StoreError::Throttled`](crate::store::StoreError::Throttled)), so that, while replicas answer, made-up keys in any
    /// number are no load on the primary.
    pub const fn misses_per_second(self, keys: u32) -> Self {
        Self { misses_per_second: keys, ..self }
    }

    pub(crate) const fn longest_lag(self) -> Duration {
        self.max_lag
    }

    pub(crate) const fn most_misses(self) -> u32 {
        self.misses_per_second
    }
}

impl Default for ReplicaPolicy {
    fn default() -> Self {
        Self::new()
    }
}
