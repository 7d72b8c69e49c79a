//! From a draft to an issued key: what is stored and what is shown are made together and part at once.

use std::fmt;
use std::time::Duration;

use rand::TryCryptoRng;

use crate::key::{
    Action, Actor, DisplayPrefix, KeyDigest, KeyHead, KeyId, KeyRecord, OwnerId, Receipt, RefusalReason, Schema,
};
use crate::random::RandomUnavailable;
use crate::secret::Secret;
use crate::time::Timestamp;

/// What a caller decides about a new key. The schemas have builders that make one.
#[non_exhaustive]
pub struct Draft<S: Schema> {
    /// Whose key it will be.
    pub owner: OwnerId,
    /// When it will die; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Who issues it, where the schema records that.
    pub created_by: Option<Actor>,
    /// What only its schema records.
    pub details: S::Details,
}

impl<S: Schema> Draft<S> {
    /// A key of `owner` that never expires.
    #[must_use]
    pub const fn new(owner: OwnerId, details: S::Details) -> Self {
        Self { owner, expires_at: None, created_by: None, details }
    }

    fn record(self, id: KeyId, prefix: DisplayPrefix, digest: KeyDigest, now: Timestamp) -> KeyRecord<S> {
        let mut head = KeyHead::new(id, self.owner, prefix, Some(digest));
        head.created_at = Some(now);
        head.created_by = self.created_by;
        head.expires_at = self.expires_at;
        KeyRecord::new(head, self.details)
    }
}

impl<S: Schema> Clone for Draft<S> {
    fn clone(&self) -> Self {
        Self {
            owner: self.owner.clone(),
            expires_at: self.expires_at,
            created_by: self.created_by.clone(),
            details: self.details.clone(),
        }
    }
}

impl<S: Schema> fmt::Debug for Draft<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("owner", &self.owner)
            .field("expires_at", &self.expires_at)
            .field("created_by", &self.created_by)
            .field("details", &self.details)
            .finish()
    }
}

/// A key that exists nowhere yet. Its plaintext comes out only after a store has taken the record.
#[derive(Debug)]
pub struct Prepared<S: Schema> {
    record: KeyRecord<S>,
    secret: Secret,
}

impl<S: Schema> Prepared<S> {
    /// Makes a key of `schema` from `draft`: plaintext, digest, display prefix and identity.
    ///
    /// # Errors
    /// [`PrepareError::ExpiryPassed`] when it would be dead at once; [`PrepareError::WrongOrigin`] when the draft is of
    /// a key to be imported; [`PrepareError::RandomUnavailable`].
    pub fn new<R: TryCryptoRng + ?Sized>(
        draft: Draft<S>,
        schema: &S,
        random: &mut R,
        now: Timestamp,
    ) -> Result<Self, PrepareError> {
        if S::origin(&draft.details) != Action::Issued {
            return Err(PrepareError::WrongOrigin);
        }
        Self::make(draft, schema, random, now)
    }

    /// As [`new`](Self::new), wherever the details come from.
    fn make<R: TryCryptoRng + ?Sized>(
        draft: Draft<S>,
        schema: &S,
        random: &mut R,
        now: Timestamp,
    ) -> Result<Self, PrepareError> {
        if draft.expires_at.is_some_and(|at| at <= now) {
            return Err(PrepareError::ExpiryPassed);
        }
        let format = schema.formats().issued();
        let secret = format.generate(random)?;
        let parsed = format.generated(&secret);
        let id = S::ID_SCHEME.assign(&draft.owner, random, now)?;
        let mut record = draft.record(id, parsed.to_display_prefix(), parsed.digest(), now);
        record.head.version = u64::from(S::VERSIONED);
        schema.begin(&mut record);
        Ok(Self { record, secret })
    }

    /// What a store will hold.
    #[must_use]
    pub const fn record(&self) -> &KeyRecord<S> {
        &self.record
    }

