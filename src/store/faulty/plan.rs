//! Which call meets which fault: a script for each kind of call, and chance for the rest.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// It is not made, and says [`StoreError::Unavailable`](crate::store::StoreError::Unavailable).
    Unavailable,
    /// It is not made, and says [`StoreError::Backend`](crate::store::StoreError::Backend).
    Backend,
    /// It is not made, and says [`StoreError::Denied`](crate::store::StoreError::Denied).
    Denied,
    /// It is made, and says [`StoreError::Unavailable`](crate::store::StoreError::Unavailable) where it has succeeded:
    /// the connection was lost after the commit.
    AnswerLost,
    /// It is made twice, and says what the second attempt says: somebody on the way tried again.
    Repeated,
    /// It is not made and never answers, until the caller drops it.
    Unanswered,
    /// It is made and never answers, until the caller drops it.
    MadeAndUnanswered,
    /// It is made after this time, see [`Faulty::waiting`](super::Faulty::waiting).
    Delayed(Duration),
    /// It is made at once and answers after this time, with what was so when it was made.
    AnswerDelayed(Duration),
    /// No last use is written, because others hold all rows locked. Of another call than [`Call::Touch`](super::Call::Touch), it is
    /// [`Fault::Unavailable`].
    Busy,
    /// No last use is written, because the database refuses each row. Of another call than [`Call::Touch`](super::Call::Touch), it is
    /// [`Fault::Backend`].
    Refused,
}

#[derive(Debug)]
pub(super) struct Plan<C> {
    scripts: HashMap<C, VecDeque<Option<Fault>>>,
    chance: Option<Chance>,
    pub(super) met: Vec<(C, Fault)>,
}

impl<C> Default for Plan<C> {
    fn default() -> Self {
        Self { scripts: HashMap::new(), chance: None, met: Vec::new() }
    }
}

#[derive(Debug)]
struct Chance {
    random: StdRng,
    one_in: u32,
    faults: Vec<Fault>,
}

impl<C: Copy + Eq + Hash> Plan<C> {
    pub(super) fn script(&mut self, call: C, fault: Option<Fault>) {
        self.scripts.entry(call).or_default().push_back(fault);
    }

    pub(super) fn chance(&mut self, seed: u64, one_in: u32, faults: &[Fault]) {
        let is_possible = one_in > 0 && !faults.is_empty();
        let chance = || Chance { random: StdRng::seed_from_u64(seed), one_in, faults: faults.to_vec() };
        self.chance = is_possible.then(chance);
    }

    pub(super) fn heal(&mut self) {
        self.scripts.clear();
        self.chance = None;
    }

    /// The fault of a call that is made now.
    pub(super) fn fault_of(&mut self, call: C) -> Option<Fault> {
        let scripted = self.scripts.get_mut(&call).and_then(VecDeque::pop_front);
        let fault = scripted.unwrap_or_else(|| self.chance.as_mut().and_then(Chance::fault));
        self.met.extend(fault.map(|fault| (call, fault)));
        fault
    }
}

impl Chance {
    fn fault(&mut self) -> Option<Fault> {
        let is_due = self.random.random_range(0..self.one_in) == 0;
        is_due.then(|| self.faults[self.random.random_range(0..self.faults.len())])
    }
}
