//! A store as simple as can be, that can do one thing wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use keyward::credential::{CredentialHead, CredentialRecord, CredentialState, Nonces, StoredSecrets};
use keyward::key::OwnerId;
use keyward::seal::StoredSecret;
use keyward::store::StoreError;
use keyward::store::credentials::conformance::Subject;
use keyward::store::credentials::{
    Claim, ClaimRequest, CredentialListRequest, CredentialStore, MarkRequest, NonceRequest, Over, PutRequest,
    ReleaseRequest, ResealRequest, SaveRequest, Sealing,
};

use super::Fault::{self, *};

type Rows = BTreeMap<String, CredentialRecord>;

/// A store as simple as can be, with one fault or none.
#[derive(Clone, Debug)]
pub(super) struct Store {
    rows: Arc<Mutex<Rows>>,
    fault: Option<Fault>,
}

impl Store {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self { rows: Arc::default(), fault }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    fn name(&self, owner: &OwnerId) -> String {
        if self.has(OwnersIgnoreCase) { owner.as_str().to_lowercase() } else { owner.as_str().to_owned() }
    }

    fn updated(&self, known: Nonces, newer: &Nonces) -> Nonces {
        if self.has(NoncesTakeEmptyOnes) { newer.clone() } else { known.updated(newer.clone()) }
    }

    fn is_leased(&self, head: &CredentialHead, at: keyward::Timestamp) -> bool {
        if self.has(ClaimBelievesEveryClock) {
            return head.lease_until.is_some_and(|until| until > at);
        }
        head.is_leased(at)
    }
}

