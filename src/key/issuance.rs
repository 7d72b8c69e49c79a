//! From a draft to an issued key: what is stored and what is shown are made together and part at once.

use std::fmt;
use std::time::Duration;

use crate::key::{KeyFormat, KeyHead, KeyId, KeyRecord, OwnerId, RefusalReason, Status};
use crate::random::{RandomSource, RandomUnavailable};
use crate::secret::Secret;
use crate::time::Timestamp;

/// A system whose keys keyward handles: how its keys look, how they are named, and what only it records about them.
pub trait Profile: fmt::Debug + Send + Sync + 'static {
    /// What only this system records about a key.
    type Details: Clone + fmt::Debug + Send + Sync + 'static;

    /// The system's name, in one lowercase word.
    const NAME: &'static str;
    /// The form of its keys.
    const FORMAT: KeyFormat;
    /// How its keys get their identity.
    const ID_SCHEME: IdScheme;
}

/// How a new key gets its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdScheme {
    /// A random UUID (version 4, RFC 9562 section 5.4).
    Uuid,
    /// 32 random characters of `0–9 A–Z a–z`.
    Alphanumeric,
    /// The owner's own identity: each owner has one key.
    Owner,
}

impl IdScheme {
    fn assign(self, owner: &OwnerId, random: &dyn RandomSource) -> Result<KeyId, RandomUnavailable> {
        let id = match self {
            Self::Uuid => {
                let mut bytes = [0; 16];
                random.fill(&mut bytes)?;
                bytes[6] = 0x40 | (bytes[6] & 0x0f);
                bytes[8] = 0x80 | (bytes[8] & 0x3f);
                let text = hex::encode(bytes);
                let groups = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
                groups.join("-")
            }
            Self::Alphanumeric => {
                let mut bytes = [0; 32];
                random.fill(&mut bytes)?;
                // An identity is not secret; the slight bias of the remainder costs it a fraction of a bit.
                let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
                bytes.iter().map(|byte| char::from(alphabet[usize::from(byte % 62)])).collect()
            }
            Self::Owner => owner.as_str().to_owned(),
        };
        Ok(KeyId::from_stored(id))
    }
}

/// What a caller decides about a new key.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a draft is what a caller decides, all of it")]
pub struct Draft<D> {
    /// Whose key it will be.
    pub owner: OwnerId,
    /// When it will die; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// What only its system records.
    pub details: D,
}

/// A key that exists nowhere yet. Its plaintext comes out only after a store has taken the record.
#[derive(Debug)]
pub struct Prepared<D> {
    record: KeyRecord<D>,
    secret: Secret,
}

impl<D: Clone> Prepared<D> {
    /// Makes a key of `format` from `draft`: plaintext, digest, display prefix and identity.
    ///
    /// # Errors
    /// [`PrepareError::ExpiryPassed`] when it would be born dead; [`PrepareError::RandomUnavailable`].
    pub fn new(
        draft: Draft<D>,
        format: KeyFormat,
        id_scheme: IdScheme,
        random: &dyn RandomSource,
        now: Timestamp,
    ) -> Result<Self, PrepareError> {
        if draft.expires_at.is_some_and(|at| at <= now) {
            return Err(PrepareError::ExpiryPassed);
        }
        let secret = format.generate(random)?;
        let generated = format.generated(&secret);
        let head = KeyHead {
            id: id_scheme.assign(&draft.owner, random)?,
            owner: draft.owner,
            prefix: generated.to_display_prefix(),
            digest: Some(generated.digest()),
            created_at: Some(now),
            last_used_at: None,
            expires_at: draft.expires_at,
            status: Status::Active,
            defect: None,
        };
        Ok(Self { record: KeyRecord { head, details: draft.details }, secret })
    }

    /// What a store will hold.
    #[must_use]
    pub const fn record(&self) -> &KeyRecord<D> {
        &self.record
    }

    /// Lets the plaintext out: call it only once the record is stored.
    pub(crate) fn stored(self) -> Issued<D> {
        Issued { record: self.record, secret: self.secret }
    }
}

