//! What several processes count requests in: [`LimitStore`].

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::key::{Lineage, Rate, Taken};
use crate::store::StoreError;

/// What several processes count requests in, so that they keep one limit between them: Redis or Valkey (feature `redis`,
/// `RedisStore`), or one of the host's own. Services call [`RateLimiter`](crate::service::RateLimiter).
///
/// [`Bucket`](crate::key::Bucket) says what is to be counted and how.
#[async_trait]
pub trait LimitStore: Debug + Send + Sync + 'static {
    /// Admits one request of the keys of `lineage` if `rate` has room for it, in one atomic step, and by a clock that all
    /// processes share. It answers within a time that the store has set itself: requests wait for it.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be said, such as [`StoreError::Unavailable`] when the time is over.
    async fn take(&self, lineage: Lineage<'_>, rate: Rate) -> Result<Taken, StoreError>;
}

/// One that somebody else holds too.
#[async_trait]
impl<L: LimitStore + ?Sized> LimitStore for Arc<L> {
    async fn take(&self, lineage: Lineage<'_>, rate: Rate) -> Result<Taken, StoreError> {
        L::take(self, lineage, rate).await
    }
}
