//! What a store is asked: lookups, changes and searches. All of them can grow without breaking a store.

use std::fmt;
use std::time::Duration;

use crate::key::{Actor, DisplayPrefix, Environment, KeyDigest, KeyId, KeyName, OwnerId, Reason};
use crate::time::Timestamp;

/// What is known of a presented key when it is looked up.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct KeyLookup<'k> {
    /// The digest of the whole key.
    pub digest: &'k KeyDigest,
    /// Its first characters, for tables that are looked up by them.
    pub prefix: &'k str,
}

impl<'k> KeyLookup<'k> {
    /// The key with this digest and these first characters.
    #[must_use]
    pub const fn new(digest: &'k KeyDigest, prefix: &'k str) -> Self {
        Self { digest, prefix }
    }
}

impl fmt::Debug for KeyLookup<'_> {
    /// Leaves the prefix out: it could be the whole of a very short key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLookup").field("digest", self.digest).finish_non_exhaustive()
    }
}

/// The revocation of one key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevokeRequest {
    /// Which key.
    pub id: KeyId,
    /// Whose key it has to be; a key of another owner is not found.
    pub owner: Option<OwnerId>,
    /// The digest that the caller saw, so that a key which has taken the same identity since is not hit; `None`
    /// revokes whichever key has the identity now.
    pub digest: Option<KeyDigest>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<Reason>,
    /// By whom, for the history.
    pub by: Option<Actor>,
}

impl RevokeRequest {
    /// The revocation of whichever key has this identity, at this time.
    #[must_use]
    pub const fn new(id: KeyId, at: Timestamp) -> Self {
        Self { id, owner: None, digest: None, at, reason: None, by: None }
    }

    /// Only if it is a key of `owner`.
    #[must_use]
    pub fn of(self, owner: OwnerId) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// Only if the key has this digest; with `None`, whatever it has.
    #[must_use]
    pub fn seen(self, digest: Option<KeyDigest>) -> Self {
        Self { digest, ..self }
    }

    /// For this reason.
    #[must_use]
    pub fn because(self, reason: Option<Reason>) -> Self {
        Self { reason, ..self }
    }

    /// By this actor.
    #[must_use]
    pub fn by(self, by: Option<Actor>) -> Self {
        Self { by, ..self }
    }
}

/// The revocation of all keys of an owner.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevokeAllRequest {
    /// Whose keys.
    pub owner: OwnerId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<Reason>,
    /// By whom, for the history.
    pub by: Option<Actor>,
}

impl RevokeAllRequest {
    /// The revocation of the keys of `owner` at this time.
    #[must_use]
    pub const fn new(owner: OwnerId, at: Timestamp) -> Self {
        Self { owner, at, reason: None, by: None }
    }

    /// For this reason.
    #[must_use]
    pub fn because(self, reason: Option<Reason>) -> Self {
        Self { reason, ..self }
    }

    /// By this actor.
    #[must_use]
    pub fn by(self, by: Option<Actor>) -> Self {
        Self { by, ..self }
    }
}

/// Whether a key is accepted at a time, and if not, why: what lists are filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum KeyState {
    /// It is accepted.
    Active,
    /// It is switched off.
    Disabled,
    /// Its expiry has passed.
    Expired,
    /// It is revoked.
    Revoked,
}

impl KeyState {
    /// The state in one lowercase word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// Which keys are meant: those that meet every condition that is set. Without a condition, all keys are.
///
/// ```
/// use keyward::key::OwnerId;
/// use keyward::store::{KeyFilter, KeyState};
///
/// let filter = KeyFilter::new().of(OwnerId::new("acme")?).in_state(KeyState::Active);
/// assert!(filter.is_more_than_owner());
/// # Ok::<(), keyward::key::InvalidText>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyFilter {
    /// Keys of this owner.
    pub owner: Option<OwnerId>,
    /// Keys whose identity or display prefix starts with this, letter for letter.
    pub starting_with: Option<String>,
    /// Keys in this state, see [`ListRequest::at`].
    pub state: Option<KeyState>,
    /// Keys of this environment.
    pub environment: Option<Environment>,
    /// Keys with exactly this name.
    pub name: Option<KeyName>,
    /// Keys that expire before this instant.
    pub expiring_before: Option<Timestamp>,
    /// Keys that were not used since this instant, or never.
    pub unused_since: Option<Timestamp>,
}

impl KeyFilter {
    /// All keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keys of `owner`.
    #[must_use]
    pub fn of(self, owner: OwnerId) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// Keys whose identity or display prefix starts with `start`, letter for letter.
    #[must_use]
    pub fn starting_with(self, start: impl Into<String>) -> Self {
        Self { starting_with: Some(start.into()), ..self }
    }

