//! Looking keys up on the replicas of a primary.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::key::{Bucket, KeyRecord, Rate};
use crate::sql::engine::{Positions, Postgres, Query, Row};
use crate::sql::keys::KeyTables;
use crate::sql::keys::gather::{Gather, Gathered};
use crate::store::{KeyLookup, Replicated, StoreError};
use crate::time::{Stopwatch, Timestamp};

/// A replica that will not do is left alone for this part of the longest lag.
const REST: u32 = 8;
/// And for so many times the time that was spent on it, if that is longer.
const COST: u32 = 16;

/// The replicas of one store.
pub(super) struct Replicas<S: KeyTables> {
    positions: Positions,
    each: Box<[Replica<S>]>,
    /// Counts lookups, so that each replica has its share.
    turn: AtomicUsize,
    misses: Misses,
    max_lag: Duration,
    patience: Duration,
}

struct Replica<S: KeyTables> {
    postgres: Postgres,
    gather: Gather<S>,
    rest: Mutex<Rest>,
}

/// For how long a replica is left alone.
#[derive(Debug, Default)]
struct Rest(Option<Instant>);

impl Rest {
    fn is_over(&self, now: Instant) -> bool {
        self.0.is_none_or(|until| until <= now)
    }

    fn begin(&mut self, now: Instant, max_lag: Duration, spent: Duration) {
        // Of several who waited for it together, the one that waited longest counts.
        self.0 = self.0.max(Some(now + (max_lag / REST).max(spent * COST)));
    }
}

/// How many keys that no replica knows the primary is asked for.
struct Misses {
    rate: Option<Rate>,
    since: Stopwatch,
    bucket: Mutex<Bucket>,
}

impl Misses {
    fn new(per_second: u32) -> Self {
        let rate = NonZeroU32::new(per_second)
            .map(|burst| Rate::per_minute(burst.saturating_mul(NonZeroU32::MIN.saturating_add(59))).with_burst(burst));
        let bucket = Mutex::new(Bucket::new(Timestamp::from_micros(0)));
        Self { rate, since: Stopwatch::start(), bucket }
    }

    fn is_one_more_admitted(&self) -> bool {
        let Some(rate) = self.rate else { return false };
        let micros = i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
        lock(&self.bucket).take(rate, Timestamp::from_micros(micros)).is_admitted()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the primary is asked for no more keys in this second that no replica knows")]
struct TooManyMisses;

impl<S: KeyTables> Replicas<S> {
    /// `None` where there are none.
    pub(super) fn new(postgres: &Postgres, tables: String) -> Option<Self> {
        let replica = |postgres: Postgres| {
            let gather = Gather::new(&postgres)?;
            Some(Replica { postgres, gather, rest: Mutex::default() })
        };
        let each: Box<[_]> = postgres.replica_handles().into_iter().filter_map(replica).collect();
        let policy = postgres.replica_policy();
        (!each.is_empty()).then(|| Self {
            positions: Positions::new(postgres, tables),
            each,
            turn: AtomicUsize::new(0),
            misses: Misses::new(policy.most_misses()),
            max_lag: policy.longest_lag(),
            patience: postgres.patience_with_replicas(),
        })
    }

    /// What a replica says that is not too far behind.
    pub(super) async fn find(
        &self,
        query: impl Fn() -> &'static Query + Send + Sync,
        lookup: KeyLookup<'_>,
        mut decode: impl FnMut(&Row<'_>) -> Arc<KeyRecord<S>> + Send,
    ) -> Result<Option<Replicated<S>>, StoreError> {
        let begun = Instant::now();
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.each.len();
        let (later, earlier) = self.each.split_at(first);
        for Replica { postgres, gather, rest } in earlier.iter().chain(later) {
            let turned_to_it = Instant::now();
            if !lock(rest).is_over(turned_to_it) {
                continue;
            }
            let found = gather.find(postgres, &query, &lookup, Some(&self.positions), &mut decode);
            let found = timeout_at(begun + self.patience, found).await;
            let Some(Gathered { records, as_of: Some(as_of) }) = found.ok().flatten() else {
                let now = Instant::now();
                lock(rest).begin(now, self.max_lag, now - turned_to_it);
                continue;
            };
            if records.iter().any(|record| record.head.digest.as_ref() == Some(lookup.digest)) {
                return Ok(Some(Replicated::new(records, begun.saturating_duration_since(as_of))));
            }
            if self.misses.is_one_more_admitted() {
                return Ok(None);
            }
            return Err(StoreError::Unavailable { backend: "PostgreSQL", source: TooManyMisses.into() });
        }
        Ok(None)
    }
}

// What is locked is changed by single assignments, so a panic elsewhere leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: KeyTables> fmt::Debug for Replicas<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicas").field("positions", &self.positions).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_as_long_as_what_was_spent_is_worth() {
        let (now, max_lag) = (Instant::now(), Duration::from_secs(1));
        let mut rest = Rest::default();
        assert!(rest.is_over(now));
        rest.begin(now, max_lag, Duration::from_millis(1));
        assert_eq!(rest.0, Some(now + Duration::from_millis(125)));
        rest.begin(now, max_lag, Duration::from_millis(250));
        assert_eq!(rest.0, Some(now + Duration::from_secs(4)));
        // Those who gave up earlier have found out less.
        rest.begin(now, max_lag, Duration::from_millis(100));
        assert_eq!(rest.0, Some(now + Duration::from_secs(4)));
        assert!(!rest.is_over(now + Duration::from_millis(3_999)) && rest.is_over(now + Duration::from_secs(4)));
    }

    #[test]
    fn so_many_misses_are_admitted_in_a_second() {
        let misses = Misses::new(20);
        assert_eq!((0..30).filter(|_| misses.is_one_more_admitted()).count(), 20);
        assert!(!Misses::new(0).is_one_more_admitted());
        assert!(Misses::new(u32::MAX).is_one_more_admitted());
    }
}
