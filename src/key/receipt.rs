//! What a change leaves in the hands of its caller until it is certain: [`Receipt`], and the outcomes of revocations.

use std::fmt;

use crate::key::{KeyId, OwnerId, Revocation};

/// A change that was made inside a transaction which may still be rolled back.
///
/// Pass it to [`Keys::committed`](crate::Keys::committed) once the transaction has committed: only then is the change
/// logged, and only then does the plaintext of a new key come out. After a rollback, drop it, and the plaintext of the
/// key that never existed is wiped.
///
/// ```compile_fail,E0609
/// # use keyward::key::{Issued, Receipt, Schema};
/// fn too_early<S: Schema>(receipt: Receipt<Issued<S>>) -> String {
///     receipt.secret.expose_secret().to_owned() // a receipt hands out nothing
/// }
/// ```
///
/// ```
/// # use keyward::key::{Issued, Receipt, Schema};
/// # use keyward::Keys;
/// fn after_the_commit<S: Schema>(keys: &Keys<S>, receipt: Receipt<Issued<S>>) -> String {
///     keys.committed(receipt).secret.expose_secret().to_owned()
/// }
/// ```
#[must_use = "pass it to `Keys::committed` after the transaction has committed"]
pub struct Receipt<T> {
    outcome: T,
}

impl<T> Receipt<T> {
    pub(crate) const fn new(outcome: T) -> Self {
        Self { outcome }
    }

    pub(crate) fn into_outcome(self) -> T {
        self.outcome
    }
}

impl<T> fmt::Debug for Receipt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt(…)")
    }
}

/// What a revocation found. The key is revoked in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Revoked {
    /// Which key.
    pub id: KeyId,
    /// When and why it was revoked for the first time.
    pub revocation: Revocation,
    /// Whether it was revoked before, so that this call changed nothing.
    pub already: bool,
    /// Other keys with the same digest that are not revoked, where a table lets a digest stand in it twice: whoever
    /// holds the plaintext is still let in by these. The first 100 of them.
    pub twins: Vec<KeyId>,
}

impl Revoked {
    /// This call revoked the key.
    #[must_use]
    pub const fn now(id: KeyId, revocation: Revocation) -> Self {
        Self { id, revocation, already: false, twins: Vec::new() }
    }

    /// The key was revoked before.
    #[must_use]
    pub const fn before(id: KeyId, revocation: Revocation) -> Self {
        Self { id, revocation, already: true, twins: Vec::new() }
    }

    /// The same outcome, with the other keys that have the same digest and are not revoked.
    #[must_use]
    pub fn with_twins(self, twins: Vec<KeyId>) -> Self {
        Self { twins, ..self }
    }

    /// As something that happened in a transaction of the host. For authors of stores.
    pub const fn stored(self) -> Receipt<Self> {
        Receipt::new(self)
    }
}

/// The keys of an owner are revoked, but for those that [`remaining`](Self::remaining) names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RevokedAll {
    /// Whose keys.
    pub owner: OwnerId,
    /// How many of them were not revoked before.
    pub count: u64,
    /// Keys that are not revoked all the same, as where a trigger of the database kept a row as it was, or where somebody
    /// else held it for too long. The first 100 of them.
    pub remaining: Vec<KeyId>,
}

impl RevokedAll {
    /// This call revoked so many keys of `owner`.
    #[must_use]
    pub const fn new(owner: OwnerId, count: u64) -> Self {
        Self { owner, count, remaining: Vec::new() }
    }

    /// The same outcome, with the keys that could not be revoked.
    #[must_use]
    pub fn with_remaining(self, remaining: Vec<KeyId>) -> Self {
        Self { remaining, ..self }
    }

    /// As something that happened in a transaction of the host. For authors of stores.
    pub const fn stored(self) -> Receipt<Self> {
        Receipt::new(self)
    }
}
