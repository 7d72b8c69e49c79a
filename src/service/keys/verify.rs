//! Verifying presented keys, and recording their last use.

#[cfg(feature = "tokio")]
use std::future::Future;

use crate::key::{Authenticated, Refusal, RefusalReason, Schema, decide};
use crate::service::{Keys, LastUsedMetrics};
use crate::store::{KeyLookup, StoreError};
use crate::visible::Causes;

impl<S: Schema> Keys<S> {
    /// Accepts or refuses a presented key. Its form is checked before anything is hashed or asked of the store, and
    /// its last use is noted in memory, never written here.
    ///
    /// The store is asked every time, so that a revocation anywhere takes effect on the next call.
    ///
    /// # Errors
    /// [`Refusal`]. Answer 503 when it [`is_outage`](Refusal::is_outage) and 401 otherwise.
    pub async fn verify(&self, presented: &str) -> Result<Authenticated<S>, Refusal> {
        let Self { shared, .. } = self;
        let schema = shared.store.schema();
        let parsed = schema.formats().parse(presented).map_err(|malformed| {
            let refusal = Refusal::from(malformed);
            tracing::warn!(
                event = "key.refused",
                reason = refusal.reason().code(),
                length = presented.len(),
                has_prefix = presented.starts_with(schema.formats().issued().prefix().as_str()),
                "{malformed}"
            );
            refusal
        })?;
        let digest = parsed.digest();
        let lookup = KeyLookup::new(&digest, parsed.display_prefix());
        let candidates = shared.store.find(lookup).await.map_err(|error| {
            tracing::error!(
                event = "key.unverified",
                reason = "store_unavailable",
                error = %Causes(&error)
            );
            Refusal::unavailable(error)
        })?;
        let now = shared.clock.now();
        match decide(schema, candidates, &digest, now) {
            Ok(accepted) => {
                shared.last_used.remember(accepted.head(), now);
                Ok(accepted)
            }
            Err(refusal) => {
                log_refusal(&refusal, &digest.to_hex().as_str()[..8]);
                Err(refusal)
            }
        }
    }

    /// Writes the last use of every key that was accepted since the last write, in one statement, and says how many
    /// rows were written. Call it on shutdown where `record_last_used` (feature `tokio`) does not run.
    ///
    /// # Errors
    /// [`StoreError`]; the keys wait for the next write, and the failure is counted.
    pub async fn flush_last_used(&self) -> Result<u64, StoreError> {
        self.shared.last_used.flush(&*self.shared.store).await
    }

    /// Writes last use once an interval until `shutdown` completes, and once more then: it ends within 10 seconds. Run it
    /// as a task of the host, which needs tokio's timer.
    ///
    /// Failures do not end it: the first of several is logged, then the end of them, and the time between two attempts
    /// grows to eight intervals. What could not be written at the end shows in the
    /// [metrics](Self::last_used_metrics).
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "tokio")))]
    pub async fn record_last_used(&self, shutdown: impl Future<Output = ()> + Send) {
        self.shared.last_used.run(&*self.shared.store, shutdown).await;
    }

    /// What became of the uses of keys so far.
    #[must_use]
    pub fn last_used_metrics(&self) -> LastUsedMetrics {
        self.shared.last_used.metrics()
    }
}

fn log_refusal(refusal: &Refusal, digest_start: &str) {
    let reason = refusal.reason();
    let key_id = refusal.key_id().map(tracing::field::display);
    let prefix = refusal.display_prefix().map(tracing::field::display);
    if let RefusalReason::Unusable(defect) = reason {
        tracing::error!(event = "key.refused", reason = reason.code(), key_id, prefix, %defect);
    } else {
        tracing::warn!(event = "key.refused", reason = reason.code(), key_id, prefix, digest_start);
    }
}
