//! Asking the store, and remembering what it says.

use std::sync::Arc;

use crate::key::{KeyDigest, KeyRecord, Schema};
use crate::service::cache::fence::Ticket;
use crate::service::cache::table::Reading;
use crate::service::cache::{Cache, Moment};
use crate::service::source::{Read, Source};
use crate::store::StoreError;

/// What a lookup found, for all who waited for it.
#[derive(Debug)]
pub(crate) enum Found<S: Schema> {
    Candidates {
        candidates: Arc<[Arc<KeyRecord<S>>]>,
        /// For a replica: everything from before this moment it had.
        as_of: Option<Moment>,
    },
    Outage(Arc<StoreError>),
}

impl<S: Schema> Clone for Found<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Candidates { candidates, as_of } => {
                Self::Candidates { candidates: Arc::clone(candidates), as_of: *as_of }
            }
            Self::Outage(error) => Self::Outage(Arc::clone(error)),
        }
    }
}

impl<S: Schema> Cache<S> {
    /// Asks the store, once for all who ask for the same at the same time.
    pub(crate) async fn look_up(self: &Arc<Self>, source: &Source<S>, digest: &KeyDigest, prefix: &str) -> Found<S> {
        let read = self.reading(&*source.clock);
        let begin = || {
            let (cache, source, digest, prefix) = (Arc::clone(self), source.clone(), *digest, prefix.to_owned());
            Box::pin(async move { cache.keep_found(&source, &digest, read, source.find(&digest, &prefix).await) }) as _
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

    /// Asks the store itself, for this call alone.
    pub(crate) async fn look_up_alone(&self, source: &Source<S>, digest: &KeyDigest, prefix: &str) -> Found<S> {
        let read = self.reading(&*source.clock);
        self.keep_found(source, digest, read, source.find_fresh(digest, prefix).await)
    }

    fn keep_found(
        &self,
        source: &Source<S>,
        digest: &KeyDigest,
        read: Reading,
        found: Result<Read<S>, StoreError>,
    ) -> Found<S> {
        match found {
            Ok(Read { candidates, as_of }) => {
                // A replica is only asked if it has every change up to that of the ticket.
                let read = Reading { at: as_of.unwrap_or(read.at), ..read };
                self.keep(source.store.schema(), digest, read, &candidates, Moment::of(&*source.clock));
                Found::Candidates { candidates: candidates.into(), as_of }
            }
            Err(error) => Found::Outage(Arc::new(error)),
        }
    }

    /// Whether nothing has changed since `ticket` of what was found.
    fn is_current(&self, found: &Found<S>, digest: &KeyDigest, ticket: Ticket) -> bool {
        let Found::Candidates { candidates, .. } = found else { return true };
        let is_current = |record| self.fence.is_current(ticket, &self.subjects(digest, record));
        is_current(None) && candidates.iter().all(|record| is_current(Some(record)))
    }
}
