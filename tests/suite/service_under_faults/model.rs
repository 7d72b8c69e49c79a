//! What a caller can know of its keys from the answers that it got.

use keyward::Timestamp;
use keyward::key::{KeyDigest, KeyId, RefusalReason};

/// Whether something is so, as far as the answers say. A change whose answer was lost may have been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    No,
    Perhaps,
    Yes,
}

impl Known {
    /// After a change towards `to` whose answer was lost.
    pub(super) fn lost(&mut self, to: Self) {
        if *self != to {
            *self = Self::Perhaps;
        }
    }
}

/// A key that was handed out.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) presented: String,
    pub(super) id: KeyId,
    pub(super) digest: KeyDigest,
    pub(super) owner: usize,
    pub(super) revoked: Known,
    pub(super) revoked_at: Option<Timestamp>,
    pub(super) disabled: Known,
    pub(super) rotated: Known,
    /// When it certainly dies.
    pub(super) dies_at: Option<Timestamp>,
    /// When it may die at the earliest.
    pub(super) may_die_at: Option<Timestamp>,
    /// The latest acceptance since the service was started.
    pub(super) accepted_at: Option<Timestamp>,
}

impl Key {
    pub(super) const fn new(presented: String, id: KeyId, digest: KeyDigest, owner: usize) -> Self {
        Self {
            presented,
            id,
            digest,
            owner,
            revoked: Known::No,
            revoked_at: None,
            disabled: Known::No,
            rotated: Known::No,
            dies_at: None,
            may_die_at: None,
            accepted_at: None,
        }
    }

    /// It was accepted.
    pub(super) fn accepted(&mut self, now: Timestamp) {
        self.lives(now);
        self.accepted_at = self.accepted_at.max(Some(now));
    }

    /// It is live by what was said of it: whatever was not certain was not so.
    pub(super) fn lives(&mut self, now: Timestamp) {
        assert_ne!(self.revoked, Known::Yes, "a key is accepted that was reported revoked");
        assert_ne!(self.disabled, Known::Yes, "a key is accepted that was reported switched off");
        assert!(self.dies_at.is_none_or(|at| now < at), "a key is accepted after its grace period");
        (self.revoked, self.disabled) = (Known::No, Known::No);
    }

    /// It was refused for this reason, which has to be a true one.
    pub(super) fn refused(&mut self, reason: RefusalReason, now: Timestamp) {
        match reason {
            RefusalReason::Revoked => {
                assert_ne!(self.revoked, Known::No, "a key is said to be revoked, and nobody revoked it");
                self.revoked = Known::Yes;
            }
            RefusalReason::Disabled => {
                assert_ne!(self.disabled, Known::No, "a key is said to be off, and nobody switched it off");
                self.disabled = Known::Yes;
            }
            RefusalReason::Expired => {
                assert!(self.may_die_at.is_some_and(|at| at <= now), "a key is said to be dead before its time");
            }
            other => panic!("a key that was handed out is refused as `{}`", other.code()),
        }
        if self.revoked == Known::Yes {
            assert_eq!(reason, RefusalReason::Revoked, "a revocation comes before everything else");
        }
    }

    /// It was reported revoked at this time, for the first time or again.
    pub(super) fn reported_revoked(&mut self, at: Option<Timestamp>) {
        self.revoked = Known::Yes;
        if self.revoked_at.is_some() {
            assert_eq!(at, self.revoked_at, "the first time of a revocation is kept");
        }
        self.revoked_at = at;
    }

    /// It was rotated, or may have been, and may die at `at`.
    pub(super) fn may_die(&mut self, at: Timestamp) {
        self.may_die_at = Some(self.may_die_at.map_or(at, |earlier| earlier.min(at)));
    }
}
