//! The verification cache of one [`Keys`](crate::Keys): records by digest, on which each verification decides anew.

mod counter;
mod fence;
mod flight;
mod in_doubt;
mod look_up;
mod moment;
mod policy;
mod step;
mod table;
#[cfg(feature = "tokio")]
mod watch;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, atomic};
use std::time::Duration;

use crate::key::{
    Authenticated, Evidence, KeyDigest, KeyId, KeyRecord, OwnerId, Refusal, RefusalReason, Schema, decide,
};
use crate::time::Clock;
use fence::Fence;
use flight::Flights;
use step::Step;
use table::{Entry, Reading, Table};

pub(crate) use fence::{Marks, Subject};
pub(crate) use in_doubt::InDoubt;
pub(crate) use look_up::Found;
pub(crate) use moment::Moment;
pub use policy::{CachePolicy, OutagePolicy};

/// How many places there are for what changes speak of, of 8 bytes each. Two keys share one now and then, and are read
/// again together.
pub(crate) const PLACES: u16 = 4_096;

#[derive(Debug)]
pub(crate) struct Cache<S: Schema> {
    policy: CachePolicy,
    fence: Fence<atomic::AtomicU64>,
    seed: RandomState,
    /// By the digest itself, which nobody can choose for a key that is accepted.
    accepted: Table<Arc<KeyRecord<S>>>,
    /// By a seeded hash; a record where there is one.
    refused: Table<Option<Arc<KeyRecord<S>>>>,
    flights: Flights<Found<S>>,
    step: Step,
}

