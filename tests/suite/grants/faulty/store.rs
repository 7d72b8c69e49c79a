//! The store in memory, with one fault in front of it or none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::Duration;

use async_trait::async_trait;
use keyward::Timestamp;
use keyward::broker::{
    AccessTokenRecord, ClientId, ClientRecord, CodeRecord, Grant, GrantId, GrantRevocationReason, RefreshTokenRecord,
    SealedResponse, TokenDigest,
};
use keyward::store::grants::conformance::Subject;
use keyward::store::grants::{
    ClientListRequest, ExchangeRequest, GrantFilter, GrantListRequest, GrantStore, MemoryGrantStore, NewCode,
    NewTokens, RedeemRequest, RevokeGrantRequest, RevokeGrantsRequest, RevokeTokenRequest, Sealing, SweepRequest,
    Swept, TokenKind, UpstreamRequest,
};
use keyward::store::{Reference, StoreError};

use super::faults::Fault::{self, *};

/// The store in memory, with one fault in front of it or none.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) memory: MemoryGrantStore,
    state: Arc<Mutex<State>>,
    fault: Option<Fault>,
}

/// What the store in memory would not have, what it has and is not shown, and what was asked of it.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) clients: BTreeMap<ClientId, ClientRecord>,
    pub(super) codes: BTreeMap<TokenDigest, CodeRecord>,
    pub(super) grants: BTreeMap<GrantId, Grant>,
    pub(super) access: BTreeMap<TokenDigest, AccessTokenRecord>,
    pub(super) refresh: BTreeMap<TokenDigest, RefreshTokenRecord>,
    pub(super) revocations: BTreeMap<GrantId, (Timestamp, GrantRevocationReason)>,
    pub(super) first_uses: BTreeMap<TokenDigest, Timestamp>,
    pub(super) replies: BTreeMap<TokenDigest, SealedResponse>,
    pub(super) hidden: BTreeSet<TokenDigest>,
    pub(super) hidden_grants: BTreeSet<GrantId>,
    pub(super) hidden_clients: BTreeSet<ClientId>,
    pub(super) added: Vec<NewCode>,
    pub(super) redeemed: BTreeSet<TokenDigest>,
    pub(super) issued: Vec<NewTokens>,
    pub(super) successors: BTreeMap<TokenDigest, NewTokens>,
}

impl Store {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self { memory: MemoryGrantStore::new(), state: Arc::default(), fault }
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Waits, so that others come in between; those whose step is to come in between wait for less.
    pub(super) fn gap(&self, milliseconds: u64, faults: &[Fault]) {
        if self.fault.is_some_and(|fault| faults.contains(&fault)) {
            sleep(Duration::from_millis(milliseconds));
        }
    }
}

#[async_trait]
impl GrantStore for Store {
    fn sealing(&self) -> Sealing {
        Sealing::Service
    }

    async fn client(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.client_found(id).await
    }

    async fn clients(&self, request: &ClientListRequest) -> Result<Vec<ClientRecord>, StoreError> {
        let mut asked = request.clone();
        if self.has(ClientsIgnoreTheLimit) {
            asked.limit += 1;
        }
        let mut page = self.memory.clients(&asked).await?;
        if self.has(ClientsRepeatTheLast)
            && let Some(last) = &request.after
        {
            page.splice(0..0, self.memory.client(last).await?);
        }
        if self.has(ClientsAreSortedWithoutCase) {
            page.sort_by_key(|client| client.id.as_str().to_lowercase());
        }
        Ok(page)
    }

    async fn register(&self, client: &ClientRecord) -> Result<(), StoreError> {
        let was_free = self.memory.client(&client.id).await?.is_none();
        self.gap(4, &[RegisterLooksFirst]);
        self.state().hidden_clients.remove(&client.id);
        let answer = self.memory.register(client).await;
        if self.has(RegisterOverwrites) {
            self.state().clients.insert(client.id.clone(), client.clone());
        }
        if self.has(RegisterLooksFirst) && was_free || self.has(RemoveLeavesTokens) { Ok(()) } else { answer }
    }

