//! Where keys are looked up: in the store itself, or on a replica of it that has every change which is known here.

use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::key::{KeyDigest, KeyHead, KeyRecord, Schema};
use crate::service::cache::{Changing, Marks, Moment, PLACES, Subject};
use crate::store::{FoundOnReplica, KeyLookup, KeyStore, StoreError};
use crate::time::{Clock, Stopwatch};

#[derive(Debug)]
pub(crate) struct Source<S: Schema> {
    pub(crate) store: Arc<dyn KeyStore<Schema = S>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where there are replicas.
    last_changes: Option<Arc<LastChanges>>,
}

/// When something was last changed, as far as is known here.
#[derive(Debug)]
struct LastChanges {
    seed: RandomState,
    since: Stopwatch,
    /// In microseconds of real time, by which a store says how far a replica is behind.
    by_stopwatch: Marks<AtomicU64>,
    /// In microseconds of the clock that nobody sets, which may be coarser, or a test's.
    by_clock: Marks<AtomicU64>,
}

/// Now, by the stopwatch and by the clock.
type Times = [Duration; 2];

impl LastChanges {
    fn new() -> Self {
        Self {
            seed: RandomState::new(),
            since: Stopwatch::start(),
            by_stopwatch: Marks::new(PLACES),
            by_clock: Marks::new(PLACES),
        }
    }

    fn times(&self, clock: &dyn Clock) -> Times {
        [self.since.elapsed(), clock.elapsed()]
    }

    /// With the two times, rounded up.
    fn marks(&self, times: Times) -> impl Iterator<Item = (&Marks<AtomicU64>, u64)> {
        let rounded_up = times.map(|elapsed| micros(elapsed).saturating_add(1));
        [&self.by_stopwatch, &self.by_clock].into_iter().zip(rounded_up)
    }

    /// Whether nothing of this was changed later than `age` before these times.
    fn are_older(&self, record: &KeyHead, times: Times, age: Duration) -> bool {
        let subjects = [Changing::Key(&record.id), Changing::Owner(&record.owner)];
        let subjects = subjects.map(|changing| self.subject(changing));
        let [stopwatch, clock] = times.map(|elapsed| micros(elapsed.saturating_sub(age)));
        self.by_stopwatch.are_at_most(stopwatch, &subjects) && self.by_clock.are_at_most(clock, &subjects)
    }

    fn subject(&self, changing: Changing<'_>) -> Subject {
        self.by_clock.subject(changing.hash(&self.seed))
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
        let last_changes = store.abilities().replicas.then(|| Arc::new(LastChanges::new()));
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
            for (marks, now) in last.marks(last.times(&*self.clock)) {
                marks.raise(subject, now);
            }
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
            for (marks, now) in last.marks(last.times(&*self.clock)) {
                marks.raise_everything(now);
            }
        }
    }

    /// On a replica, where one will do, and otherwise in the store.
    pub(crate) async fn find(&self, digest: &KeyDigest, prefix: &str) -> Result<Read<S>, StoreError> {
        if let Some(last) = &self.last_changes {
            let (times, at) = (last.times(&*self.clock), Moment::of(&*self.clock));
            let found = self.store.find_on_replica(KeyLookup::new(digest, prefix)).await?;
            if let Some(FoundOnReplica { candidates, age }) = found
                && candidates.iter().all(|record| last.are_older(&record.head, times, age))
            {
                return Ok(Read { candidates, as_of: Some(at.before(age)) });
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