    /// Says that a store has taken the record, in a transaction that may still be rolled back. For authors of stores.
    pub fn stored(self) -> Receipt<Issued<S>> {
        Receipt::new(Issued { record: self.record, secret: self.secret })
    }
}

/// A key that another service made, known by its digest alone. It keeps working without being issued again.
#[derive(Debug)]
#[non_exhaustive]
pub struct Imported<S: Schema> {
    /// What the store holds.
    pub record: KeyRecord<S>,
}

impl<S: Schema> Imported<S> {
    /// Makes the record of a key with this digest, whose first characters are `prefix`.
    ///
    /// # Errors
    /// [`PrepareError::WrongOrigin`] when the draft does not say where the key comes from;
    /// [`PrepareError::DisplayPrefix`] when `prefix` fits no declared format or would show too much of the key;
    /// [`PrepareError::RandomUnavailable`] when no identity could be made.
    pub fn new<R: TryCryptoRng + ?Sized>(
        draft: Draft<S>,
        digest: KeyDigest,
        prefix: DisplayPrefix,
        schema: &S,
        random: &mut R,
        now: Timestamp,
    ) -> Result<Self, PrepareError> {
        if S::origin(&draft.details) != Action::Imported {
            return Err(PrepareError::WrongOrigin);
        }
        if !schema.formats().foreign().iter().any(|format| format.may_show(&prefix)) {
            return Err(PrepareError::DisplayPrefix);
        }
        let id = S::ID_SCHEME.assign(&draft.owner, random, now)?;
        let mut record = draft.record(id, prefix, digest, now);
        record.head.version = u64::from(S::VERSIONED);
        schema.begin(&mut record);
        Ok(Self { record })
    }
}

/// A new key: its record, and its plaintext for the only time.
#[derive(Debug)]
#[non_exhaustive]
pub struct Issued<S: Schema> {
    /// What the store holds.
    pub record: KeyRecord<S>,
    /// The plaintext, which nothing can show again.
    pub secret: Secret,
}

/// Why a key could not be made. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The expiry is not in the future.
    #[error("the expiry must be in the future")]
    ExpiryPassed,
    /// The schema's keys do not expire, so that neither an expiry nor a grace period can be kept.
    #[error("keys of this schema have neither an expiry nor a grace period")]
    NoExpiry,
    /// A draft that names a foreign format is imported, and only such a draft is.
    #[error("a key with a foreign format is imported, and no other one is")]
    WrongOrigin,
    /// The display prefix is not the start of a key of any declared foreign format, or shows too much of it.
    #[error("the display prefix must be the start of a declared foreign format's key and leave 8 characters hidden")]
    DisplayPrefix,
    /// Only a live key can be rotated.
    #[error("only a live key can be rotated: {0}")]
    NotLive(RefusalReason),
    /// A key is rotated once; after that, its successor is.
    #[error("the key was rotated already: its successor is {successor}")]
    AlreadyRotated {
        /// The key that replaced it.
        successor: KeyId,
    },
    /// The generator failed.
    #[error(transparent)]
    RandomUnavailable(#[from] RandomUnavailable),
}

/// The replacement of one key by another, as a store carries it out: all of it or nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rotation<S: Schema> {
    /// The key to retire, as the caller saw it.
    pub predecessor: KeyHead,
    /// When the predecessor dies: the end of the grace period, and never later than its own expiry.
    pub retire_at: Timestamp,
    /// The new key. Its details are those that the caller saw on the predecessor; a store takes them from the
    /// predecessor's row as it is when the rotation happens.
    pub successor: KeyRecord<S>,
    /// The instant of the rotation.
    pub at: Timestamp,
    /// Who rotates it, for the history.
    pub by: Option<Actor>,
    /// Whether the predecessor must still be live; an owner's only key may be replaced dead or alive.
    pub must_be_live: bool,
}

impl<S: Schema> Rotation<S> {
    /// Whether there is no grace period, so that the predecessor is revoked rather than left to expire: a clock that
    /// is behind must not accept it any longer.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.retire_at <= self.at
    }
}

