//! What a promise is tested with: owners, keys and times of its own, and words for what went wrong.

use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::key::{
    Actor, ChangeError, Draft, FieldChange, KeyChange, KeyDigest, KeyHead, KeyId, KeyRecord, OwnerId, Prepared,
    PreparedRotation, Reason, Rotation, Schema, Status, Update,
};
use crate::store::conformance::Subject;
use crate::store::{Abilities, KeyLookup, KeyStore, KeyUse, RevokeRequest, StoreError};
use crate::time::Timestamp;

pub(super) type Record<S> = KeyRecord<<S as Subject>::Schema>;

/// Makes what the test of one promise needs: owners of its own, a clock that never stands still, and keys that are the
/// same in every run.
pub(super) struct Maker<'s, S> {
    subject: &'s S,
    promise: &'static str,
    random: Mutex<StdRng>,
    start: Timestamp,
    seconds: AtomicU64,
    owners: AtomicU64,
}

/// Making things.
impl<'s, S: Subject> Maker<'s, S> {
    pub(super) fn new(subject: &'s S, promise: &'static str) -> Self {
        // 2030, with a fraction that a store must not lose.
        Self::at(subject, promise, Timestamp::from_micros(1_900_000_000_123_456))
    }

    pub(super) fn at(subject: &'s S, promise: &'static str, start: Timestamp) -> Self {
        let seed = promise.bytes().fold(17, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        Self { subject, promise, random, start, seconds: AtomicU64::new(0), owners: AtomicU64::new(0) }
    }

    pub(super) const fn subject(&self) -> &'s S {
        self.subject
    }

    pub(super) fn store(&self) -> &'s dyn KeyStore<Schema = S::Schema> {
        self.subject.store()
    }

    pub(super) fn abilities(&self) -> Abilities {
        self.store().abilities()
    }

    /// A later instant at every call.
    pub(super) fn now(&self) -> Timestamp {
        self.start.saturating_add(Duration::from_secs(self.seconds.fetch_add(1, Ordering::Relaxed)))
    }

    pub(super) async fn owner(&self) -> OwnerId {
        let number = self.owners.fetch_add(1, Ordering::Relaxed);
        let owner = OwnerId::new(format!("did:example:{}-{number}", self.promise)).expect("the name is sound");
        self.subject.add_owner(&owner).await;
        owner
    }

    /// An owner who can have one more key beside `key`: its own, where owners can have several.
    pub(super) async fn owner_beside(&self, key: &Record<S>) -> OwnerId {
        if self.abilities().several_keys_per_owner { key.head.owner.clone() } else { self.owner().await }
    }

    pub(super) fn details(&self) -> <S::Schema as Schema>::Details {
        self.subject.details().into_iter().next().expect("the subject has at least one sample of details")
    }

    pub(super) fn key_with(
        &self,
        owner: &OwnerId,
        expires_at: Option<Timestamp>,
        details: <S::Schema as Schema>::Details,
    ) -> Record<S> {
        let mut draft = Draft::new(owner.clone(), details);
        draft.expires_at = expires_at;
        draft.created_by = self.actor();
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = Prepared::new(draft, self.store().schema(), &mut *random, self.now());
        prepared.expect("the draft is sound").record().clone()
    }

    /// A key that is not stored.
    pub(super) fn key(&self, owner: &OwnerId) -> Record<S> {
        self.key_with(owner, None, self.details())
    }

    /// A key of a new owner, stored.
    pub(super) async fn stored(&self) -> Record<S> {
        let key = self.key(&self.owner().await);
        self.insert(&key).await;
        key
    }

    pub(super) fn rotation(&self, predecessor: Record<S>, grace: Duration) -> Rotation<S::Schema> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let schema = self.store().schema();
        let prepared = PreparedRotation::new(predecessor, grace, None, schema, &mut *random, self.now());
        prepared.expect("the predecessor is live").by(self.actor()).rotation().clone()
    }

    /// A change of the details and, where keys can have one, of the expiry.
    pub(super) fn change(&self, seen: &Record<S>) -> KeyChange<S::Schema> {
        let now = self.now();
        let expires_at = self.abilities().expiry.then(|| now.saturating_add(Duration::from_hours(48)));
        let update =
            Another { schema: self.store().schema(), details: self.subject.details().into_iter().nth(1), expires_at };
        let change = KeyChange::update(seen, update, self.actor(), now).expect("the change is sound");
        change.expect("the change names changed fields")
    }

    pub(super) fn disabling(&self, seen: &Record<S>) -> KeyChange<S::Schema> {
        let change = KeyChange::disable(seen, Some(self.any_reason()), self.actor(), self.now());
        change.expect("the change is sound").expect("the key is on")
    }

    pub(super) fn enabling(&self, seen: &Record<S>) -> KeyChange<S::Schema> {
        let change = KeyChange::enable(seen, None, self.actor(), self.now());
        change.expect("the change is sound").expect("the key is off")
    }

    pub(super) fn revocation(&self, key: &Record<S>) -> RevokeRequest {
        RevokeRequest::new(key.head.id.clone(), self.now()).because(self.reason()).by(self.actor())
    }

    /// A reason, where the store can keep one.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.abilities().revocation_reason.then(|| self.any_reason())
    }

    fn any_reason(&self) -> Reason {
        Reason::new(format!("leaked in {}", self.promise)).expect("the reason is sound")
    }

    /// Who makes a change, where the schema records that.
    pub(super) fn actor(&self) -> Option<Actor> {
        S::Schema::VERSIONED.then(|| Actor::new(format!("the \"{}\" test", self.promise)).expect("the actor is sound"))
    }

    /// A grace period, where a rotation can have one.
    pub(super) fn grace(&self) -> Duration {
        if self.abilities().expiry { Duration::from_mins(1) } else { Duration::ZERO }
    }
}

