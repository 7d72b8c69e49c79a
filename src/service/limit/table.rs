//! What one process remembers of requests: a bucket for each lineage that is not whole again.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::{Bucket, KeyId, Lineage, Rate, Taken};
use crate::time::Timestamp;

/// Threads that ask for different keys seldom wait for each other.
const SHARDS: usize = 16;

/// What is looked through for buckets that are empty again has at least so many.
const FEW: usize = 64;

/// The buckets, at most `capacity` of them. One that has drained is dropped as soon as room is needed, as it is as good as a
/// new one. If all are in use, the eighth of them that is nearest to it is dropped and counted.
#[derive(Debug)]
pub(super) struct BucketTable {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    capacity: usize,
    forgotten: AtomicU64,
}

#[derive(Debug)]
struct Shard {
    buckets: HashMap<KeyId, Entry>,
    /// How many there may be before it is looked through: twice as many as were in use the last time, so that looking costs
    /// each request a constant.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    bucket: Bucket,
    is_empty_at: Timestamp,
}

impl BucketTable {
    pub(super) fn new(capacity: usize) -> Self {
        let shard = || Mutex::new(Shard { buckets: HashMap::new(), sweep_at: FEW });
        Self {
            shards: std::array::from_fn(|_| shard()),
            hasher: RandomState::new(),
            capacity: capacity.div_ceil(SHARDS).max(1),
            forgotten: AtomicU64::new(0),
        }
    }

    pub(super) fn take(&self, lineage: Lineage<'_>, rate: Rate, now: Timestamp) -> Taken {
        #[expect(clippy::cast_possible_truncation, reason = "any part of a hash is as good as another")]
        let shard = self.hasher.hash_one(lineage.id) as usize % SHARDS;
        let mut shard = lock(&self.shards[shard]);
        if let Some(entry) = shard.buckets.get_mut(lineage.id) {
            return entry.take(rate, now);
        }
        if shard.buckets.len() >= shard.sweep_at.min(self.capacity) {
            let forgotten = shard.sweep(self.capacity, now);
            self.forgotten.fetch_add(forgotten, Ordering::Relaxed);
        }
        let mut entry = Entry { bucket: Bucket::new(now), is_empty_at: now };
        let taken = entry.take(rate, now);
        shard.buckets.insert(lineage.id.clone(), entry);
        taken
    }

    pub(super) fn remembered(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).buckets.len()).sum()
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }
}

/// A shard is only ever changed by single calls, so a panic elsewhere leaves it whole.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Makes room for one bucket, and says how many were dropped that were in use.
    fn sweep(&mut self, capacity: usize, now: Timestamp) -> u64 {
        self.buckets.retain(|_, entry| entry.is_empty_at > now);
        let before = self.buckets.len();
        if before >= capacity {
            let mut ends: Vec<_> = self.buckets.values().map(|entry| entry.is_empty_at).collect();
            let (_, last_dropped, _) = ends.select_nth_unstable(capacity / 8);
            let (last_dropped, mut surplus) = (*last_dropped, before - capacity + capacity / 8 + 1);
            self.buckets.retain(|_, entry| {
                let stays = surplus == 0 || entry.is_empty_at > last_dropped;
                surplus -= usize::from(!stays);
                stays
            });
        }
        self.sweep_at = (self.buckets.len() * 2).max(FEW);
        (before - self.buckets.len()) as u64
    }
}

impl Entry {
    fn take(&mut self, rate: Rate, now: Timestamp) -> Taken {
        let taken = self.bucket.take(rate, now);
        self.is_empty_at = self.bucket.is_empty_at(rate);
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_893_456_000);

    fn rate(per_minute: u32) -> Rate {
        Rate::per_minute(per_minute.try_into().unwrap())
    }

    fn take(table: &BucketTable, id: &str, rate: Rate, now: Timestamp) -> bool {
        table.take(Lineage { schema: "standard", id: &KeyId::from_stored(id) }, rate, now).is_admitted()
    }

    #[test]
    fn buckets_that_are_empty_again_are_dropped_and_the_others_are_not() {
        let table = BucketTable::new(100_000);
        assert!(take(&table, "slow", rate(1), NOW));
        for key in 0..50_000 {
            // Each drains within a second, and 1,000 come a second.
            let now = NOW.saturating_add(Duration::from_millis(key));
            assert!(take(&table, &key.to_string(), rate(60), now));
        }
        // `slow` came first, was in use for a minute, and every shard was looked through many times since.
        assert!(!take(&table, "slow", rate(1), NOW.saturating_add(Duration::from_secs(50))));
        assert!(table.remembered() <= SHARDS * 2 * FEW + 2_000, "{}", table.remembered());
        assert_eq!(table.forgotten(), 0);
    }

    #[test]
    fn there_are_never_more_than_the_capacity_and_the_fullest_are_kept() {
        let table = BucketTable::new(1_600);
        let heavy: Vec<_> = (0..160).map(|key| format!("heavy {key}")).collect();
        for key in &heavy {
            while take(&table, key, rate(60), NOW) {}
        }
        for key in 0..20_000 {
            assert!(take(&table, &key.to_string(), rate(60), NOW));
            assert!(table.remembered() <= 1_600);
        }
        assert!(table.forgotten() >= 20_160 - 1_600);
        let kept = heavy.iter().filter(|key| !take(&table, key, rate(60), NOW)).count();
        assert_eq!(kept, heavy.len(), "those that used most are forgotten last");
    }

    #[test]
    fn a_capacity_of_one_still_limits() {
        let table = BucketTable::new(0);
        for key in ["a", "b", "c"] {
            assert!(take(&table, key, rate(1), NOW));
            assert!(!take(&table, key, rate(1), NOW));
        }
    }

    #[test]
    fn threads_admit_the_burst_between_them_and_not_one_more() {
        let (table, barrier) = (BucketTable::new(10), Barrier::new(8));
        let admitted: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        (0..500).filter(|_| take(&table, "key", rate(1_000), NOW)).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 1_000);
    }
}
