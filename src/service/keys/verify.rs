//! Verifying presented keys, and recording their last use.

#[cfg(feature = "tokio")]
use std::future::Future;
use std::sync::Arc;

use crate::key::{
    Authenticated, Evidence, KeyDigest, KeyFormats, KeyRecord, MalformedKey, Refusal, RefusalReason, Schema, decide,
};
use crate::service::cache::{Cache, Found, Moment, Recalled};
use crate::service::source::Read;
use crate::service::{Keys, LastUsedMetrics};
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::visible::Causes;

impl<S: Schema> Keys<S> {
    /// Accepts or refuses a presented key. Its form is checked before anything is hashed or asked of the store, and
    /// its last use is noted in memory, never written here.
    ///
    /// The store is asked every time, so that a revocation anywhere takes effect on the next call, unless
    /// [`cache`](crate::KeysBuilder::cache) permits otherwise, or it has replicas; how old the record was that decided, the
    /// [evidence](Authenticated::evidence) of the result says.
    ///
    /// # Errors
    /// [`Refusal`]. Answer 503 when it [`is_outage`](Refusal::is_outage) and 401 otherwise.
    pub async fn verify(&self, presented: &str) -> Result<Authenticated<S>, Refusal> {
        let (digest, prefix) = self.parse(presented)?;
        let Some(cache) = &self.shared.cache else { return self.verify_in_store(&digest, prefix).await };
        let at = Moment::of(&*self.shared.source.clock);
        match cache.recall(self.schema(), &digest, at) {
            Some(Recalled { verdict: Ok(accepted), is_to_be_noted: false }) => Ok(accepted),
            Some(Recalled { verdict, .. }) => self.conclude(verdict, &digest, at.now),
            // Apart, so that a hit carries none of its room around.
            None => Box::pin(self.verify_anew(cache, &digest, prefix)).await,
        }
    }

    /// As [`verify`](Self::verify), and asks the store itself, whatever is cached or replicated: for what must not be done with a key
    /// that was revoked a moment ago. While the store cannot answer, nothing is accepted.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn verify_fresh(&self, presented: &str) -> Result<Authenticated<S>, Refusal> {
        let (digest, prefix) = self.parse(presented)?;
        let Some(cache) = &self.shared.cache else {
            let read = self.shared.source.find_fresh(&digest, prefix).await;
            return self.judge_read(read, &digest);
        };
        match cache.look_up_alone(&self.shared.source, &digest, prefix).await {
            Found::Candidates { candidates, as_of } => self.judge(candidates.iter().cloned(), as_of, &digest),
            Found::Outage(error) => Err(unverified(error)),
        }
    }

    fn parse<'k>(&self, presented: &'k str) -> Result<(KeyDigest, &'k str), Refusal> {
        let formats = self.schema().formats();
        let parsed = formats.parse(presented).map_err(|malformed| refuse_malformed(malformed, presented, formats))?;
        Ok((parsed.digest(), parsed.display_prefix()))
    }

    async fn verify_in_store(&self, digest: &KeyDigest, prefix: &str) -> Result<Authenticated<S>, Refusal> {
        let read = self.shared.source.find(digest, prefix).await;
        self.judge_read(read, digest)
    }

    fn judge_read(&self, read: Result<Read<S>, StoreError>, digest: &KeyDigest) -> Result<Authenticated<S>, Refusal> {
        let Read { candidates, as_of } = read.map_err(|error| unverified(Arc::new(error)))?;
        self.judge(candidates, as_of, digest)
    }

    /// Asks the store, together with others who present the same key at this moment.
    async fn verify_anew(
        &self,
        cache: &Arc<Cache<S>>,
        digest: &KeyDigest,
        prefix: &str,
    ) -> Result<Authenticated<S>, Refusal> {
        let error = match cache.look_up(&self.shared.source, digest, prefix).await {
            Found::Candidates { candidates, as_of } => return self.judge(candidates.iter().cloned(), as_of, digest),
            Found::Outage(error) => error,
        };
        let at = Moment::of(&*self.shared.source.clock);
        // A database that answers with an error is there, and what it refuses is no outage.
        let accepted = matches!(*error, StoreError::Unavailable { .. })
            .then(|| cache.stand_in(self.schema(), digest, at))
            .flatten()
            .ok_or_else(|| unverified(Arc::clone(&error)))?;
        tracing::warn!(
            event = "key.accepted_stale",
            key_id = %accepted.head().id,
            age_seconds = accepted.evidence().age().as_secs(),
            error = %Causes(&*error),
            "the outage policy accepts what was good a short while ago"
        );
        self.conclude(Ok(accepted), digest, at.now)
    }

    /// Decides on what the store has found, or a replica that had everything from before `as_of`.
    fn judge(
        &self,
        candidates: impl IntoIterator<Item = Arc<KeyRecord<S>>>,
        as_of: Option<Moment>,
        digest: &KeyDigest,
    ) -> Result<Authenticated<S>, Refusal> {
        let now = self.now();
        let mut verdict = decide(self.schema(), candidates, digest, now);
        if let Some(as_of) = as_of {
            let age = Moment::of(&*self.shared.source.clock).age_of(as_of);
            verdict = verdict.map(|accepted| accepted.on(Evidence::Replicated { age }));
        }
        self.conclude(verdict, digest, now)
    }

    /// Notes the use of a key, or logs why there was none.
    fn conclude(
        &self,
        verdict: Result<Authenticated<S>, Refusal>,
        digest: &KeyDigest,
        now: Timestamp,
    ) -> Result<Authenticated<S>, Refusal> {
        match &verdict {
            Ok(accepted) => self.shared.last_used.remember(accepted.head(), now),
            Err(refusal) => log_refusal(refusal, &digest.to_hex().as_str()[..8]),
        }
        verdict
    }

    /// Writes the last use of every key that was accepted since the last write, in one statement, and says how many
    /// rows were written. Call it on shutdown where `record_last_used` (feature `tokio`) does not run.
    ///
    /// # Errors
    /// [`StoreError`]; the keys wait for the next write, and the failure is counted.
    pub async fn flush_last_used(&self) -> Result<u64, StoreError> {
        self.shared.last_used.flush(&*self.shared.source.store).await
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
        self.shared.last_used.run(&*self.shared.source.store, shutdown).await;
    }

    /// What became of the uses of keys so far.
    #[must_use]
    pub fn last_used_metrics(&self) -> LastUsedMetrics {
        self.shared.last_used.metrics()
    }
}

#[cold]
fn refuse_malformed(malformed: MalformedKey, presented: &str, formats: &KeyFormats) -> Refusal {
    let refusal = Refusal::from(malformed);
    tracing::warn!(
        event = "key.refused",
        reason = refusal.reason().code(),
        length = presented.len(),
        has_prefix = presented.starts_with(formats.issued().prefix().as_str()),
        "{malformed}"
    );
    refusal
}

/// The store could not answer, which is no verdict on the key.
fn unverified(error: Arc<StoreError>) -> Refusal {
    // What many made-up keys lead to is nothing to wake somebody for.
    if matches!(*error, StoreError::Throttled) {
        tracing::warn!(event = "key.unverified", reason = "throttled", error = %error);
    } else {
        tracing::error!(event = "key.unverified", reason = "store_unavailable", error = %Causes(&*error));
    }
    Refusal::unavailable_for_all(error)
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