/// Asking the store, and saying what went wrong.
impl<S: Subject> Maker<'_, S> {
    /// Panics unless the promise is kept; `what` says which part of it would be broken.
    #[track_caller]
    pub(super) fn check(&self, kept: bool, what: impl Display) {
        assert!(kept, "{}", self.broken(what));
    }

    #[track_caller]
    pub(super) fn same<T: Debug + PartialEq>(&self, found: &T, promised: &T, what: impl Display) {
        if found != promised {
            self.differs(found, format_args!("{promised:?}"), what);
        }
    }

    #[track_caller]
    pub(super) fn answer<T>(&self, answer: Result<T, StoreError>, what: impl Display) -> T {
        match answer {
            Ok(answer) => answer,
            Err(error) => self.differs(&error, "an answer", what),
        }
    }

    #[track_caller]
    pub(super) fn conflict<T: Debug>(&self, answer: Result<T, StoreError>, what: impl Display) {
        match answer {
            Err(StoreError::Conflict) => {}
            other => self.differs(&other, "Err(Conflict)", what),
        }
    }

    #[track_caller]
    pub(super) fn unsupported<T: Debug>(&self, answer: Result<T, StoreError>, what: impl Display) {
        match answer {
            Err(StoreError::Unsupported(_)) => {}
            other => self.differs(&other, "Err(Unsupported)", what),
        }
    }

    #[track_caller]
    fn differs(&self, found: &dyn Debug, promised: impl Display, what: impl Display) -> ! {
        panic!("{}\n  expected: {promised}\n  found:    {found:?}", self.broken(what));
    }

    /// The promise in words, and which part of it was broken.
    fn broken(&self, what: impl Display) -> String {
        format!("the store breaks its promise: {}\n  namely:   {what}", self.promise.replace('_', " "))
    }

    pub(super) async fn insert(&self, key: &Record<S>) {
        self.answer(self.store().insert(key).await, "a new key can be inserted");
    }

    pub(super) async fn make_change(&self, change: &KeyChange<S::Schema>) {
        self.answer(self.store().change(change).await, "a key that is as the caller saw it can be changed");
    }

    pub(super) async fn rotate(&self, rotation: &Rotation<S::Schema>) {
        self.answer(self.store().rotate(rotation).await, "a live key can be rotated");
    }

    pub(super) async fn revoke(&self, request: &RevokeRequest) {
        let revoked = self.answer(self.store().revoke(request).await, "a key can be revoked");
        self.check(revoked.is_some(), "a key that is there can be revoked");
    }

    pub(super) async fn get(&self, id: &KeyId) -> Option<Record<S>> {
        self.answer(self.store().get(id).await, "a key is found by its identity, or is absent")
    }

    /// The key as a verification sees it, without what a store may leave out there.
    pub(super) async fn find(&self, head: &KeyHead) -> Option<Record<S>> {
        let digest = digest(head);
        let lookup = KeyLookup::new(&digest, head.prefix.as_str());
        let found = self.answer(self.store().find(lookup).await, "a key is found by its digest, or is absent");
        found.into_iter().find(|key| key.head.digest == Some(digest)).map(|key| as_verified(&key))
    }

    /// The key stands in the store just like this, for a verification and for whoever looks at it.
    pub(super) async fn stands(&self, key: &Record<S>, what: impl Display) {
        self.same(&self.find(&key.head).await, &Some(as_verified(key)), format_args!("{what} (found by digest)"));
        self.same(&self.get(&key.head.id).await, &Some(key.clone()), format_args!("{what} (found by identity)"));
    }

    pub(super) async fn absent(&self, head: &KeyHead, what: impl Display) {
        self.check(self.find(head).await.is_none(), what);
    }

    /// The key is found and is not accepted, whenever that is.
    pub(super) async fn refused(&self, head: &KeyHead, what: impl Display) {
        let found = self.find(head).await;
        self.check(found.is_some_and(|key| key.head.standing(self.now()).is_err()), what);
    }
}

pub(super) fn digest(head: &KeyHead) -> KeyDigest {
    head.digest.expect("the suite's keys have digests")
}

pub(super) fn use_of<S: Schema>(key: &KeyRecord<S>, at: Timestamp) -> KeyUse {
    KeyUse::new(key.head.id.clone(), digest(&key.head), at)
}

/// Without what a store may leave out when it finds a key for a verification.
pub(super) fn as_verified<S: Schema>(key: &KeyRecord<S>) -> KeyRecord<S> {
    let mut key = key.clone();
    key.head.successor = None;
    key.head.last_used_at = None;
    if let Status::Revoked(revocation) = &mut key.head.status {
        revocation.reason = None;
    }
    key
}

/// Gives a key other details and another expiry, as far as there are any.
struct Another<'s, S: Schema> {
    schema: &'s S,
    details: Option<S::Details>,
    expires_at: Option<Timestamp>,
}

impl<S: Schema> Update<S> for Another<'_, S> {
    fn apply(self, key: &mut KeyRecord<S>, _at: Timestamp) -> Result<Vec<FieldChange>, ChangeError> {
        if let Some(details) = self.details {
            key.details = details;
            self.schema.begin(key);
        }
        let before = key.head.expires_at.map(|at| at.to_string());
        key.head.expires_at = self.expires_at;
        let after = self.expires_at.map(|at| at.to_string());
        Ok(vec![
            FieldChange::new("expires_at", before, after),
            FieldChange::new("details", Some("first".to_owned()), Some("the \"second\" ✓".to_owned())),
        ])
    }
}
