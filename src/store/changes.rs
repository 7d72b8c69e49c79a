//! What a store tells of changes that were made to it.

use std::fmt::Debug;
use std::future::pending;

use async_trait::async_trait;

use crate::key::KeyId;
use crate::store::StoreError;

/// Tells of changes to stored keys, whoever made them. From [`KeyStore::watch`](crate::store::KeyStore::watch).
#[async_trait]
pub trait ChangeFeed: Debug + Send {
    /// What was changed since the last call, or, at the first, since the feed began: every change that was committed
    /// before this call began has been told when it returns. To tell more does no harm.
    ///
    /// It counts what could end or change a verdict: revocations, rotations, changes, keys that are gone. New keys and
    /// last use do not count.
    ///
    /// A call that is dropped, or that fails, loses nothing: the next one tells it.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer.
    async fn changes(&mut self) -> Result<Changes, StoreError>;

    /// Returns when it is worth to ask, such as upon a notification. It may return too early, or never; whoever waits
    /// asks at an interval as well, and drops this then.
    async fn wait(&mut self) {
        pending::<()>().await;
    }
}

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changes {
    /// These keys, and no other; none when there are none.
    Keys(Vec<KeyId>),
    /// Any key may have been changed: the feed cannot say which, or has lost track.
    Everything,
}

impl Changes {
    /// Nothing was changed.
    #[must_use]
    pub const fn none() -> Self {
        Self::Keys(Vec::new())
    }
}
