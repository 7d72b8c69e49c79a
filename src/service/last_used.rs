//! Last use, recorded off the request path: noted in memory, written in one statement an interval.

use std::collections::HashMap;
#[cfg(feature = "tokio")]
use std::future::Future;
#[cfg(feature = "tokio")]
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::key::{KeyDigest, KeyHead, KeyId, Schema};
use crate::store::{KeyStore, KeyUse, StoreError, Touched};
use crate::time::Timestamp;
#[cfg(feature = "tokio")]
use crate::visible::Causes;

/// How often last use is written unless the host says otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);

/// How many different keys are remembered between two writes unless the host says otherwise.
pub const DEFAULT_CAPACITY: usize = 10_000;

/// A write that takes longer than this is given up and tried again, so that a database that stands still does not keep a
/// host from shutting down.
#[cfg(feature = "tokio")]
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// After writes that failed, up to so many intervals pass before the next one.
#[cfg(feature = "tokio")]
const LONGEST_PAUSE: u32 = 8;

/// Writing more often than this would be a write per use.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Remembers which keys were accepted since the last write. A note costs one map update and never fails, waits for a
/// database or grows without bound: when the map is full, further keys are dropped and counted.
#[derive(Debug)]
pub(crate) struct LastUsed {
    pending: Mutex<HashMap<KeyDigest, (KeyId, Timestamp)>>,
    capacity: usize,
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "the timer needs tokio"))]
    interval: Duration,
    dropped: AtomicU64,
    refused: AtomicU64,
    failed_flushes: AtomicU64,
}

/// What became of the uses of keys so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LastUsedMetrics {
    /// Keys that wait for the next write.
    pub pending: usize,
    /// Uses that were not remembered because too many different keys were waiting.
    pub dropped: u64,
    /// Uses that the database refused to write, and would refuse again: they are gone.
    pub refused: u64,
    /// Writes that failed. Their keys wait for the next one.
    pub failed_flushes: u64,
}

impl LastUsed {
    pub(crate) fn new(interval: Duration, capacity: usize) -> Self {
        Self {
            pending: Mutex::default(),
            capacity,
            interval: interval.max(SHORTEST_INTERVAL),
            dropped: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed_flushes: AtomicU64::new(0),
        }
    }

    /// The map is only ever changed by single calls, so a panic elsewhere leaves it whole.
    fn pending(&self) -> MutexGuard<'_, HashMap<KeyDigest, (KeyId, Timestamp)>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(&self, head: &KeyHead, at: Timestamp) {
        let Some(digest) = head.digest else { return };
        let mut pending = self.pending();
        if let Some((_, latest)) = pending.get_mut(&digest) {
            *latest = at.max(*latest);
        } else if pending.len() < self.capacity {
            pending.insert(digest, (head.id.clone(), at));
        } else {
            drop(pending);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn metrics(&self) -> LastUsedMetrics {
        LastUsedMetrics {
            pending: self.pending().len(),
            dropped: self.dropped.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            failed_flushes: self.failed_flushes.load(Ordering::Relaxed),
        }
    }

    pub(crate) async fn flush<S: Schema>(&self, store: &dyn KeyStore<Schema = S>) -> Result<u64, StoreError> {
        // Flushes that run at once take different uses: each use is in one batch.
        let batch = Unwritten::take(self);
        if batch.uses.is_empty() {
            return Ok(0);
        }
        match store.touch(&batch.uses).await {
            Ok(Touched { written, busy, refused }) => {
                batch.settle();
                self.put_back(busy);
                if let Some(KeyUse { id, .. }) = refused.first() {
                    self.refused.fetch_add(refused.len() as u64, Ordering::Relaxed);
                    tracing::warn!(event = "last_used.refused", uses = refused.len(), first_key_id = %id);
                }
                Ok(written)
            }
            // A role that may only read will not write the next time either.
            Err(error @ StoreError::Denied { .. }) => {
                self.refused.fetch_add(batch.settle().len() as u64, Ordering::Relaxed);
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Remembers uses that were not written until the next write.
    fn put_back(&self, uses: Vec<KeyUse>) {
        let mut dropped = 0;
        let mut pending = self.pending();
        for KeyUse { id, digest, at } in uses {
            if let Some((_, latest)) = pending.get_mut(&digest) {
                *latest = at.max(*latest);
            } else if pending.len() < self.capacity {
                pending.insert(digest, (id, at));
            } else {
                dropped += 1;
            }
        }
        drop(pending);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    #[cfg(feature = "tokio")]
    async fn flush_in_time<S: Schema>(&self, store: &dyn KeyStore<Schema = S>) -> Result<u64, StoreError> {
        let in_time = tokio::time::timeout(WRITE_TIMEOUT, self.flush(store)).await;
        in_time.unwrap_or_else(|elapsed| Err(StoreError::Unavailable { backend: "the store", source: elapsed.into() }))
    }

    #[cfg(feature = "tokio")]
    pub(crate) async fn run<S: Schema>(
        &self,
        store: &dyn KeyStore<Schema = S>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let mut shutdown = pin!(shutdown);
        let mut failures = 0;
        while tokio::time::timeout(self.pause(failures), &mut shutdown).await.is_err() {
            // That there is nothing to write says nothing about the database.
            if self.pending().is_empty() {
                continue;
            }
            failures = self.flush_and_log(store, failures).await;
        }
        if !self.pending().is_empty() {
            self.flush_and_log(store, failures).await;
        }
    }

    /// Logs the first failure of several, and the end of them; returns how many there were in a row.
    #[cfg(feature = "tokio")]
    async fn flush_and_log<S: Schema>(&self, store: &dyn KeyStore<Schema = S>, failures: u32) -> u32 {
        match self.flush_in_time(store).await {
            Ok(_) if failures > 0 => {
                tracing::info!(event = "last_used.resumed", failures, "last use is written again");
                0
            }
            Ok(_) => 0,
            Err(error) => {
                if failures == 0 {
                    let LastUsedMetrics { pending, dropped, refused, .. } = self.metrics();
                    tracing::warn!(
                        event = "last_used.unwritten",
                        pending,
                        dropped,
                        refused,
                        error = %Causes(&error),
                        "said once until it is over"
                    );
                }
                failures.saturating_add(1)
            }
        }
    }

    /// How long to wait before the next write, after so many that failed in a row.
    #[cfg(feature = "tokio")]
    fn pause(&self, failures: u32) -> Duration {
        self.interval.saturating_mul(2_u32.saturating_pow(failures).min(LONGEST_PAUSE))
    }
}

/// A batch on its way to the store. Unless it arrives, its uses go back and the failure is counted, also when the flush
/// is given up.
struct Unwritten<'l> {
    last_used: &'l LastUsed,
    uses: Vec<KeyUse>,
}

impl<'l> Unwritten<'l> {
    fn take(last_used: &'l LastUsed) -> Self {
        let taken = std::mem::take(&mut *last_used.pending());
        let mut uses: Vec<_> = taken.into_iter().map(|(digest, (id, at))| KeyUse::new(id, digest, at)).collect();
        // In one order everywhere, so that two processes do not lock the same rows crosswise.
        uses.sort_by(|a, b| a.id.cmp(&b.id));
        Self { last_used, uses }
    }

    /// The store has answered for each of the uses.
    fn settle(mut self) -> Vec<KeyUse> {
        std::mem::take(&mut self.uses)
    }
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        if self.uses.is_empty() {
            return;
        }
        self.last_used.failed_flushes.fetch_add(1, Ordering::Relaxed);
        self.last_used.put_back(std::mem::take(&mut self.uses));
    }
}
