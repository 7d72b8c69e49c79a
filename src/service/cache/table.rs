//! What the cache holds, in a room that does not grow: many small buckets, each with a lock of its own, as processors
//! have them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::key::KeyDigest;
use crate::service::cache::fence::{Subject, Ticket};
use crate::service::cache::moment::Moment;

/// How many entries a bucket holds.
const WAYS: usize = 8;

/// What was read of a digest, when, and after which change.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    pub(super) read: Reading,
    pub(super) subjects: [Subject; 3],
    pub(super) value: T,
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
    buckets: Box<[RwLock<Vec<Slot<T>>>]>,
}

impl<T> Table<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { buckets: (0..capacity.div_ceil(WAYS).max(1)).map(|_| RwLock::default()).collect() }
    }

    /// `hash` spreads digests evenly, whoever chooses them.
    fn bucket(&self, hash: u64) -> &RwLock<Vec<Slot<T>>> {
        let place = (u128::from(hash) * self.buckets.len() as u128) >> 64;
        // Less than the number of buckets.
        &self.buckets[usize::try_from(place).unwrap_or_default()]
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
            None if bucket.len() < WAYS => {
                bucket.push(slot);
                None
            }
            None => {
                let idle = bucket.iter().position(|other| !other.was_asked_for.swap(false, Ordering::Relaxed));
                let gone = bucket.remove(idle.unwrap_or_default());
                bucket.push(slot);
                Some(gone)
            }
        };
        // Whatever ends with it ends without the lock.
        drop(bucket);
        drop(replaced);
    }

    /// Takes an entry out that was not read after `read`.
    pub(super) fn remove_read_by(&self, hash: u64, digest: &KeyDigest, read: Reading) {
        let mut bucket = exclusive(self.bucket(hash));
        let due = |slot: &Slot<T>| slot.digest == *digest.as_bytes() && !read.is_before(slot.entry.read);
        let removed = bucket.iter().position(due).map(|place| bucket.remove(place));
        drop(bucket);
        drop(removed);
    }
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
