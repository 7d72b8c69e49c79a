//! Schemas in which an owner has at most one key: issuing another replaces it.

use crate::key::{Draft, Issued, KeyHead, KeyRecord, OwnerId, PrepareError, PreparedRotation, Reason, Revoked, Schema};
use crate::service::cache::Changing;
use crate::service::{Keys, KeysError};
use crate::store::{KeyFilter, Reference, StoreError};

impl<S: Schema> Keys<S> {
    /// The only key of `owner`, dead or alive, if it has one.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when `owner` does not exist, and the store's other errors.
    pub async fn only_key(&self, owner: &OwnerId) -> Result<Option<KeyRecord<S>>, StoreError> {
        let page = self.list(KeyFilter::new().of(owner.clone()), 1, None).await?;
        let key = page.keys.into_iter().next();
        if key.is_none() && !self.shared.source.store.owner_exists(owner).await? {
            return Err(StoreError::Missing(Reference::Owner));
        }
        Ok(key)
    }

    /// Issues the only key of its owner. A key that the owner has is replaced: it is dead from that moment on, and the
    /// new one starts without its revocation and last use.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the owner does not exist; [`StoreError::Conflict`] when somebody else issued a key
    /// at the same time, which stands; [`KeysError::Prepare`].
    pub async fn issue_only(&self, draft: impl Into<Draft<S>> + Send) -> Result<Issued<S>, KeysError> {
        let draft = draft.into();
        let Some(predecessor) = self.only_key(&draft.owner).await? else { return self.issue(draft).await };
        let prepared = self.prepare_replacement(predecessor.head, draft)?;
        let _in_doubt = self.in_doubt(Changing::Key(&prepared.rotation().predecessor.id));
        let successor = self.shared.source.store.rotate(prepared.rotation()).await?;
        Ok(self.committed(prepared.stored(successor)).successor)
    }

    /// Makes the successor of an owner's only key without storing it, to replace it inside the host's own transaction:
    /// pass it to the SQL store's `within(…).rotate(…)`.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub fn prepare_replacement(
        &self,
        predecessor: KeyHead,
        draft: impl Into<Draft<S>>,
    ) -> Result<PreparedRotation<S>, PrepareError> {
        Ok(PreparedRotation::replacing(predecessor, self.prepare(draft)?, self.now()))
    }

    /// Revokes the key that the caller saw, and never one that has taken its place since.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the key was replaced or deleted since; [`KeysError::Store`].
    pub async fn revoke_seen(&self, seen: &KeyHead, reason: Option<Reason>) -> Result<Revoked, KeysError> {
        // A digest that cannot be read cannot be compared; what can be read by now is another key.
        if seen.digest.is_none() && self.get(&seen.id).await?.is_some_and(|key| key.head.digest.is_some()) {
            return Err(KeysError::Store(StoreError::Conflict));
        }
        match self.revoke_if(Some(&seen.owner), &seen.id, seen.digest, reason).await {
            Err(KeysError::NotFound) => Err(KeysError::Store(StoreError::Conflict)),
            outcome => outcome,
        }
    }
}