    async fn update_client(&self, client: &ClientRecord) -> Result<bool, StoreError> {
        let Some(before) = self.memory.client(&client.id).await? else {
            if self.has(UpdateRegisters) {
                self.memory.register(client).await?;
            }
            return Ok(false);
        };
        let mut wrong = client.clone();
        match self.fault {
            Some(UpdateIgnoresTheSecret) if before.created_at == client.created_at => wrong.secret = before.secret,
            Some(UpdateIgnoresTheTime) if before.secret == client.secret => wrong.created_at = before.created_at,
            Some(UpdateMovesTheUse) => {}
            Some(UpdateKeepsTheName) => wrong.name = before.name,
            _ => return self.memory.update_client(client).await,
        }
        if self.fault != Some(UpdateMovesTheUse) {
            wrong.last_used_at = before.last_used_at;
        }
        self.state().clients.insert(client.id.clone(), wrong);
        Ok(true)
    }

    async fn note_client_use(&self, id: &ClientId, at: Timestamp) -> Result<(), StoreError> {
        let found = self.memory.client(id).await?;
        if self.has(UseNeedsTheClient) && found.is_none() {
            return Err(StoreError::Missing(Reference::Client));
        }
        if self.has(UseMovesBackwards)
            && let Some(mut client) = found
        {
            client.last_used_at = Some(at);
            self.state().clients.insert(id.clone(), client);
        }
        self.memory.note_client_use(id, at).await
    }

    async fn remove_client(&self, id: &ClientId, at: Timestamp) -> Result<bool, StoreError> {
        self.gap(1, &[ExchangeOutlivesRemoval]);
        if self.has(RemoveReplacesReasons) {
            let request = GrantListRequest::new(GrantFilter::of_client(id.clone()), u32::MAX);
            for grant in self.memory.grants(&request).await? {
                self.state().revocations.insert(grant.id, (at, GrantRevocationReason::ClientRemoved));
            }
        }
        if self.has(RemoveLeavesTokens) {
            let is_there = self.memory.client(id).await?.is_some();
            return Ok(self.state().hidden_clients.insert(id.clone()) && is_there);
        }
        self.memory.remove_client(id, at).await
    }

    async fn add_code(&self, code: &NewCode) -> Result<(), StoreError> {
        self.code_added(code).await
    }

    async fn code(&self, digest: &TokenDigest) -> Result<Option<CodeRecord>, StoreError> {
        self.code_found(digest).await
    }

    async fn redeem(&self, request: &RedeemRequest) -> Result<bool, StoreError> {
        self.code_redeemed(request).await
    }

    async fn refresh_token(&self, digest: &TokenDigest) -> Result<Option<RefreshTokenRecord>, StoreError> {
        self.refresh_found(digest).await
    }

    async fn exchange(&self, request: &ExchangeRequest) -> Result<bool, StoreError> {
        self.refresh_exchanged(request).await
    }

    async fn access_token(&self, digest: &TokenDigest) -> Result<Option<AccessTokenRecord>, StoreError> {
        self.access_found(digest).await
    }

    async fn note_first_use(&self, digest: &TokenDigest, at: Timestamp) -> Result<(), StoreError> {
        if self.has(FirstUseNeedsTheToken) && self.memory.access_token(digest).await?.is_none() {
            return Err(StoreError::Missing(Reference::Client));
        }
        if self.has(FirstUseMoves) {
            self.state().first_uses.insert(*digest, at);
        }
        self.memory.note_first_use(digest, at).await
    }

    async fn revoke_token(&self, request: &RevokeTokenRequest) -> Result<bool, StoreError> {
        let access = self.memory.access_token(&request.digest).await?;
        let refresh = self.memory.refresh_token(&request.digest).await?;
        self.gap(4, &[RevokeTokenLooksFirst]);
        let answer = self.memory.revoke_token(request).await?;
        let is_access = request.kind == TokenKind::Access;
        let is_there = if is_access { access.is_some() } else { refresh.is_some() };
        let was_spent = refresh.as_ref().is_some_and(|found| found.spent_at.is_some());
        if self.has(RevokeTokenEndsTheGrant)
            && let Some(grant) = access.and_then(|found| found.grant).or_else(|| refresh.map(|found| found.grant))
        {
            let request = RevokeGrantRequest::new(grant.id, GrantRevocationReason::Revoked, request.at);
            self.memory.revoke_grant(&request).await?;
        }
        let claims = self.has(RevokeTokenTwice) && is_there
            || self.has(RevokeTokenTakesSpent) && was_spent
            || self.has(RevokeTokenLooksFirst) && is_there && !was_spent;
        Ok(answer || claims)
    }