    /// Keys in this state.
    #[must_use]
    pub fn in_state(self, state: KeyState) -> Self {
        Self { state: Some(state), ..self }
    }

    /// Keys of this environment.
    #[must_use]
    pub fn in_environment(self, environment: Environment) -> Self {
        Self { environment: Some(environment), ..self }
    }

    /// Keys with exactly this name.
    #[must_use]
    pub fn named(self, name: KeyName) -> Self {
        Self { name: Some(name), ..self }
    }

    /// Keys that expire before `at`, dead ones included.
    #[must_use]
    pub fn expiring_before(self, at: Timestamp) -> Self {
        Self { expiring_before: Some(at), ..self }
    }

    /// Keys that were not used since `at`, or never.
    #[must_use]
    pub fn unused_since(self, at: Timestamp) -> Self {
        Self { unused_since: Some(at), ..self }
    }

    /// Whether it has a condition beside the owner and the start, which every store can answer.
    #[must_use]
    pub fn is_more_than_owner(&self) -> bool {
        let Self { owner, starting_with: _, state, environment, name, expiring_before, unused_since } = self;
        owner.is_none()
            || state.is_some()
            || environment.is_some()
            || name.is_some()
            || expiring_before.is_some()
            || unused_since.is_some()
    }
}

/// One page of keys.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListRequest {
    /// Which keys.
    pub filter: KeyFilter,
    /// How many records at most.
    pub limit: u32,
    /// The last key of the page before; the page starts behind it.
    pub after: Option<KeyId>,
    /// The instant at which states are looked at.
    pub at: Timestamp,
}

impl ListRequest {
    /// The first page of the keys that `filter` names, as they are at `at`.
    #[must_use]
    pub const fn new(filter: KeyFilter, limit: u32, at: Timestamp) -> Self {
        Self { filter, limit, after: None, at }
    }

    /// The page behind the key `after`.
    #[must_use]
    pub fn after(self, after: Option<KeyId>) -> Self {
        Self { after, ..self }
    }
}

/// One use of one key. The digest says which key it was, even where its identity has passed to a successor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUse {
    /// Which key.
    pub id: KeyId,
    /// Its digest.
    pub digest: KeyDigest,
    /// When it was accepted.
    pub at: Timestamp,
}

impl KeyUse {
    /// The key with this identity and digest was accepted at `at`.
    #[must_use]
    pub const fn new(id: KeyId, digest: KeyDigest, at: Timestamp) -> Self {
        Self { id, digest, at }
    }

    /// Whether a store writes this use over the one that it has: last use moves forward, and back only from where it
    /// cannot have been, more than [`CLOCK_TOLERANCE`] ahead of this use.
    #[must_use]
    pub fn replaces(&self, stored: Option<Timestamp>) -> bool {
        stored.is_none_or(|stored| stored < self.at || stored > self.at.saturating_add(CLOCK_TOLERANCE))
    }
}

/// How far the clocks of two processes may differ before the later of two uses is taken for a mistake: a day.
pub const CLOCK_TOLERANCE: Duration = Duration::from_hours(24);

/// What became of uses that a store was asked to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Touched {
    /// How many rows were written.
    pub written: u64,
    /// Uses of keys whose rows somebody else holds locked; another attempt will write them.
    pub busy: Vec<KeyUse>,
    /// Uses that the database refuses to write, each for its own row's sake; another attempt meets the same refusal.
    pub refused: Vec<KeyUse>,
}

impl Touched {
    /// So many rows were written, and nothing is left over.
    #[must_use]
    pub const fn written(written: u64) -> Self {
        Self { written, busy: Vec::new(), refused: Vec::new() }
    }
}

/// The removal of keys that have been dead for long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PurgeRequest {
    /// Keys that were revoked, or expired, before this instant.
    pub dead_before: Timestamp,
    /// How many at most, so that each transaction is short.
    pub limit: u32,
}

impl PurgeRequest {
    /// At most `limit` keys that were dead before `dead_before`.
    #[must_use]
    pub const fn new(dead_before: Timestamp, limit: u32) -> Self {
        Self { dead_before, limit }
    }
}

/// Whether a key's identity or display prefix starts with `start`, letter for letter.
pub(crate) fn starts_with(id: &KeyId, prefix: &DisplayPrefix, start: &str) -> bool {
    id.as_str().starts_with(start) || prefix.as_str().starts_with(start)
}