/// What a change is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Changing<'c> {
    Key(&'c KeyId),
    Owner(&'c OwnerId),
    Digest(&'c KeyDigest),
}

impl Changing<'_> {
    pub(crate) fn hash(self, seed: &RandomState) -> u64 {
        match self {
            Self::Key(id) => seed.hash_one((0, id.as_str())),
            Self::Owner(owner) => seed.hash_one((1, owner.as_str())),
            Self::Digest(digest) => seed.hash_one((2, digest.as_bytes())),
        }
    }
}

/// A verdict on what was known.
#[derive(Debug)]
pub(crate) struct Recalled<S: Schema> {
    pub(crate) verdict: Result<Authenticated<S>, Refusal>,
    /// Whether the use of the key has not been noted in this second.
    pub(crate) is_to_be_noted: bool,
}

struct Good<S: Schema> {
    record: Arc<KeyRecord<S>>,
    age: Duration,
    is_to_be_noted: bool,
}

impl<S: Schema> Cache<S> {
    pub(crate) fn new(policy: CachePolicy) -> Self {
        Self {
            policy,
            fence: Fence::new(PLACES),
            seed: RandomState::new(),
            accepted: Table::new(policy.capacity),
            refused: Table::new(policy.refusals),
            flights: Flights::new(),
            step: Step::default(),
        }
    }

    fn subject(&self, changing: Changing<'_>) -> Subject {
        self.fence.subject(changing.hash(&self.seed))
    }

    /// What changes can speak of that concern this digest, and this record with it.
    fn subjects(&self, digest: &KeyDigest, record: Option<&KeyRecord<S>>) -> [Subject; 3] {
        let digest = self.subject(Changing::Digest(digest));
        match record {
            Some(KeyRecord { head, .. }) => {
                [digest, self.subject(Changing::Key(&head.id)), self.subject(Changing::Owner(&head.owner))]
            }
            None => [digest; 3],
        }
    }

    /// Nothing that was read of it before counts from now on.
    pub(crate) fn changed(&self, changing: Changing<'_>) {
        self.fence.changed(self.subject(changing));
    }

    /// Nothing that was read before counts from now on.
    pub(crate) fn everything_changed(&self) {
        self.fence.everything_changed();
    }

    /// To be taken before the store is asked.
    fn reading(&self, clock: &dyn Clock) -> Reading {
        Reading { ticket: self.fence.ticket(), at: Moment::of(clock) }
    }

    /// How old a record may be.
    fn longest_age(&self, at: Moment) -> Duration {
        let CachePolicy { max_age, unwatched_max_age, bound, .. } = self.policy;
        if self.step.is_kept(at, bound) { max_age } else { unwatched_max_age.min(max_age) }
    }

    /// What is known already, if it is.
    pub(crate) fn recall(&self, schema: &S, digest: &KeyDigest, at: Moment) -> Option<Recalled<S>> {
        let max_age = self.longest_age(at);
        if max_age.is_zero() {
            return None;
        }
        if let Some(Good { record, age, is_to_be_noted }) = self.good_record(digest, at, max_age)
            && let Ok(accepted) = decide(schema, [record], digest, at.now)
        {
            return Some(Recalled { verdict: Ok(accepted.on(Evidence::Cached { age })), is_to_be_noted });
        }
        let max_age = max_age.min(self.policy.refusals_max_age);
        let known = |entry: &Entry<Option<_>>| {
            self.age_of(entry, at, max_age).filter(|_| !max_age.is_zero()).map(|_| entry.value.clone())
        };
        let refusal = match self.refused.get(self.spread(digest), digest, known).flatten()? {
            None => Refusal::new(RefusalReason::Unknown),
            // Whether it is good again is for the store to say.
            Some(record) => decide(schema, [record], digest, at.now).err()?,
        };
        Some(Recalled { verdict: Err(refusal), is_to_be_noted: false })
    }

    /// What the outage policy lets through while the store cannot answer.
    pub(crate) fn stand_in(&self, schema: &S, digest: &KeyDigest, at: Moment) -> Option<Authenticated<S>> {
        let OutagePolicy::AcceptWithin(max_age) = self.policy.outage else { return None };
        let Good { record, age, .. } = self.good_record(digest, at, max_age)?;
        let accepted = decide(schema, [record], digest, at.now).ok()?;
        Some(accepted.on(Evidence::StaleOnOutage { age }))
    }

    /// A record that was good when it was read, no longer ago than `max_age`.
    fn good_record(&self, digest: &KeyDigest, at: Moment, max_age: Duration) -> Option<Good<S>> {
        let known = |entry: &Entry<_>| {
            let age = self.age_of(entry, at, max_age)?;
            Some(Good { record: Arc::clone(&entry.value), age, is_to_be_noted: entry.is_to_be_noted(at) })
        };
        self.accepted.get(place(digest), digest, known).flatten()
    }

    /// How old an entry is, unless it is older than `max_age` or something was changed since.
    fn age_of<T>(&self, entry: &Entry<T>, at: Moment, max_age: Duration) -> Option<Duration> {
        let age = at.age_of(entry.read.at);
        (age <= max_age && self.fence.is_current(entry.read.ticket, &entry.subjects)).then_some(age)
    }

    /// Remembers what the store said.
    fn keep(&self, schema: &S, digest: &KeyDigest, read: Reading, candidates: &[Arc<KeyRecord<S>>], at: Moment) {
        let (place, spread) = (place(digest), self.spread(digest));
        if let Ok(accepted) = decide(schema, candidates.iter().cloned(), digest, at.now) {
            let value = Arc::clone(accepted.record());
            let subjects = self.subjects(digest, Some(&value));
            self.accepted.put(place, digest, Entry::new(read, subjects, value));
            self.refused.remove_read_by(spread, digest, read);
            // Who keeps a refusal that was read later looks here afterwards, and so one of the two finds the other.
            let refused_at = self.refused.get(spread, digest, |refused| refused.read);
            if refused_at.is_some_and(|refused_at| read.is_before(refused_at)) {
                self.accepted.remove_read_by(place, digest, read);
            }
        } else {
            let value = candidates.iter().rfind(|record| record.head.digest.as_ref() == Some(digest)).cloned();
            let subjects = self.subjects(digest, value.as_deref());
            self.refused.put(spread, digest, Entry::new(read, subjects, value));
            self.accepted.remove_read_by(place, digest, read);
        }
    }

    /// Digests are spread evenly, but whoever presents made-up keys can choose among them.
    fn spread(&self, digest: &KeyDigest) -> u64 {
        self.seed.hash_one(digest.as_bytes())
    }
}

/// The start of a digest.
fn place(digest: &KeyDigest) -> u64 {
    digest.as_bytes().first_chunk().map_or(0, |start| u64::from_be_bytes(*start))
}