    async fn revoke_grant(&self, request: &RevokeGrantRequest) -> Result<bool, StoreError> {
        self.gap(1, &[RedeemOutlivesRevocation, ExchangeOutlivesRevocation]);
        let found = self.memory.grant(&request.grant).await?;
        self.gap(4, &[RevokeGrantLooksFirst]);
        let answer = self.memory.revoke_grant(request).await?;
        if self.has(RevokeGrantMovesTheTime) {
            self.state().revocations.insert(request.grant.clone(), (request.at, request.reason));
        }
        let Some(grant) = found else { return Ok(answer) };
        if self.has(RevokeGrantTakesTheClient) {
            let filter = GrantFilter::of_client(grant.client);
            let request = RevokeGrantsRequest::new(filter, request.reason, request.at, u32::MAX);
            self.memory.revoke_grants(&request).await?;
        }
        Ok(answer || self.has(RevokeGrantLooksFirst) && grant.revoked.is_none())
    }

    async fn revoke_grants(&self, request: &RevokeGrantsRequest) -> Result<u64, StoreError> {
        let mut request = request.clone();
        if self.has(RevokeGrantsIgnoresThePerson) {
            request.filter.subject = None;
        }
        if self.has(RevokeGrantsIgnoresTheClient) {
            request.filter.client = None;
        }
        if self.has(RevokeGrantsIgnoresTheLimit) {
            request.limit = u32::MAX;
        }
        if self.has(RevokeGrantsCountsAgain) {
            let all = GrantListRequest::new(request.filter.clone(), request.limit);
            self.memory.revoke_grants(&request).await?;
            return Ok(self.memory.grants(&all).await?.len() as u64);
        }
        self.memory.revoke_grants(&request).await
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        self.grant_found(id).await
    }

    async fn grants(&self, request: &GrantListRequest) -> Result<Vec<Grant>, StoreError> {
        let mut asked = request.clone();
        if self.has(GrantsIgnoreThePerson) {
            asked.filter.subject = None;
        }
        if self.has(GrantsIgnoreTheClient) {
            asked.filter.client = None;
        }
        let mut page = self.memory.grants(&asked).await?;
        if self.has(GrantsRepeatTheLast)
            && let Some(last) = &request.after
        {
            page.splice(0..0, self.memory.grant(last).await?);
        }
        page.retain(|grant| !self.has(GrantsHideTheRevoked) || grant.revoked.is_none());
        Ok(page.into_iter().map(|grant| self.shown(grant)).collect())
    }

    async fn replace_upstream(&self, request: &UpstreamRequest) -> Result<bool, StoreError> {
        let found = self.memory.grant(&request.grant).await?;
        let was_same = found.as_ref().is_some_and(|grant| grant.upstream_version == request.version);
        self.gap(4, &[UpstreamLooksFirst]);
        let mut request = request.clone();
        if let (true, Some(grant)) = (self.has(UpstreamIgnoresTheVersion), found) {
            request.version = grant.upstream_version;
        }
        Ok(self.memory.replace_upstream(&request).await? || self.has(UpstreamLooksFirst) && was_same)
    }

    async fn sweep(&self, request: &SweepRequest) -> Result<Swept, StoreError> {
        self.swept(request).await
    }
}

#[async_trait]
impl Subject for Store {
    fn store(&self) -> &dyn GrantStore {
        self
    }

    async fn reopen(&self) -> Option<Arc<dyn GrantStore>> {
        if self.has(ForgetsOnReopening) {
            return Some(Arc::new(Self::new(None)));
        }
        Some(Arc::new(self.clone()))
    }
}
