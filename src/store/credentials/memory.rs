//! The reference store: credentials in memory, for tests, for short-lived programs, and to read the contract from.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::credential::{CredentialHead, CredentialRecord, CredentialState, StoredSecrets};
use crate::key::OwnerId;
use crate::seal::{SealKeyId, StoredSecret};
use crate::store::StoreError;
use crate::store::credentials::{
    Claim, ClaimRequest, CredentialFilter, CredentialListRequest, CredentialStore, MarkRequest, NonceRequest, Over,
    PutRequest, ReleaseRequest, ResealRequest, SaveRequest, Sealing,
};

/// Credentials in memory. They are gone when the last clone of the store is dropped.
#[derive(Clone, Debug, Default)]
pub struct MemoryCredentialStore {
    rows: Arc<Mutex<BTreeMap<OwnerId, CredentialRecord>>>,
}

impl MemoryCredentialStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every change is made in one place under the lock, so a panic elsewhere leaves no half-made one behind.
    fn rows(&self) -> MutexGuard<'_, BTreeMap<OwnerId, CredentialRecord>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the credential of `owner` where it meets a condition, and says whether it did.
    fn change(
        &self,
        owner: &OwnerId,
        condition: impl FnOnce(&CredentialHead) -> bool,
        change: impl FnOnce(&mut CredentialRecord),
    ) -> bool {
        let mut rows = self.rows();
        let Some(record) = rows.get_mut(owner).filter(|record| condition(&record.head)) else { return false };
        change(record);
        true
    }
}

#[async_trait]
impl CredentialStore for MemoryCredentialStore {
    fn schema(&self) -> &'static str {
        "credentials"
    }

    fn sealing(&self) -> Sealing {
        Sealing::Service
    }

    async fn get(&self, owner: &OwnerId) -> Result<Option<CredentialRecord>, StoreError> {
        Ok(self.rows().get(owner).cloned())
    }

    async fn list(&self, request: &CredentialListRequest) -> Result<Vec<CredentialHead>, StoreError> {
        let start = request.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows();
        let found = rows.range((start, Bound::Unbounded)).map(|(_, record)| record);
        let found = found.filter(|record| meets(record, &request.filter)).map(|record| record.head.clone());
        Ok(found.take(usize::try_from(request.limit).unwrap_or(usize::MAX)).collect())
    }

    async fn put(&self, request: &PutRequest) -> Result<(), StoreError> {
        let mut rows = self.rows();
        let mut record = request.record.clone();
        let before = rows.get(&record.head.owner).map(|before| &before.head);
        let is_expected = match request.over {
            Over::Nothing => before.is_none(),
            Over::Generation(generation) => before.is_some_and(|before| before.generation == generation),
            Over::Anything => true,
        };
        if !is_expected {
            return Err(StoreError::Conflict);
        }
        let first = (request.first_version(), request.first_version());
        let (version, generation) = before.map_or(first, |before| (before.version + 1, before.generation + 1));
        let head = &mut record.head;
        (head.version, head.generation, head.lease_until) = (version, generation, None);
        (head.state, head.refreshed_at) = (CredentialState::Active, Some(request.at));
        rows.insert(record.head.owner.clone(), record);
        Ok(())
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        let mut rows = self.rows();
        let Some(record) = rows.get_mut(&request.owner) else { return Ok(Claim::Gone) };
        let head = &mut record.head;
        let is_free = !head.is_leased(request.at);
        let is_claimable = match head.state {
            CredentialState::Active => true,
            CredentialState::Sent { .. } | CredentialState::Uncertain { .. } => request.decided == Some(head.version),
            CredentialState::Ended { .. } => false,
        };
        if !(is_free && is_claimable && head.is_refreshable) {
            return Ok(Claim::Lost(Box::new(record.clone())));
        }
        head.version += 1;
        head.lease_until = Some(request.until);
        if let CredentialState::Sent { at: since } = head.state {
            head.state = CredentialState::Uncertain { since };
        }
        Ok(Claim::Won(Box::new(record.clone())))
    }

    async fn mark(&self, request: &MarkRequest) -> Result<bool, StoreError> {
        let holds = |head: &CredentialHead| {
            let is_unsent = matches!(head.state, CredentialState::Active | CredentialState::Uncertain { .. });
            head.version == request.version && head.is_leased(request.at) && is_unsent
        };
        let state = CredentialState::Sent { at: request.at };
        Ok(self.change(&request.owner, holds, |record| {
            (record.head.state, record.head.lease_until) = (state, Some(request.until));
        }))
    }

    async fn save(&self, request: &SaveRequest) -> Result<bool, StoreError> {
        let is_bought_with = |head: &CredentialHead| head.generation == request.generation;
        Ok(self.change(&request.owner, is_bought_with, |record| {
            let SaveRequest { secrets, expires_at, scopes, nonces, at, .. } = request.clone();
            let dpop_key = record.secrets.dpop_key.take();
            let head = &mut record.head;
            head.version += 1;
            head.generation += 1;
            let has_ended = matches!(head.state, CredentialState::Ended { .. });
            (head.state, head.lease_until) = (CredentialState::Active, None);
            (head.expires_at, head.refreshed_at) = (if has_ended { Some(at) } else { expires_at }, Some(at));
            head.scopes = scopes.unwrap_or_else(|| head.scopes.clone());
            head.nonces = head.nonces.clone().updated(nonces);
            head.is_refreshable = secrets.refresh_token.is_some();
            record.secrets = StoredSecrets { dpop_key, ..secrets };
        }))
    }

    async fn release(&self, request: &ReleaseRequest) -> Result<bool, StoreError> {
        let holds = |head: &CredentialHead| head.version == request.version && head.lease_until.is_some();
        Ok(self.change(&request.owner, holds, |record| {
            let head = &mut record.head;
            head.version += 1;
            (head.state, head.lease_until) = (request.state, None);
            head.nonces = head.nonces.clone().updated(request.nonces.clone());
        }))
    }

    async fn note_nonces(&self, request: &NonceRequest) -> Result<bool, StoreError> {
        let came_with = |head: &CredentialHead| head.generation == request.generation;
        Ok(self.change(&request.owner, came_with, |record| {
            record.head.nonces = record.head.nonces.clone().updated(request.nonces.clone());
        }))
    }

    async fn reseal(&self, request: &ResealRequest) -> Result<bool, StoreError> {
        let is_unchanged = |head: &CredentialHead| {
            (head.version, head.generation) == (request.version, request.generation) && !head.is_leased(request.at)
        };
        Ok(self.change(&request.owner, is_unchanged, |record| record.secrets = request.secrets.clone()))
    }

    async fn wipe(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        Ok(self.rows().remove(owner).is_some())
    }
}

fn meets(record: &CredentialRecord, filter: &CredentialFilter) -> bool {
    let head = &record.head;
    let is_due = |deadline| {
        head.is_refreshable
            && head.expires_at.is_none_or(|expires_at| expires_at <= deadline)
            && !matches!(head.state, CredentialState::Ended { .. })
    };
    filter.due_by.is_none_or(is_due) && filter.not_sealed_with.as_ref().is_none_or(|id| is_sealed_otherwise(record, id))
}

fn is_sealed_otherwise(record: &CredentialRecord, id: &SealKeyId) -> bool {
    let StoredSecrets { access_token, refresh_token, dpop_key } = &record.secrets;
    [access_token, refresh_token, dpop_key].into_iter().flatten().any(|secret| match secret {
        StoredSecret::Sealed(sealed) => sealed.key_id() != id,
        StoredSecret::Plain(_) => true,
    })
}
