//! Looking keys up on the replicas of a primary.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::key::{Bucket, KeyRecord, Rate};
use crate::sql::engine::{Positions, Postgres, Query, Row, Taken};
use crate::sql::keys::KeyTables;
use crate::sql::keys::gather::{Gather, Gathered};
use crate::store::{FoundOnReplica, KeyLookup, StoreError};
use crate::time::{Stopwatch, Timestamp};

/// A replica that will not do is left alone for this part of the longest lag.
const REST: u32 = 8;
/// And for so many times the time that was spent on it, if that is longer.
const COST: u32 = 16;

/// A replica that has not done for so long is worth a warning.
const LONG: Duration = Duration::from_secs(10);

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
struct Rest {
    until: Option<Instant>,
    /// Since when it would not do, each time.
    since: Option<Instant>,
    is_said: bool,
}

impl Rest {
    fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    fn begin(&mut self, now: Instant, max_lag: Duration, spent: Duration) {
        // Of several who waited for it together, the one that waited longest counts.
        self.until = self.until.max(Some(now + (max_lag / REST).max(spent * COST)));
        let since = *self.since.get_or_insert(now);
        if !self.is_said && now - since >= LONG {
            self.is_said = true;
            tracing::warn!(
                event = "replica.left_alone",
                "no key was looked up on it for a while; said once until it is over"
            );
        }
    }

    /// It has answered.
    fn end(&mut self, now: Instant) {
        if let Some(since) = self.since.filter(|_| self.is_said) {
            tracing::info!(event = "replica.in_step", seconds = (now - since).as_secs(), "it answers again");
        }
        *self = Self::default();
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
    ) -> Result<Option<FoundOnReplica<S>>, StoreError> {
        let begun = Taken::now();
        let mut left = self.patience;
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.each.len();
        let (later, earlier) = self.each.split_at(first);
        for (to_come, replica) in (1..=self.each.len()).rev().zip(earlier.iter().chain(later)) {
            let turned_to_it = Instant::now();
            if !lock(&replica.rest).is_over(turned_to_it) {
                continue;
            }
            // A part of the time that is left, so that one that does not answer leaves something to the others.
            let share = left / u32::try_from(to_come).unwrap_or(u32::MAX);
            let found = replica.gather.find(&replica.postgres, &query, &lookup, Some(&self.positions), &mut decode);
            let found = timeout_at(turned_to_it + share, found).await;
            let now = Instant::now();
            let Some(Gathered { records, as_of: Some(as_of) }) = found.ok().flatten() else {
                lock(&replica.rest).begin(now, self.max_lag, now - turned_to_it);
                left = left.saturating_sub(now - turned_to_it);
                continue;
            };
            lock(&replica.rest).end(now);
            if records.iter().any(|record| record.head.digest.as_ref() == Some(lookup.digest)) {
                return Ok(Some(FoundOnReplica::new(records, as_of.until(begun))));
            }
            return if self.misses.is_one_more_admitted() { Ok(None) } else { Err(StoreError::Throttled) };
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
        assert_eq!(rest.until, Some(now + Duration::from_millis(125)));
        rest.begin(now, max_lag, Duration::from_millis(250));
        assert_eq!(rest.until, Some(now + Duration::from_secs(4)));
        // Those who gave up earlier have found out less.
        rest.begin(now, max_lag, Duration::from_millis(100));
        assert_eq!(rest.until, Some(now + Duration::from_secs(4)));
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
