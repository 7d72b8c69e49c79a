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
use crate::store::{KeyStore, KeyUse, StoreError};
use crate::time::Timestamp;

/// How often last use is written unless the host says otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);

/// How many different keys are remembered between two writes unless the host says otherwise.
pub const DEFAULT_CAPACITY: usize = 10_000;

/// A write that takes longer than this is given up and tried again, so that a database that stands still does not keep a
/// host from shutting down.
#[cfg(feature = "tokio")]
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

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
            failed_flushes: self.failed_flushes.load(Ordering::Relaxed),
        }
    }

    pub(crate) async fn flush<S: Schema>(&self, store: &dyn KeyStore<Schema = S>) -> Result<u64, StoreError> {
        // Flushes that run at once take different uses: each use is in one batch.
        let batch = Unwritten::take(self);
        if batch.uses.is_empty() {
            return Ok(0);
        }
        let written = store.touch(&batch.uses).await?;
        batch.written();
        Ok(written)
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
    ) -> Result<(), StoreError> {
        let mut shutdown = pin!(shutdown);
        while tokio::time::timeout(self.interval, &mut shutdown).await.is_err() {
            if let Err(error) = self.flush_in_time(store).await {
                let failed_flushes = self.failed_flushes.load(Ordering::Relaxed);
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(event = "last_used.unwritten", failed_flushes, error, "kept for the next flush");
            }
        }
        self.flush_in_time(store).await.map(|_| ())
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

    fn written(mut self) {
        self.uses.clear();
    }
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        if self.uses.is_empty() {
            return;
        }
        self.last_used.failed_flushes.fetch_add(1, Ordering::Relaxed);
        let mut dropped = 0;
        let mut pending = self.last_used.pending();
        for KeyUse { id, digest, at } in self.uses.drain(..) {
            if let Some((_, latest)) = pending.get_mut(&digest) {
                *latest = at.max(*latest);
            } else if pending.len() < self.last_used.capacity {
                pending.insert(digest, (id, at));
            } else {
                dropped += 1;
            }
        }
        drop(pending);
        self.last_used.dropped.fetch_add(dropped, Ordering::Relaxed);
    }
}
