//! Issuing, importing and rotating keys; a plaintext is handed out once.

use std::time::Duration;

use crate::key::{
    DisplayPrefix, Draft, Imported, Issued, KeyDigest, KeyId, KeyRecord, OwnerId, PrepareError, Prepared,
    PreparedRotation, Rotated, Schema,
};
use crate::service::cache::Changing;
use crate::service::{Keys, KeysError};
use crate::store::StoreError;
use crate::time::Timestamp;

impl<S: Schema> Keys<S> {
    /// Makes a key and stores it.
    ///
    /// # Errors
    /// [`KeysError::Prepare`] when the draft's expiry has passed or randomness failed; [`KeysError::Store`].
    pub async fn issue(&self, draft: impl Into<Draft<S>> + Send) -> Result<Issued<S>, KeysError> {
        let prepared = self.prepare(draft)?;
        self.shared.source.store.insert(prepared.record()).await?;
        Ok(self.committed(prepared.stored()))
    }

    /// Makes a key without storing it, to be issued inside the host's own transaction: pass it to the SQL store's
    /// `within(…).issue(…)`.
    ///
    /// # Errors
    /// [`PrepareError`] when the draft's expiry has passed or randomness failed.
    pub fn prepare(&self, draft: impl Into<Draft<S>>) -> Result<Prepared<S>, PrepareError> {
        let draft = self.signed(draft.into())?;
        let now = self.now();
        self.shared.random.with(|random| Prepared::new(draft, self.schema(), random, now))
    }

    /// Takes over a key that another service made, known by its digest (SHA-256 of the whole key) and its first
    /// characters, so that it keeps working without being issued again. Which formats such keys may have is declared
    /// by the schema.
    ///
    /// `prefix` is stored and logged in clear: pass the first few characters and never the whole key.
    ///
    /// Never import keys that people made up: a digest protects only what cannot be guessed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the digest is there already; [`StoreError::Unsupported`] when the schema declares
    /// no foreign format; [`KeysError::Prepare`]; [`KeysError::Store`].
    pub async fn import(
        &self,
        draft: impl Into<Draft<S>> + Send,
        digest: KeyDigest,
        prefix: DisplayPrefix,
    ) -> Result<Imported<S>, KeysError> {
        if self.schema().formats().foreign().is_empty() {
            return Err(StoreError::Unsupported("the schema declares no foreign format of keys").into());
        }
        let draft = self.signed(draft.into())?;
        let now = self.now();
        let schema = self.schema();
        let imported = self.shared.random.with(|random| Imported::new(draft, digest, prefix, schema, random, now))?;
        let _in_doubt = self.in_doubt(Changing::Digest(&digest));
        self.shared.source.store.insert(&imported.record).await?;
        let head = &imported.record.head;
        tracing::info!(event = "key.imported", key_id = %head.id, prefix = %head.prefix, owner = %head.owner);
        Ok(imported)
    }

    /// Notes who issues the key, where the schema records that, and refuses what it cannot hold.
    fn signed(&self, mut draft: Draft<S>) -> Result<Draft<S>, PrepareError> {
        if draft.expires_at.is_some() && !self.shared.source.store.abilities().expiry {
            return Err(PrepareError::NoExpiry);
        }
        draft.created_by = if S::VERSIONED { draft.created_by.or_else(|| self.by.clone()) } else { None };
        Ok(draft)
    }

    /// Replaces a live key by a new one with the same owner and details. The old key stays accepted for `grace`, or
    /// until its own expiry if that comes first; with a `grace` of zero, as for a leaked key, it is dead at once.
    ///
    /// The new key expires at `expires_at`, or when the old one would have. A key is rotated once: afterwards, rotate
    /// its successor.
    ///
    /// # Errors
    /// [`KeysError::NotFound`]; [`KeysError::Prepare`] when the key is not live; [`KeysError::AlreadyRotated`], which
    /// names the successor; [`StoreError::Conflict`] when a revocation or another change came first.
    pub async fn rotate(
        &self,
        id: &KeyId,
        grace: Duration,
        expires_at: Option<Timestamp>,
    ) -> Result<Rotated<S>, KeysError> {
        self.rotate_of(None, id, grace, expires_at).await
    }

    pub(super) async fn rotate_of(
        &self,
        owner: Option<&OwnerId>,
        id: &KeyId,
        grace: Duration,
        expires_at: Option<Timestamp>,
    ) -> Result<Rotated<S>, KeysError> {
        let predecessor = self.get_of(owner, id).await?;
        let prepared = self.prepare_rotation(predecessor, grace, expires_at)?;
        let _in_doubt = self.in_doubt(Changing::Key(id));
        match self.shared.source.store.rotate(prepared.rotation()).await {
            Ok(successor) => Ok(self.committed(prepared.stored(successor))),
            Err(StoreError::Conflict) => Err(self.explain_conflict(id).await),
            Err(error) => Err(error.into()),
        }
    }

    /// Why a rotation lost: to another rotation, which has a successor to name, or to something else.
    async fn explain_conflict(&self, id: &KeyId) -> KeysError {
        match self.shared.source.store.get(id).await {
            Ok(Some(KeyRecord { head, .. })) => match head.successor {
                Some(successor) => KeysError::AlreadyRotated { successor },
                None => StoreError::Conflict.into(),
            },
            _ => StoreError::Conflict.into(),
        }
    }

    /// Makes the successor of `predecessor` without storing it, to rotate inside the host's own transaction: pass it
    /// to the SQL store's `within(…).rotate(…)`.
    ///
    /// # Errors
    /// [`PrepareError`] when the key is not live, was rotated already, the expiry has passed, or randomness failed.
    pub fn prepare_rotation(
        &self,
        predecessor: KeyRecord<S>,
        grace: Duration,
        expires_at: Option<Timestamp>,
    ) -> Result<PreparedRotation<S>, PrepareError> {
        if !self.shared.source.store.abilities().expiry && (expires_at.is_some() || !grace.is_zero()) {
            return Err(PrepareError::NoExpiry);
        }
        let now = self.now();
        let schema = self.schema();
        let prepared = self
            .shared
            .random
            .with(|random| PreparedRotation::new(predecessor, grace, expires_at, schema, random, now))?;
        Ok(if S::VERSIONED { prepared.by(self.by.clone()) } else { prepared })
    }
}
