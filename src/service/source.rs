//! Where keys are looked up: in the store itself, or on a replica of it that has every change which is known here.

use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::key::{KeyDigest, KeyRecord, Schema};
use crate::service::cache::{Changing, Marks, Moment, PLACES, Subject};
use crate::store::{KeyLookup, KeyStore, Replicated, StoreError};
use crate::time::Clock;

#[derive(Debug)]
pub(crate) struct Source<S: Schema> {
    pub(crate) store: Arc<dyn KeyStore<Schema = S>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where there are replicas.
    last_changes: Option<Arc<LastChanges>>,
}

/// When something was last changed, as far as is known here, in microseconds of the clock that nobody sets.
#[derive(Debug)]
struct LastChanges {
    seed: RandomState,
    marks: Marks<AtomicU64>,
}

impl LastChanges {
    fn subject(&self, changing: Changing<'_>) -> Subject {
        self.marks.subject(changing.hash(&self.seed))
    }
}

impl<S: Schema> Clone for Source<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), clock: Arc::clone(&self.clock), last_changes: self.last_changes.clone() }
    }
}

/// What a lookup found.
#[derive(Debug)]
pub(crate) struct Read<S: Schema> {
    pub(crate) candidates: Vec<Arc<KeyRecord<S>>>,
    /// For a replica: everything from before this moment it had.
    pub(crate) as_of: Option<Moment>,
}

impl<S: Schema> Source<S> {
    pub(crate) fn new(store: Arc<dyn KeyStore<Schema = S>>, clock: Arc<dyn Clock>) -> Self {
        let last_changes = || Arc::new(LastChanges { seed: RandomState::new(), marks: Marks::new(PLACES) });
        let last_changes = store.abilities().replicas.then(last_changes);
        Self { store, clock, last_changes }
    }

    /// From now on, what a replica says of it does not count if the replica lacks what was committed before. To be called
    /// before anybody is told that it was.
    pub(crate) fn has_changed(&self, changing: Changing<'_>) {
        self.subject_has_changed(self.subject(changing));
    }

    /// As [`has_changed`](Self::has_changed), for what [`subject`](Self::subject) returned.
    pub(crate) fn subject_has_changed(&self, subject: Option<Subject>) {
        if let (Some(last), Some(subject)) = (&self.last_changes, subject) {
            last.marks.raise(subject, self.now_rounded_up());
        }
    }

    /// What a change has to be remembered by. That a key is new need not be: one that no replica knows is looked up in the
    /// store.
    pub(crate) fn subject(&self, changing: Changing<'_>) -> Option<Subject> {
        match changing {
            Changing::Key(_) | Changing::Owner(_) => self.last_changes.as_ref().map(|last| last.subject(changing)),
            Changing::Digest(_) => None,
        }
    }

    /// As [`has_changed`](Self::has_changed), for every key.
    pub(crate) fn everything_has_changed(&self) {
        if let Some(last) = &self.last_changes {
            last.marks.raise_everything(self.now_rounded_up());
        }
    }

    fn now_rounded_up(&self) -> u64 {
        micros(self.clock.elapsed()).saturating_add(1)
    }

    /// On a replica, where one will do, and otherwise in the store.
    pub(crate) async fn find(&self, digest: &KeyDigest, prefix: &str) -> Result<Read<S>, StoreError> {
        if let Some(last) = &self.last_changes {
            let at = Moment::of(&*self.clock);
            let found = self.store.find_on_replica(KeyLookup::new(digest, prefix)).await?;
            if let Some(Replicated { candidates, age }) = found {
                let as_of = at.before(age);
                let has_every_change = |KeyRecord { head, .. }: &KeyRecord<S>| {
                    let subjects = [Changing::Key(&head.id), Changing::Owner(&head.owner)];
                    let subjects = subjects.map(|changing| last.subject(changing));
                    last.marks.are_at_most(micros(as_of.elapsed), &subjects)
                };
                if candidates.iter().all(|record| has_every_change(record)) {
                    return Ok(Read { candidates, as_of: Some(as_of) });
                }
            }
        }
        self.find_fresh(digest, prefix).await
    }

    pub(crate) async fn find_fresh(&self, digest: &KeyDigest, prefix: &str) -> Result<Read<S>, StoreError> {
        let candidates = self.store.find(KeyLookup::new(digest, prefix)).await?;
        Ok(Read { candidates, as_of: None })
    }
}

fn micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
