//! What the cache holds, in a room that does not grow: many small buckets, each with a lock of its own, as processors
//! have them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::key::KeyDigest;
use crate::service::cache::fence::{Subject, Ticket};
use crate::service::cache::moment::Moment;

/// How many entries a bucket holds at most.
const WAYS: usize = 16;
/// How many it holds where the table is full. That a bucket is, before the table is, happens once in a million times.
const ON_AVERAGE: usize = 4;

/// What was read of a digest, when, and after which change.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) read: Reading,
    pub(super) subjects: [Subject; 3],
    pub(super) value: T,
    /// In seconds.
    noted: AtomicI64,
}

impl<T> Entry<T> {
    pub(super) const fn new(read: Reading, subjects: [Subject; 3], value: T) -> Self {
        Self { read, subjects, value, noted: AtomicI64::new(i64::MIN) }
    }

    /// Whether a use is to be noted: the first in this second. The map of those that were used has one lock for all keys, and
    /// what is stored of a use is hardly looked at more closely.
    pub(super) fn is_to_be_noted(&self, at: Moment) -> bool {
        let second = at.now.as_seconds();
        let is_first = self.noted.load(Ordering::Relaxed) != second;
        if is_first {
            self.noted.store(second, Ordering::Relaxed);
        }
        is_first
    }
}

/// Taken before the store is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) ticket: Ticket,
    pub(super) at: Moment,
}

struct Slot<T> {
    digest: [u8; 32],
    entry: Entry<T>,
    /// Since an entry last had to go.
    was_asked_for: AtomicBool,
}

pub(super) struct Table<T> {
    buckets: Box<[Bucket<T>]>,
    capacity: usize,
    /// How many entries there are; one more for each that is being put in.
    count: AtomicUsize,
}

type Bucket<T> = RwLock<Vec<Slot<T>>>;

