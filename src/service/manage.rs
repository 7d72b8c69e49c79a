//! Looking at keys and revoking them.

use crate::key::{KeyDigest, KeyId, KeyRecord, OwnerId, Revocation, RevocationReason};
use crate::service::{Keys, KeysError};
use crate::store::{KeyStore, PageRequest, RevokeOutcome, RevokeRequest, StoreError};
use crate::time::Timestamp;

/// How many keys a page has unless the caller says otherwise.
pub const DEFAULT_PAGE: u32 = 50;

/// How many characters of an identity or a display prefix name a key.
pub const LEAST_START: usize = 6;

/// Some of an owner's keys, newest first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<D> {
    /// The keys, dead ones included.
    pub keys: Vec<KeyRecord<D>>,
    /// Where the next page starts, if there is one.
    pub next: Option<KeyId>,
}

/// What a revocation did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all the cases there are")]
pub enum Revoked {
    /// This call revoked the key, at this time.
    Now(Timestamp),
    /// The key had been revoked; its first time and reason are kept.
    Before(Revocation),
}

impl<S: KeyStore> Keys<S> {
    /// One key, dead or alive.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn show(&self, id: &KeyId) -> Result<Option<KeyRecord<S::Details>>, StoreError> {
        self.shared.store.get(id).await
    }

    /// Up to `limit` keys of `owner`, newest first, dead ones included; `after` is the [`next`](Page::next) of the page
    /// before.
    ///
    /// # Errors
    /// [`StoreError::UnknownCursor`] when `after` is no key of `owner`, and the store's other errors.
    pub async fn list(
        &self,
        owner: &OwnerId,
        limit: u32,
        after: Option<&KeyId>,
    ) -> Result<Page<S::Details>, StoreError> {
        let limit = limit.max(1);
        // One more than asked for tells whether another page follows.
        let request = PageRequest { owner: owner.clone(), limit: limit.saturating_add(1), after: after.cloned() };
        let mut keys = self.shared.store.list(&request).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).map(|last| last.head.id.clone());
        Ok(Page { keys, next })
    }

    /// The one key of `owner` with this identity, or else the one whose identity or display prefix starts like this:
    /// what an operator has in hand. Every character counts as itself, and keys of other owners are never found.
    ///
    /// # Errors
    /// [`KeysError::NotFound`]; [`KeysError::NotUnique`] when several keys start like this;
    /// [`KeysError::StartTooShort`] below [`LEAST_START`] characters; [`KeysError::Store`].
    pub async fn resolve(&self, owner: &OwnerId, start: &str) -> Result<KeyRecord<S::Details>, KeysError> {
        if let Ok(id) = KeyId::new(start)
            && let Some(key) = self.shared.store.get(&id).await?
            && key.head.owner == *owner
        {
            return Ok(key);
        }
        if start.chars().count() < LEAST_START {
            return Err(KeysError::StartTooShort { least: LEAST_START });
        }
        if start.chars().any(char::is_control) {
            return Err(KeysError::NotFound);
        }
        let mut found = self.shared.store.starting_with(owner, start, 2).await?;
        match found.len() {
            0 => Err(KeysError::NotFound),
            1 => Ok(found.remove(0)),
            _ => Err(KeysError::NotUnique),
        }
    }

    /// Revokes a key for good. Doing it again changes nothing and reports the first time.
    ///
    /// # Errors
    /// [`KeysError::NotFound`]; [`KeysError::Store`].
    pub async fn revoke(&self, id: &KeyId, reason: Option<RevocationReason>) -> Result<Revoked, KeysError> {
        self.revoke_if(id, None, reason).await
    }

    pub(super) async fn revoke_if(
        &self,
        id: &KeyId,
        digest: Option<KeyDigest>,
        reason: Option<RevocationReason>,
    ) -> Result<Revoked, KeysError> {
        let at = self.shared.clock.now();
        let request = RevokeRequest { id: id.clone(), digest, at, reason };
        match self.shared.store.revoke(&request).await? {
            RevokeOutcome::Revoked => {
                let reason = request.reason.as_ref().map(tracing::field::display);
                tracing::info!(event = "key.revoked", key_id = %id, reason);
                Ok(Revoked::Now(at))
            }
            RevokeOutcome::AlreadyRevoked(revocation) => Ok(Revoked::Before(revocation)),
            RevokeOutcome::NotFound => Err(KeysError::NotFound),
        }
    }

    /// Revokes every key of `owner` and says how many were not revoked before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_all(&self, owner: &OwnerId, reason: Option<RevocationReason>) -> Result<u64, StoreError> {
        let revoked = self.shared.store.revoke_all(owner, self.shared.clock.now(), reason.as_ref()).await?;
        let reason = reason.as_ref().map(tracing::field::display);
        tracing::info!(event = "keys.revoked", %owner, revoked, reason);
        Ok(revoked)
    }

    /// Now, by the clock that every method takes the time from.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}