/// A new key: its record, and its plaintext for the only time.
#[derive(Debug)]
#[non_exhaustive]
pub struct Issued<D> {
    /// What the store holds.
    pub record: KeyRecord<D>,
    /// The plaintext, which nothing can show again.
    pub secret: Secret,
}

/// Why a key could not be made. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The expiry is not in the future.
    #[error("the expiry must be in the future")]
    ExpiryPassed,
    /// The system's keys do not expire, so that neither an expiry nor a grace period can be kept.
    #[error("this system's keys have neither an expiry nor a grace period")]
    NoExpiry,
    /// Only a live key can be rotated.
    #[error("only a live key can be rotated: {0}")]
    NotLive(RefusalReason),
    /// The random source failed.
    #[error(transparent)]
    RandomUnavailable(#[from] RandomUnavailable),
}

/// The replacement of one key by another, as a store carries it out: all of it or nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rotation<D> {
    /// The key to retire, as the caller saw it.
    pub predecessor: KeyHead,
    /// When the predecessor dies: the end of the grace period, and never later than its own expiry.
    pub retire_at: Timestamp,
    /// The new key.
    pub successor: KeyRecord<D>,
    /// The instant of the rotation.
    pub at: Timestamp,
    /// Whether the predecessor must still be live; an owner's only key may be replaced dead or alive.
    pub must_be_live: bool,
}

/// A rotation that has not happened yet. The new plaintext comes out only after a store has carried it out.
#[derive(Debug)]
pub struct PreparedRotation<D> {
    rotation: Rotation<D>,
    secret: Secret,
}

impl<D: Clone> PreparedRotation<D> {
    /// Makes the successor of `predecessor`: same owner and details, a new key, the same expiry unless `expires_at`
    /// names another. The predecessor stays accepted for `grace`, or until its own expiry if that comes first.
    ///
    /// # Errors
    /// [`PrepareError::NotLive`] when the predecessor is not accepted at `now`, and the errors of [`Prepared::new`].
    pub fn new(
        predecessor: KeyRecord<D>,
        grace: Duration,
        expires_at: Option<Timestamp>,
        (format, id_scheme): (KeyFormat, IdScheme),
        random: &dyn RandomSource,
        now: Timestamp,
    ) -> Result<Self, PrepareError> {
        predecessor.head.standing(now).map_err(PrepareError::NotLive)?;
        let draft = Draft {
            owner: predecessor.head.owner.clone(),
            expires_at: expires_at.or(predecessor.head.expires_at),
            details: predecessor.details,
        };
        let successor = Prepared::new(draft, format, id_scheme, random, now)?;
        let grace_end = now.saturating_add(grace);
        let retire_at = predecessor.head.expires_at.map_or(grace_end, |at| at.min(grace_end));
        let rotation = Rotation {
            predecessor: predecessor.head,
            retire_at,
            successor: successor.record,
            at: now,
            must_be_live: true,
        };
        Ok(Self { rotation, secret: successor.secret })
    }

    /// The replacement of an owner's only key, dead or alive, by `successor`.
    #[must_use]
    pub fn replacing(predecessor: KeyHead, successor: Prepared<D>, now: Timestamp) -> Self {
        let rotation =
            Rotation { predecessor, retire_at: now, successor: successor.record, at: now, must_be_live: false };
        Self { rotation, secret: successor.secret }
    }

    /// What a store will carry out.
    #[must_use]
    pub const fn rotation(&self) -> &Rotation<D> {
        &self.rotation
    }

    /// Lets the plaintext out: call it only once the rotation is stored.
    pub(crate) fn stored(self) -> Rotated<D> {
        Rotated {
            predecessor: self.rotation.predecessor.id,
            accepted_until: self.rotation.retire_at,
            successor: Issued { record: self.rotation.successor, secret: self.secret },
        }
    }
}

/// A rotation that has happened.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rotated<D> {
    /// The key that was retired.
    pub predecessor: KeyId,
    /// Until when the retired key is still accepted.
    pub accepted_until: Timestamp,
    /// The new key and its plaintext.
    pub successor: Issued<D>,
}
