//! Issuing and rotating keys; the plaintext is returned once.

use std::time::Duration;

use crate::key::{Draft, Issued, KeyId, KeyRecord, PrepareError, Prepared, PreparedRotation, Rotated};
use crate::service::{Keys, KeysError};
use crate::store::KeyStore;
use crate::time::Timestamp;

impl<S: KeyStore> Keys<S> {
    /// Makes a key and stores it.
    ///
    /// # Errors
    /// [`KeysError::Prepare`] when the draft's expiry has passed or randomness failed; [`KeysError::Store`].
    pub async fn issue(&self, draft: Draft<S::Details>) -> Result<Issued<S::Details>, KeysError> {
        let prepared = self.prepare(draft)?;
        self.shared.store.insert(prepared.record()).await?;
        let issued = prepared.stored();
        let head = &issued.record.head;
        tracing::info!(event = "key.issued", key_id = %head.id, prefix = %head.prefix, owner = %head.owner);
        Ok(issued)
    }

    /// Makes a key without storing it, to be issued inside the host's own transaction: pass it to the SQL store's
    /// `issue_in`, which hands out the plaintext.
    ///
    /// # Errors
    /// [`PrepareError`] when the draft's expiry has passed or randomness failed.
    pub fn prepare(&self, draft: Draft<S::Details>) -> Result<Prepared<S::Details>, PrepareError> {
        let Self { shared } = self;
        if draft.expires_at.is_some() && !shared.store.abilities().expiry {
            return Err(PrepareError::NoExpiry);
        }
        Prepared::new(draft, shared.format, shared.id_scheme, &*shared.random, shared.clock.now())
    }

    /// Replaces a live key by a new one with the same owner and details. The old key stays accepted for `grace`, or
    /// until its own expiry if that comes first; with a `grace` of zero, as for a leaked key, it is dead at once.
    ///
    /// The new key expires at `expires_at`, or when the old one would have. A key is rotated once: afterwards, rotate
    /// its successor.
    ///
    /// # Errors
    /// [`KeysError::NotFound`]; [`KeysError::Prepare`] when the key is not live;
    /// [`StoreError::Conflict`](crate::store::StoreError::Conflict) when another rotation or revocation came first.
    pub async fn rotate(
        &self,
        id: &KeyId,
        grace: Duration,
        expires_at: Option<Timestamp>,
    ) -> Result<Rotated<S::Details>, KeysError> {
        let predecessor = self.shared.store.get(id).await?.ok_or(KeysError::NotFound)?;
        let prepared = self.prepare_rotation(predecessor, grace, expires_at)?;
        self.shared.store.rotate(prepared.rotation()).await?;
        let rotated = prepared.stored();
        let successor = &rotated.successor.record.head;
        tracing::info!(
            event = "key.rotated",
            key_id = %rotated.predecessor,
            accepted_until = %rotated.accepted_until,
            successor_id = %successor.id,
            prefix = %successor.prefix,
            owner = %successor.owner,
        );
        Ok(rotated)
    }

    /// Makes the successor of `predecessor` without storing it, to rotate inside the host's own transaction: pass it
    /// to the SQL store's `rotate_in`, which hands out the plaintext.
    ///
    /// # Errors
    /// [`PrepareError`] when the key is not live, the expiry has passed, or randomness failed.
    pub fn prepare_rotation(
        &self,
        predecessor: KeyRecord<S::Details>,
        grace: Duration,
        expires_at: Option<Timestamp>,
    ) -> Result<PreparedRotation<S::Details>, PrepareError> {
        let Self { shared } = self;
        if !shared.store.abilities().expiry && (expires_at.is_some() || !grace.is_zero()) {
            return Err(PrepareError::NoExpiry);
        }
        let form = (shared.format, shared.id_scheme);
        PreparedRotation::new(predecessor, grace, expires_at, form, &*shared.random, shared.clock.now())
    }
}
