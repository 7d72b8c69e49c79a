//! What the keys must be like by what a process said, the one change that was under way left open.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use crate::journal::Line;

/// A key of which a process said that it is there.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) owner: String,
    pub(crate) secret: String,
    pub(crate) is_disabled: bool,
    pub(crate) is_revoked: bool,
    /// The key that replaced it, and when it dies, in microseconds.
    pub(crate) rotated: Option<(String, i64)>,
    /// The last use that was said to be written, in microseconds.
    pub(crate) used: Option<i64>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) keys: BTreeMap<String, Known>,
    pub(crate) is_migrated: bool,
    /// What was begun and not said to be done.
    pub(crate) under_way: Option<Line>,
    /// Keys that are there although nobody said so, because the process did not live to say it.
    pub(crate) unsaid: Vec<String>,
}

impl Model {
    pub(crate) fn learn(&mut self, line: Line) {
        self.under_way = None;
        match line {
            Line::Migrated => self.is_migrated = true,
            Line::Issued { id, owner, secret } => self.add(id, owner, secret),
            Line::Rotated { id, until, revokes, successor, secret } => {
                self.known(&id).is_revoked |= revokes;
                let owner = self.known(&id).owner.clone();
                self.known(&id).rotated = Some((successor.clone(), until));
                self.add(successor, owner, secret);
            }
            Line::Disabled { id } => self.known(&id).is_disabled = true,
            Line::Revoked { id } => self.known(&id).is_revoked = true,
            Line::RevokedAll { owner } => {
                self.keys.values_mut().filter(|key| key.owner == owner).for_each(|key| key.is_revoked = true);
            }
            Line::Used { id, at } => self.known(&id).used = Some(at),
            begun => self.under_way = Some(begun),
        }
    }

    fn add(&mut self, id: String, owner: String, secret: String) {
        let known = Known { owner, secret, is_disabled: false, is_revoked: false, rotated: None, used: None };
        assert!(self.keys.insert(id, known).is_none(), "an identity twice");
    }

    pub(crate) fn known(&mut self, id: &str) -> &mut Known {
        self.keys.get_mut(id).expect("a key that was issued")
    }
}

/// What all the processes said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) changes: u64,
    pub(crate) keys: u64,
    /// Kills in the middle of a change, and those after which the change was there.
    pub(crate) under_way: u64,
    pub(crate) arrived: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.changes += more.changes;
        self.keys += more.keys;
        self.under_way += more.under_way;
        self.arrived += more.arrived;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changes, keys, under_way, arrived } = self;
        write!(
            f,
            "{changes} changes said to be done and found so, {keys} keys, {under_way} kills in the middle of a change, \
             {arrived} of which was there as a whole"
        )
    }
}
