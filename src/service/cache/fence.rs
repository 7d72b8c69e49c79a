//! Whether what was read earlier may still be relied on.
//!
//! Every change gets a number. Whoever reads takes the number of the last change before they read; what they read is
//! current as long as no later change speaks of the same subject. Since that is asked each time it is relied on, and
//! not when it is put away, it does not matter how late a reader puts it away.
//!
//! This file names nothing else of the crate: `tests/models` compiles it over the atomics of a model checker.

use std::fmt;

/// A number that only grows.
pub(crate) trait Counter {
    fn zero() -> Self;
    fn get(&self) -> u64;
    /// Counts up by one, and returns the new number.
    fn count(&self) -> u64;
    fn raise(&self, to: u64);
}

/// The last change before a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// What changes speak of, by its hash. Different subjects may have the same place; one is then taken for changed when
/// the other is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject(u16);

/// The highest number that was given to each subject, and to everything.
pub(crate) struct Marks<C> {
    everything: C,
    subjects: Box<[C]>,
}

impl<C: Counter> Marks<C> {
    /// With so many places for subjects, 65,536 at most.
    pub(crate) fn new(places: u16) -> Self {
        Self { everything: C::zero(), subjects: (0..places.max(1)).map(|_| C::zero()).collect() }
    }

    pub(crate) fn subject(&self, hash: u64) -> Subject {
        let place = hash % self.subjects.len() as u64;
        // The remainder is less than the number of places, which is a `u16`.
        Subject(u16::try_from(place).unwrap_or_default())
    }

    pub(crate) fn raise(&self, subject: Subject, to: u64) {
        self.subjects[usize::from(subject.0)].raise(to);
    }

    pub(crate) fn raise_everything(&self, to: u64) {
        self.everything.raise(to);
    }

    /// Whether no number of these, nor of everything, is higher than `most`.
    pub(crate) fn are_at_most(&self, most: u64, subjects: &[Subject]) -> bool {
        self.everything.get() <= most
            && subjects.iter().all(|subject| self.subjects[usize::from(subject.0)].get() <= most)
    }
}

pub(crate) struct Fence<C> {
    changes: C,
    /// The last change of each subject.
    last: Marks<C>,
}

impl<C: Counter> Fence<C> {
    /// With so many places for subjects, 65,536 at most.
    pub(crate) fn new(places: u16) -> Self {
        Self { changes: C::zero(), last: Marks::new(places) }
    }

    pub(crate) fn subject(&self, hash: u64) -> Subject {
        self.last.subject(hash)
    }

    /// Taken before a reading begins.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.changes.get())
    }

    /// After this, nothing that was read of `subject` before is current.
    pub(crate) fn changed(&self, subject: Subject) {
        self.last.raise(subject, self.changes.count());
    }

    /// After this, nothing that was read before is current.
    pub(crate) fn everything_changed(&self) {
        self.last.raise_everything(self.changes.count());
    }

    /// Whether no change since `ticket` speaks of any of `subjects`.
    pub(crate) fn is_current(&self, ticket: Ticket, subjects: &[Subject]) -> bool {
        self.last.are_at_most(ticket.0, subjects)
    }
}

impl<C> fmt::Debug for Marks<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks").field("places", &self.subjects.len()).finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for Fence<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence").field("last", &self.last).finish_non_exhaustive()
    }
}