#[async_trait]
impl CredentialStore for Store {
    fn schema(&self) -> &'static str {
        "faulty"
    }

    fn sealing(&self) -> Sealing {
        Sealing::Service
    }

    async fn get(&self, owner: &OwnerId) -> Result<Option<CredentialRecord>, StoreError> {
        Ok(self.rows().get(&self.name(owner)).cloned())
    }

    async fn list(&self, request: &CredentialListRequest) -> Result<Vec<CredentialHead>, StoreError> {
        let is_due = |head: &CredentialHead, by| {
            let expires = head.expires_at.map_or_else(|| !self.has(ListForgetsUnknownExpiries), |at| at <= by);
            let has_ended = matches!(head.state, CredentialState::Ended { .. }) && !self.has(ListShowsEnded);
            self.has(ListIgnoresTheDeadline) || head.is_refreshable && expires && !has_ended
        };
        let is_old = |record: &CredentialRecord, id| {
            let StoredSecrets { access_token, refresh_token, dpop_key, .. } = &record.secrets;
            let all = [access_token, refresh_token, dpop_key];
            let some = if self.has(ResealLooksAtTheAccessTokenAlone) { &all[..1] } else { &all[..] };
            some.iter().filter_map(|secret| secret.as_ref()).any(|secret| match secret {
                StoredSecret::Sealed(sealed) => sealed.key_id() != id,
                _ => true,
            })
        };
        let rows = self.rows();
        let mut found = Vec::new();
        for (name, record) in rows.iter() {
            let is_behind = request.after.as_ref().is_none_or(|after| {
                let is_last =
                    self.has(ListRepeatsTheLast) && rows.last_key_value().is_some_and(|(last, _)| last != name);
                name.as_str() > after.as_str() || is_last && name == after.as_str()
            });
            let filter = &request.filter;
            let meets = filter.due_by.is_none_or(|by| is_due(&record.head, by))
                && filter.not_sealed_with.as_ref().is_none_or(|id| is_old(record, id));
            let has_room = found.len() < request.limit as usize || self.has(ListIgnoresTheLimit);
            if is_behind && meets && has_room {
                found.push(record.head.clone());
            }
        }
        // One that repeats for ever would end no test.
        if self.has(ListRepeatsTheLast) && found.len() == 1 && request.after.as_ref() == Some(&found[0].owner) {
            found.clear();
        }
        Ok(found)
    }

    async fn put(&self, request: &PutRequest) -> Result<(), StoreError> {
        let mut rows = self.rows();
        let mut record = request.record.clone();
        let before = rows.get(&self.name(&record.head.owner)).map(|before| before.head.clone());
        let is_expected = match (request.over, &before) {
            (Over::Nothing, None) | (Over::Anything, _) => true,
            (Over::Nothing, Some(_)) => self.has(PutOverwrites),
            (Over::Generation(generation), Some(before)) => {
                before.generation == generation || self.has(PutIgnoresTheGeneration)
            }
            (Over::Generation(_), None) => self.has(PutInsertsWhatIsNotThere),
            _ => false,
        };
        if !is_expected {
            return Err(StoreError::Conflict);
        }
        let head = &mut record.head;
        let first = if self.has(PutCountsFromOne) { 1 } else { request.first_version() };
        head.version = before.as_ref().map_or(first, |before| before.version + 1);
        head.generation = before.as_ref().map_or(first, |before| before.generation + 1);
        head.refreshed_at = Some(request.at);
        (head.state, head.lease_until) = (CredentialState::Active, None);
        if let Some(before) = before {
            if self.has(PutKeepsTheGeneration) {
                head.generation = before.generation;
            }
            if self.has(PutKeepsTheLease) {
                head.lease_until = before.lease_until;
            }
            if self.has(PutKeepsTheState) {
                head.state = before.state;
            }
        }
        if self.has(PutLosesTheDpopKey) {
            record.secrets.dpop_key = None;
        }
        if self.has(PutLosesTheFraction) {
            let whole =
                |at: keyward::Timestamp| keyward::Timestamp::from_micros(at.as_micros() / 1_000_000 * 1_000_000);
            record.head.expires_at = record.head.expires_at.map(whole);
        }
        rows.insert(self.name(&record.head.owner), record);
        Ok(())
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        let mut rows = self.rows();
        let Some(record) = rows.get_mut(&self.name(&request.owner)) else { return Ok(Claim::Gone) };
        let leased = self.is_leased(&record.head, request.at) && !self.has(ClaimIgnoresTheLease)
            || self.has(ClaimNeverEnds) && record.head.lease_until.is_some();
        let decided = request.decided == Some(record.head.version) && !self.has(ClaimRefusesDecisions)
            || request.decided.is_some() && self.has(ClaimBelievesOldDecisions)
            || self.has(ClaimTakesWhatWasSent);
        let is_open = match record.head.state {
            CredentialState::Active => true,
            CredentialState::Ended { .. } => self.has(ClaimTakesEnded),
            _ => decided,
        };
        let is_refreshable = record.head.is_refreshable || self.has(ClaimTakesWithoutRefreshToken);
        if leased || !is_open || !is_refreshable {
            return Ok(if self.has(LostClaimsAreGone) { Claim::Gone } else { Claim::Lost(Box::new(record.clone())) });
        }
        record.head.version += u64::from(!self.has(ClaimKeepsTheVersion));
        record.head.lease_until = Some(request.until);
        match record.head.state {
            _ if self.has(ClaimForgetsWhatWasSent) => record.head.state = CredentialState::Active,
            CredentialState::Sent { at: since } => record.head.state = CredentialState::Uncertain { since },
            _ => {}
        }
        Ok(Claim::Won(Box::new(record.clone())))
    }

    async fn mark(&self, request: &MarkRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(CredentialRecord { head, .. }) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        let holds = (head.version == request.version || self.has(MarkIgnoresTheVersion))
            && (head.is_leased(request.at) || self.has(MarkIgnoresTheEnd) && head.lease_until.is_some())
            && (!matches!(head.state, CredentialState::Sent { .. }) || self.has(MarkTwice));
        if holds {
            head.state = CredentialState::Sent { at: request.at };
            if !self.has(MarkKeepsTheLease) {
                head.lease_until = Some(request.until);
            }
        }
        Ok(holds)
    }

    async fn save(&self, request: &SaveRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(record) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        let head = &mut record.head;
        let holds = (head.generation == request.generation || self.has(SaveIgnoresTheGeneration))
            && (matches!(head.state, CredentialState::Sent { .. }) || !self.has(SaveNeedsTheLease));
        if !holds {
            return Ok(false);
        }
        (head.version, head.generation) = (head.version + 1, head.generation + 1);
        head.refreshed_at = Some(request.at);
        let has_ended = matches!(head.state, CredentialState::Ended { .. }) && !self.has(SaveBelievesTheDead);
        if !self.has(SaveKeepsTheLease) {
            head.lease_until = None;
        }
        if !self.has(SaveKeepsTheState) || matches!(head.state, CredentialState::Sent { .. }) {
            head.state = CredentialState::Active;
        }
        if !self.has(SaveKeepsTheExpiry) {
            head.expires_at = if has_ended { Some(request.at) } else { request.expires_at };
        }
        head.scopes = match &request.scopes {
            None if self.has(SaveForgetsScopes) => keyward::key::Scopes::default(),
            None => head.scopes.clone(),
            Some(scopes) => scopes.clone(),
        };
        if !self.has(SaveLosesNonces) {
            head.nonces = self.updated(head.nonces.clone(), &request.nonces);
        }
        let key = record.secrets.dpop_key.take().filter(|_| !self.has(SaveLosesTheDpopKey));
        record.secrets = request.secrets.clone();
        record.secrets.dpop_key = key;
        Ok(true)
    }

    async fn release(&self, request: &ReleaseRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(CredentialRecord { head, .. }) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        let is_holder = head.version == request.version || self.has(ReleaseIgnoresTheVersion);
        if !is_holder || head.lease_until.is_none() {
            return Ok(false);
        }
        head.version += 1;
        head.lease_until = None;
        head.state = if self.has(ReleaseAlwaysActive) { CredentialState::Active } else { request.state };
        if !self.has(ReleaseLosesNonces) {
            head.nonces = self.updated(head.nonces.clone(), &request.nonces);
        }
        Ok(true)
    }

    async fn note_nonces(&self, request: &NonceRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(CredentialRecord { head, .. }) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        if head.generation != request.generation && !self.has(NoncesIgnoreTheGeneration) {
            return Ok(false);
        }
        head.nonces = self.updated(head.nonces.clone(), &request.nonces);
        Ok(true)
    }

    async fn reseal(&self, request: &ResealRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(record) = rows.get_mut(&self.name(&request.owner)) else { return Ok(false) };
        let head = &mut record.head;
        let is_same = head.generation == request.generation
            && (head.version == request.version || self.has(ResealIgnoresTheVersion));
        if !is_same || head.is_leased(request.at) && !self.has(ResealIgnoresTheLease) {
            return Ok(false);
        }
        head.version += u64::from(self.has(ResealCountsTheVersion));
        record.secrets = request.secrets.clone();
        Ok(true)
    }

    async fn wipe(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        if self.has(WipeLeavesIt) {
            return Ok(self.rows().contains_key(&self.name(owner)));
        }
        Ok(self.rows().remove(&self.name(owner)).is_some())
    }
}

#[async_trait]
impl Subject for Store {
    fn store(&self) -> &dyn CredentialStore {
        self
    }

    async fn add_owner(&self, _owner: &OwnerId) {}

    async fn reopen(&self) -> Option<Arc<dyn CredentialStore>> {
        if self.has(ForgetsOnReopening) {
            return Some(Arc::new(Self::new(None)));
        }
        Some(Arc::new(self.clone()))
    }
}