impl<T> Table<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let buckets = (0..capacity.div_ceil(ON_AVERAGE).max(1)).map(|_| RwLock::default()).collect();
        Self { buckets, capacity, count: AtomicUsize::new(0) }
    }

    /// `hash` spreads digests evenly, whoever chooses them.
    fn place(&self, hash: u64) -> usize {
        let place = (u128::from(hash) * self.buckets.len() as u128) >> 64;
        // Less than the number of buckets.
        usize::try_from(place).unwrap_or_default()
    }

    fn bucket(&self, hash: u64) -> &Bucket<T> {
        &self.buckets[self.place(hash)]
    }

    /// Reads an entry in place.
    pub(super) fn get<R>(&self, hash: u64, digest: &KeyDigest, read: impl FnOnce(&Entry<T>) -> R) -> Option<R> {
        let bucket = shared(self.bucket(hash));
        let slot = bucket.iter().find(|slot| slot.digest == *digest.as_bytes())?;
        if !slot.was_asked_for.load(Ordering::Relaxed) {
            slot.was_asked_for.store(true, Ordering::Relaxed);
        }
        Some(read(&slot.entry))
    }

    /// Puts an entry in, unless there is one of the same digest that was read later.
    pub(super) fn put(&self, hash: u64, digest: &KeyDigest, entry: Entry<T>) {
        let slot = Slot { digest: *digest.as_bytes(), entry, was_asked_for: AtomicBool::new(false) };
        let mut bucket = exclusive(self.bucket(hash));
        let same = bucket.iter().position(|other| other.digest == slot.digest);
        let replaced = match same {
            Some(same) if slot.entry.read.is_before(bucket[same].entry.read) => Some(slot),
            Some(same) => Some(std::mem::replace(&mut bucket[same], slot)),
            None => {
                let is_full = bucket.len() >= WAYS || self.count.load(Ordering::Relaxed) >= self.capacity;
                let gone = is_full.then(|| take_idle(&mut bucket)).flatten();
                if gone.is_none() {
                    self.count.fetch_add(1, Ordering::Relaxed);
                }
                bucket.push(slot);
                gone
            }
        };
        // Whatever ends with it ends without the lock.
        drop(bucket);
        drop(replaced);
        if self.count.load(Ordering::Relaxed) > self.capacity {
            self.make_room_behind(self.place(hash));
        }
    }

    /// Takes an entry out of the next bucket that has one, for one that came into an empty bucket of a full table.
    fn make_room_behind(&self, place: usize) {
        let (before, behind) = self.buckets.split_at(place + 1);
        let gone = behind.iter().chain(before).find_map(|bucket| take_idle(&mut exclusive(bucket)));
        if gone.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes an entry out that was not read after `read`.
    pub(super) fn remove_read_by(&self, hash: u64, digest: &KeyDigest, read: Reading) {
        let mut bucket = exclusive(self.bucket(hash));
        let due = |slot: &Slot<T>| slot.digest == *digest.as_bytes() && !read.is_before(slot.entry.read);
        let removed = bucket.iter().position(due).map(|place| bucket.remove(place));
        drop(bucket);
        if removed.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// One that nobody has asked for since this was done last; the oldest where all were.
fn take_idle<T>(bucket: &mut Vec<Slot<T>>) -> Option<Slot<T>> {
    let idle = bucket.iter().position(|slot| !slot.was_asked_for.swap(false, Ordering::Relaxed));
    (!bucket.is_empty()).then(|| bucket.remove(idle.unwrap_or_default()))
}

impl Reading {
    /// By the clock that nobody sets.
    pub(super) fn is_before(self, other: Self) -> bool {
        (self.at.elapsed, self.ticket) < (other.at.elapsed, other.ticket)
    }
}

// A bucket is changed by single calls of the standard library's, so a panic elsewhere leaves it whole.
fn shared<T>(bucket: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    bucket.read().unwrap_or_else(PoisonError::into_inner)
}

fn exclusive<T>(bucket: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    bucket.write().unwrap_or_else(PoisonError::into_inner)
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("buckets", &self.buckets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::service::cache::fence::Fence;
    use crate::time::Timestamp;

    struct Bench {
        table: Table<u32>,
        fence: Fence<std::sync::atomic::AtomicU64>,
    }

    impl Bench {
        fn new() -> Self {
            Self { table: Table::new(WAYS), fence: Fence::new(1) }
        }

        fn entry(&self, elapsed: u64, value: u32) -> Entry<u32> {
            let at = Moment { now: Timestamp::from_seconds(0), elapsed: Duration::from_secs(elapsed) };
            let subject = self.fence.subject(0);
            Entry::new(Reading { ticket: self.fence.ticket(), at }, [subject; 3], value)
        }

        fn put(&self, digest: u8, elapsed: u64, value: u32) {
            self.table.put(0, &named(digest), self.entry(elapsed, value));
        }

        fn get(&self, digest: u8) -> Option<u32> {
            self.table.get(0, &named(digest), |entry| entry.value)
        }
    }

    fn named(digest: u8) -> KeyDigest {
        KeyDigest::from_bytes([digest; 32])
    }

    #[test]
    fn what_was_read_later_stays() {
        let bench = Bench::new();
        bench.put(1, 5, 50);
        bench.put(1, 4, 40);
        assert_eq!(bench.get(1), Some(50));
        bench.put(1, 6, 60);
        assert_eq!(bench.get(1), Some(60));
        // At one moment, the later change counts.
        bench.fence.changed(bench.fence.subject(0));
        let late = bench.entry(6, 61);
        bench.table.put(0, &named(1), late);
        assert_eq!(bench.get(1), Some(61));
    }

    #[test]
    fn only_what_was_not_read_later_is_taken_out() {
        let bench = Bench::new();
        bench.put(1, 5, 50);
        bench.table.remove_read_by(0, &named(1), bench.entry(4, 0).read);
        assert_eq!(bench.get(1), Some(50));
        bench.table.remove_read_by(0, &named(2), bench.entry(9, 0).read);
        bench.table.remove_read_by(0, &named(1), bench.entry(5, 0).read);
        assert_eq!(bench.get(1), None);
    }

    #[test]
    fn what_was_not_asked_for_goes_first() {
        let bench = Bench::new();
        for digest in 0..16 {
            bench.put(digest, 0, digest.into());
        }
        for digest in (0..16).filter(|digest| *digest != 3) {
            assert!(bench.get(digest).is_some());
        }
        bench.put(100, 0, 100);
        assert_eq!((bench.get(3), bench.get(100)), (None, Some(100)));
        // All are asked for, and yet there is room.
        for digest in 101..120 {
            bench.put(digest, 0, digest.into());
            assert_eq!(bench.get(digest), Some(digest.into()));
        }
        let held = (0..=u8::MAX).filter(|digest| bench.get(*digest).is_some()).count();
        assert_eq!(held, WAYS);
    }

    #[test]
    fn a_table_holds_as_many_as_it_was_made_for_wherever_they_fall() {
        let (table, fence) = (Table::<u16>::new(1_000), Fence::<std::sync::atomic::AtomicU64>::new(1));
        let at = Moment { now: Timestamp::from_seconds(0), elapsed: Duration::ZERO };
        let read = Reading { ticket: fence.ticket(), at };
        let spread = |number: u16| u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let digest = |number: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            KeyDigest::from_bytes(bytes)
        };
        let held = |numbers: std::ops::Range<u16>| {
            numbers.filter(|number| table.get(spread(*number), &digest(*number), |_| ()).is_some()).count()
        };
        let put = |number: u16| {
            table.put(spread(number), &digest(number), Entry::new(read, [fence.subject(0); 3], number));
        };
        (0..1_000).for_each(put);
        assert_eq!(held(0..1_000), 1_000, "all of them, as long as there is room");
        (1_000..5_000).for_each(put);
        assert_eq!(held(0..5_000), 1_000);
        for number in 0..5_000 {
            table.remove_read_by(spread(number), &digest(number), read);
        }
        assert_eq!((held(0..5_000), table.count.load(Ordering::Relaxed)), (0, 0));
        (0..1_000).for_each(put);
        assert_eq!(held(0..1_000), 1_000, "and again");
        // One after the other into a table of one.
        let table = Table::<u16>::new(1);
        for number in 0..100 {
            table.put(spread(number), &digest(number), Entry::new(read, [fence.subject(0); 3], number));
            assert!(table.get(spread(number), &digest(number), |_| ()).is_some());
        }
        assert_eq!(table.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn every_hash_has_a_bucket() {
        let table = Table::<u32>::new(100);
        for hash in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(std::ptr::from_ref(table.bucket(hash)) >= std::ptr::from_ref(&table.buckets[0]));
        }
        assert_eq!(table.buckets.len(), 25);
        assert!(std::ptr::eq(table.bucket(u64::MAX), &raw const table.buckets[24]));
    }

    #[test]
    fn a_panic_under_the_lock_harms_nothing() {
        let bench = Bench::new();
        bench.put(1, 0, 1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _bucket = exclusive(bench.table.bucket(0));
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(bench.get(1), Some(1));
        bench.put(2, 0, 2);
        assert_eq!(bench.get(2), Some(2));
    }
}
