//! Which call meets which fault: a script for each kind of call, and chance for the rest.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// A kind of call: a method of [`KeyStore`](crate::store::KeyStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// [`find`](crate::store::KeyStore::find), which a verification makes.
    Find,
    /// [`get`](crate::store::KeyStore::get), with which changes and rotations begin.
    Get,
    /// [`list`](crate::store::KeyStore::list).
    List,
    /// [`count`](crate::store::KeyStore::count).
    Count,
    /// [`owner_exists`](crate::store::KeyStore::owner_exists).
    OwnerExists,
    /// [`insert`](crate::store::KeyStore::insert).
    Insert,
    /// [`rotate`](crate::store::KeyStore::rotate).
    Rotate,
    /// [`change`](crate::store::KeyStore::change).
    Change,
    /// [`revoke`](crate::store::KeyStore::revoke).
    Revoke,
    /// [`revoke_all`](crate::store::KeyStore::revoke_all).
    RevokeAll,
    /// [`touch`](crate::store::KeyStore::touch), which writes last use.
    Touch,
    /// [`history`](crate::store::KeyStore::history).
    History,
    /// [`purge`](crate::store::KeyStore::purge).
    Purge,
}

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
    /// It is made after this time, see [`FaultyStore::waiting`](super::FaultyStore::waiting).
    Delayed(Duration),
    /// No last use is written, because others hold all rows locked. Of another call than [`Call::Touch`], it is
    /// [`Fault::Unavailable`].
    Busy,
    /// No last use is written, because the database refuses each row. Of another call than [`Call::Touch`], it is
    /// [`Fault::Backend`].
    Refused,
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    scripts: HashMap<Call, VecDeque<Option<Fault>>>,
    chance: Option<Chance>,
    pub(super) met: Vec<(Call, Fault)>,
}

#[derive(Debug)]
struct Chance {
    random: StdRng,
    one_in: u32,
    faults: Vec<Fault>,
}

impl Plan {
    pub(super) fn script(&mut self, call: Call, fault: Option<Fault>) {
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
    pub(super) fn fault_of(&mut self, call: Call) -> Option<Fault> {
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
