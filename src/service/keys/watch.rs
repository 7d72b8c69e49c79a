//! Staying in step with what other processes do to the keys.

use std::future::Future;

use crate::key::Schema;
use crate::service::Keys;
use crate::store::StoreError;

impl<S: Schema> Keys<S> {
    /// Keeps the [cache](crate::KeysBuilder::cache) in step with changes that other processes make, until `shutdown`
    /// completes: a key that was revoked there is refused here within the [bound](crate::service::CachePolicy::bound). Run it as a task of
    /// the host, which needs tokio's timer.
    ///
    /// While it does not run, cannot reach the store, or is late, what is cached counts for
    /// [as long as it may unwatched](crate::service::CachePolicy::unwatched_max_age), which is not at all unless the host says otherwise.
    /// Failures do not end it: the first of several is logged, then the end of them.
    ///
    /// On PostgreSQL, the database has to note changes first: `SqlKeyStore::note_changes`. Notifications come over a
    /// connection of its own, beside the host's pool; where they do not arrive, as behind a transaction pooler, changes are
    /// noticed at the next question.
    ///
    /// ```
    /// use keyward::schemas::standard::{Standard, StandardKey};
    /// use keyward::service::CachePolicy;
    /// use keyward::{Keys, store::MemoryKeyStore};
    ///
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// let store = MemoryKeyStore::new(Standard::new("acme")?);
    /// let elsewhere = Keys::builder(store.clone()).build();
    /// let keys = Keys::builder(store).cache(CachePolicy::new()).build();
    ///
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// let watched = keys.clone();
    /// let watch = tokio::spawn(async move { watched.watch(async { drop(stopped.await) }).await });
    ///
    /// let issued = elsewhere.issue(StandardKey::new("customer-1", "production")?).await?;
    /// assert!(keys.verify(issued.secret.expose_secret()).await.is_ok());
    /// elsewhere.revoke(&issued.record.head.id, None).await?;
    /// tokio::time::sleep(CachePolicy::DEFAULT_BOUND).await;
    /// assert!(keys.verify(issued.secret.expose_secret()).await.is_err());
    ///
    /// drop(stop);
    /// watch.await??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] where the store cannot be watched, or what that takes is not set up; any error with which it
    /// refuses to begin, but for an outage.
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "tokio")))]
    pub async fn watch(&self, shutdown: impl Future<Output = ()> + Send) -> Result<(), StoreError> {
        if let Some(cache) = &self.shared.cache {
            return cache.watch(&self.shared.source, shutdown).await;
        }
        shutdown.await;
        Ok(())
    }
}