impl<S: Schema> Clone for Rotation<S> {
    fn clone(&self) -> Self {
        Self {
            predecessor: self.predecessor.clone(),
            retire_at: self.retire_at,
            successor: self.successor.clone(),
            at: self.at,
            by: self.by.clone(),
            must_be_live: self.must_be_live,
        }
    }
}

/// A rotation that has not happened yet. The new plaintext comes out only after a store has carried it out.
#[derive(Debug)]
pub struct PreparedRotation<S: Schema> {
    rotation: Rotation<S>,
    secret: Secret,
}

impl<S: Schema> PreparedRotation<S> {
    /// Makes the successor of `predecessor`: same owner and details, a new key, the same expiry unless `expires_at`
    /// names another. The predecessor stays accepted for `grace`, or until its own expiry if that comes first.
    ///
    /// # Errors
    /// [`PrepareError::AlreadyRotated`]; [`PrepareError::NotLive`] when `schema` does not accept the predecessor at
    /// `now`, also because it belongs to another environment; and
    /// the errors of [`Prepared::new`].
    pub fn new<R: TryCryptoRng + ?Sized>(
        predecessor: KeyRecord<S>,
        grace: Duration,
        expires_at: Option<Timestamp>,
        schema: &S,
        random: &mut R,
        now: Timestamp,
    ) -> Result<Self, PrepareError> {
        predecessor.head.standing(now).and_then(|()| schema.admits(&predecessor)).map_err(PrepareError::NotLive)?;
        if let Some(successor) = predecessor.head.successor {
            return Err(PrepareError::AlreadyRotated { successor });
        }
        let draft = Draft {
            owner: predecessor.head.owner.clone(),
            expires_at: expires_at.or(predecessor.head.expires_at),
            created_by: None,
            details: predecessor.details.clone(),
        };
        // The successor of an imported key is one of our own.
        let mut prepared = Prepared::make(draft, schema, random, now)?;
        schema.succeed(&predecessor, &mut prepared.record);
        let grace_end = now.saturating_add(grace);
        let retire_at = predecessor.head.expires_at.map_or(grace_end, |at| at.min(grace_end));
        let rotation = Rotation {
            predecessor: predecessor.head,
            retire_at,
            successor: prepared.record,
            at: now,
            by: None,
            must_be_live: true,
        };
        Ok(Self { rotation, secret: prepared.secret })
    }

    /// The replacement of an owner's only key, dead or alive, by `successor`.
    #[must_use]
    pub fn replacing(predecessor: KeyHead, successor: Prepared<S>, now: Timestamp) -> Self {
        let rotation = Rotation {
            predecessor,
            retire_at: now,
            successor: successor.record,
            at: now,
            by: None,
            must_be_live: false,
        };
        Self { rotation, secret: successor.secret }
    }

    /// The same replacement, only of a key that is live.
    #[must_use]
    pub const fn while_live(mut self) -> Self {
        self.rotation.must_be_live = true;
        self
    }

    /// The same rotation, with who makes it.
    #[must_use]
    pub fn by(mut self, actor: Option<Actor>) -> Self {
        self.rotation.successor.head.created_by.clone_from(&actor);
        self.rotation.by = actor;
        self
    }

    /// What a store will carry out.
    #[must_use]
    pub const fn rotation(&self) -> &Rotation<S> {
        &self.rotation
    }

    /// Says that a store has carried the rotation out and holds `successor`, in a transaction that may still be rolled
    /// back. For authors of stores.
    pub fn stored(self, successor: KeyRecord<S>) -> Receipt<Rotated<S>> {
        Receipt::new(Rotated {
            predecessor: self.rotation.predecessor.id,
            accepted_until: self.rotation.retire_at,
            successor: Issued { record: successor, secret: self.secret },
        })
    }
}

/// A rotation that has happened.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rotated<S: Schema> {
    /// The key that was retired.
    pub predecessor: KeyId,
    /// Until when the retired key is still accepted.
    pub accepted_until: Timestamp,
    /// The new key and its plaintext.
    pub successor: Issued<S>,
}
