//! Changing keys after their issue, switching them off and on, their history, and removing dead ones.

use std::time::Duration;

use crate::key::{ChangeError, Changed, HistoryEntry, KeyChange, KeyId, KeyRecord, OwnerId, Reason, Schema, Update};
use crate::service::cache::Changing;
use crate::service::{Keys, KeysError};
use crate::store::{PurgeRequest, StoreError};

impl<S: Schema> Keys<S> {
    /// Gives fields of a key new values. `version` is the one that the caller saw: if somebody changed the key since,
    /// nothing happens. A change of what the key permits is in force at the next verification.
    ///
    /// # Errors
    /// [`KeysError::NotFound`]; [`KeysError::Changed`] with the version that the key has now; [`KeysError::Change`];
    /// [`KeysError::Store`].
    pub async fn update(
        &self,
        id: &KeyId,
        version: u64,
        update: impl Update<S> + Send,
    ) -> Result<Changed<S>, KeysError> {
        self.update_of(None, id, version, update).await
    }

    pub(super) async fn update_of(
        &self,
        owner: Option<&OwnerId>,
        id: &KeyId,
        version: u64,
        update: impl Update<S> + Send,
    ) -> Result<Changed<S>, KeysError> {
        self.change(owner, id, Some(version), |seen, keys| keys.prepare_update(seen, update)).await
    }

    /// Works a change out without making it, to be carried out inside the host's own transaction: pass it to the SQL
    /// store's `within(…).change(…)`. `None` when it would change nothing.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn prepare_update(
        &self,
        seen: &KeyRecord<S>,
        update: impl Update<S>,
    ) -> Result<Option<KeyChange<S>>, ChangeError> {
        KeyChange::update(seen, update, self.by.clone(), self.now())
    }

    /// Switches a key off until it is [enabled](Self::enable) again. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn disable(&self, id: &KeyId, reason: Option<Reason>) -> Result<Changed<S>, KeysError> {
        self.disable_of(None, id, reason).await
    }

    pub(super) async fn disable_of(
        &self,
        owner: Option<&OwnerId>,
        id: &KeyId,
        reason: Option<Reason>,
    ) -> Result<Changed<S>, KeysError> {
        self.change(owner, id, None, |seen, keys| KeyChange::disable(seen, reason, keys.by.clone(), keys.now())).await
    }

    /// Switches a disabled key on again. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn enable(&self, id: &KeyId, reason: Option<Reason>) -> Result<Changed<S>, KeysError> {
        self.enable_of(None, id, reason).await
    }

    pub(super) async fn enable_of(
        &self,
        owner: Option<&OwnerId>,
        id: &KeyId,
        reason: Option<Reason>,
    ) -> Result<Changed<S>, KeysError> {
        self.change(owner, id, None, |seen, keys| KeyChange::enable(seen, reason, keys.by.clone(), keys.now())).await
    }

    /// Reads the key, works the change out, and writes it on condition that the key is still as it was read.
    async fn change(
        &self,
        owner: Option<&OwnerId>,
        id: &KeyId,
        version: Option<u64>,
        work_out: impl FnOnce(&KeyRecord<S>, &Self) -> Result<Option<KeyChange<S>>, ChangeError> + Send,
    ) -> Result<Changed<S>, KeysError> {
        if !self.shared.source.store.abilities().changes {
            let reason = "keys of this schema cannot be changed after their issue";
            return Err(StoreError::Unsupported(reason).into());
        }
        let seen = self.get_of(owner, id).await?;
        if version.is_some_and(|version| version != seen.head.version) {
            return Err(KeysError::Changed { version: seen.head.version });
        }
        let Some(change) = work_out(&seen, self)? else { return Ok(Changed::nothing(seen)) };
        let _in_doubt = self.in_doubt(Changing::Key(id));
        match self.shared.source.store.change(&change).await {
            Ok(()) => Ok(self.committed(change.stored())),
            Err(StoreError::Conflict) => {
                let now = self.get_of(owner, id).await?;
                Err(KeysError::Changed { version: now.head.version })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What was done to a key, oldest first.
    ///
    /// # Errors
    /// [`KeysError::NotFound`]; [`StoreError::Unsupported`] where the schema keeps no history; [`KeysError::Store`].
    pub async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, KeysError> {
        let history = self.shared.source.store.history(id).await?;
        if history.is_empty() {
            self.get_of(None, id).await?;
        }
        Ok(history)
    }

    /// Removes keys that have been dead, revoked or expired, for longer than `retention`, with their history: at most
    /// `limit` of them, so that each transaction is short. Call it until it says 0.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] where the schema leaves that to the host, and the store's other errors.
    pub async fn purge(&self, retention: Duration, limit: u32) -> Result<u64, StoreError> {
        let request = PurgeRequest::new(self.now().saturating_sub(retention), limit);
        let purged = self.shared.source.store.purge(&request).await?;
        if purged > 0 {
            tracing::info!(event = "keys.purged", purged, dead_before = %request.dead_before);
        }
        Ok(purged)
    }
}
