//! Asking the store, and remembering what it says.

use std::sync::Arc;

use crate::key::{KeyDigest, KeyRecord, Schema};
use crate::service::cache::fence::Ticket;
use crate::service::cache::table::Reading;
use crate::service::cache::{Cache, Moment};
use crate::store::{KeyLookup, KeyStore, StoreError};
use crate::time::Clock;

/// What a lookup found, for all who waited for it.
#[derive(Debug)]
pub(crate) enum Found<S: Schema> {
    Candidates(Arc<[Arc<KeyRecord<S>>]>),
    Outage(Arc<StoreError>),
}

impl<S: Schema> Clone for Found<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Candidates(candidates) => Self::Candidates(Arc::clone(candidates)),
            Self::Outage(error) => Self::Outage(Arc::clone(error)),
        }
    }
}

/// Where a cache asks, and what it takes the time from.
#[derive(Debug)]
pub(crate) struct Source<S: Schema> {
    pub(crate) store: Arc<dyn KeyStore<Schema = S>>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl<S: Schema> Clone for Source<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), clock: Arc::clone(&self.clock) }
    }
}

impl<S: Schema> Cache<S> {
    /// Asks the store, once for all who ask for the same at the same time.
    pub(crate) async fn look_up(self: &Arc<Self>, source: &Source<S>, digest: &KeyDigest, prefix: &str) -> Found<S> {
        let read = self.reading(&*source.clock);
        let begin = || {
            let (cache, source, digest, prefix) = (Arc::clone(self), source.clone(), *digest, prefix.to_owned());
            Box::pin(async move { cache.ask(&source, &digest, &prefix, read).await }) as _
        };
        let passenger = self.flights.join(digest, read.ticket, begin);
        let ticket = passenger.ticket();
        match passenger.await {
            // What was changed between the start of the lookup and that of this call, it may not have seen.
            Some(found) if ticket == read.ticket || self.is_current(&found, digest, ticket) => found,
            // Nor is anything known where the lookup panicked in the hands of another.
            _ => self.look_up_alone(source, digest, prefix).await,
        }
    }

    /// Asks the store for this call alone.
    pub(crate) async fn look_up_alone(&self, source: &Source<S>, digest: &KeyDigest, prefix: &str) -> Found<S> {
        self.ask(source, digest, prefix, self.reading(&*source.clock)).await
    }

    async fn ask(&self, source: &Source<S>, digest: &KeyDigest, prefix: &str, read: Reading) -> Found<S> {
        match source.store.find(KeyLookup::new(digest, prefix)).await {
            Ok(candidates) => {
                self.keep(source.store.schema(), digest, read, &candidates, Moment::of(&*source.clock));
                Found::Candidates(candidates.into())
            }
            Err(error) => Found::Outage(Arc::new(error)),
        }
    }

    /// Whether nothing has changed since `ticket` of what was found.
    fn is_current(&self, found: &Found<S>, digest: &KeyDigest, ticket: Ticket) -> bool {
        let Found::Candidates(candidates) = found else { return true };
        let is_current = |record| self.fence.is_current(ticket, &self.subjects(digest, record));
        is_current(None) && candidates.iter().all(|record| is_current(Some(record)))
    }
}
