//! Grants in memory: the reference for every other store, and what tests and examples use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::broker::{
    AccessTokenRecord, ClientId, ClientRecord, CodeRecord, Grant, GrantEnd, GrantId, RefreshTokenRecord, Reply,
    TokenDigest,
};
use crate::key::Scopes;
use crate::store::grants::{
    ClientListRequest, ExchangeRequest, GrantListRequest, GrantStore, NewCode, NewTokens, RedeemRequest,
    RevokeGrantRequest, RevokeGrantsRequest, RevokeTokenRequest, Sealing, SweepRequest, Swept, TokenKind,
    UpstreamRequest,
};
use crate::store::{Reference, StoreError};
use crate::time::Timestamp;

/// Grants in memory. Clones share it; nothing outlives the process.
#[derive(Clone, Debug, Default)]
pub struct MemoryGrantStore {
    rows: Arc<Mutex<Rows>>,
}

impl MemoryGrantStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Rows {
    clients: BTreeMap<ClientId, ClientRecord>,
    grants: BTreeMap<GrantId, StoredGrant>,
    codes: BTreeMap<TokenDigest, StoredCode>,
    access: BTreeMap<TokenDigest, StoredAccess>,
    refresh: BTreeMap<TokenDigest, StoredRefresh>,
}

#[derive(Debug)]
struct StoredGrant {
    grant: Grant,
    remembered_until: Timestamp,
}

/// A code without its grant, which stands by itself.
#[derive(Debug)]
struct StoredCode {
    code: CodeRecord,
    grant: GrantId,
}

#[derive(Debug)]
struct StoredAccess {
    grant: GrantId,
    scopes: Scopes,
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
    used_at: Option<Timestamp>,
}

#[derive(Debug)]
struct StoredRefresh {
    grant: GrantId,
    access: TokenDigest,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
    spent: Option<Spent>,
}

#[derive(Debug)]
struct Spent {
    at: Timestamp,
    reply: Option<Reply>,
    successor: Option<TokenDigest>,
    successor_access: TokenDigest,
}

impl Rows {
    fn add_tokens(&mut self, tokens: &NewTokens) {
        let NewTokens { grant, scopes, access, access_expires_at, refresh, at, .. } = tokens;
        let row = StoredAccess {
            grant: grant.clone(),
            scopes: scopes.clone(),
            created_at: *at,
            expires_at: *access_expires_at,
            revoked_at: None,
            used_at: None,
        };
        self.access.insert(*access, row);
        if let Some((digest, expires_at)) = *refresh {
            let row =
                StoredRefresh { grant: grant.clone(), access: *access, expires_at, revoked_at: None, spent: None };
            self.refresh.insert(digest, row);
        }
        if let Some(stored) = self.grants.get_mut(grant) {
            stored.remembered_until = stored.remembered_until.max(tokens.remembered_until());
        }
    }

    fn require_client(&self, client: &ClientId) -> Result<(), StoreError> {
        if self.clients.contains_key(client) { Ok(()) } else { Err(StoreError::Missing(Reference::Client)) }
    }

    fn is_taken(&self, tokens: &NewTokens) -> bool {
        self.access.contains_key(&tokens.access)
            || tokens.refresh.is_some_and(|(digest, _)| self.refresh.contains_key(&digest))
    }

    fn is_unrevoked(&self, grant: &GrantId) -> bool {
        self.grants.get(grant).is_some_and(|stored| stored.grant.revoked.is_none())
    }

    /// The tokens of a grant that has been revoked need no mark of their own: they are read with their grant.
    fn revoke(&mut self, id: &GrantId, reason: GrantEnd, at: Timestamp) -> bool {
        match self.grants.get_mut(id) {
            Some(stored) if stored.grant.revoked.is_none() => {
                stored.grant.revoked = Some((at, reason));
                true
            }
            _ => false,
        }
    }

    fn is_used(&self, spent: &Spent) -> bool {
        let access = self.access.get(&spent.successor_access);
        let refresh = spent.successor.and_then(|digest| self.refresh.get(&digest));
        access.is_none_or(|access| access.used_at.is_some() || access.revoked_at.is_some())
            || refresh.is_some_and(|refresh| refresh.spent.is_some() || refresh.revoked_at.is_some())
    }

    /// Whether a refresh token could still be exchanged: as long as it can, it stays.
    fn is_live(&self, refresh: &StoredRefresh, at: Timestamp) -> bool {
        refresh.spent.is_none()
            && refresh.revoked_at.is_none()
            && at < refresh.expires_at
            && self.is_unrevoked(&refresh.grant)
    }
}

fn up_to<K: Clone>(keys: impl Iterator<Item = K>, limit: u32) -> Vec<K> {
    keys.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
}

#[async_trait]
impl GrantStore for MemoryGrantStore {
    fn sealing(&self) -> Sealing {
        Sealing::Service
    }

    async fn client(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        Ok(self.rows().clients.get(id).cloned())
    }

    async fn clients(&self, request: &ClientListRequest) -> Result<Vec<ClientRecord>, StoreError> {
        let rows = self.rows();
        let behind =
            rows.clients.values().filter(|client| request.after.as_ref().is_none_or(|after| client.id > *after));
        Ok(up_to(behind.cloned(), request.limit))
    }

    async fn register(&self, client: &ClientRecord) -> Result<(), StoreError> {
        let mut rows = self.rows();
        if rows.clients.contains_key(&client.id) {
            return Err(StoreError::Conflict);
        }
        rows.clients.insert(client.id.clone(), client.clone());
        Ok(())
    }

    async fn note_client_use(&self, id: &ClientId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(client) = self.rows().clients.get_mut(id) {
            client.last_used_at = client.last_used_at.max(Some(at));
        }
        Ok(())
    }

    async fn remove_client(&self, id: &ClientId, at: Timestamp) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        if rows.clients.remove(id).is_none() {
            return Ok(false);
        }
        let grants: Vec<_> = rows.grants.values().filter(|stored| stored.grant.client == *id).collect();
        let grants: Vec<_> = grants.iter().map(|stored| stored.grant.id.clone()).collect();
        for grant in grants {
            rows.revoke(&grant, GrantEnd::ClientRemoved, at);
        }
        Ok(true)
    }

    async fn add_code(&self, new: &NewCode) -> Result<(), StoreError> {
        let NewCode { code, remembered_until } = new;
        let mut rows = self.rows();
        rows.require_client(&code.grant.client)?;
        if rows.codes.contains_key(&code.digest) || rows.grants.contains_key(&code.grant.id) {
            return Err(StoreError::Conflict);
        }
        let grant = code.grant.id.clone();
        let stored = StoredGrant { grant: code.grant.clone(), remembered_until: *remembered_until };
        rows.grants.insert(grant.clone(), stored);
        rows.codes.insert(code.digest, StoredCode { code: code.clone(), grant });
        Ok(())
    }

    async fn code(&self, digest: &TokenDigest) -> Result<Option<CodeRecord>, StoreError> {
        let rows = self.rows();
        let found = rows.codes.get(digest).and_then(|stored| Some((stored, rows.grants.get(&stored.grant)?)));
        Ok(found.map(|(stored, grant)| CodeRecord { grant: grant.grant.clone(), ..stored.code.clone() }))
    }

    async fn redeem(&self, request: &RedeemRequest) -> Result<bool, StoreError> {
        let RedeemRequest { code, tokens } = request;
        let mut rows = self.rows();
        let Some(stored) = rows.codes.get(code) else { return Ok(false) };
        if stored.code.spent_at.is_some() || !rows.is_unrevoked(&stored.grant) {
            return Ok(false);
        }
        rows.require_client(&tokens.client)?;
        if rows.is_taken(tokens) {
            return Err(StoreError::Conflict);
        }
        if let Some(stored) = rows.codes.get_mut(code) {
            stored.code.spent_at = Some(tokens.at);
        }
        rows.add_tokens(tokens);
        Ok(true)
    }

    async fn refresh_token(&self, digest: &TokenDigest) -> Result<Option<RefreshTokenRecord>, StoreError> {
        let rows = self.rows();
        let found = rows.refresh.get(digest).and_then(|row| Some((row, &rows.grants.get(&row.grant)?.grant)));
        Ok(found.map(|(row, grant)| RefreshTokenRecord {
            digest: *digest,
            client: grant.client.clone(),
            client_exists: rows.clients.contains_key(&grant.client),
            grant: grant.clone(),
            grant_is_stored: true,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            spent_at: row.spent.as_ref().map(|spent| spent.at),
            reply: row.spent.as_ref().and_then(|spent| spent.reply.clone()),
            successor_is_used: row.spent.as_ref().is_some_and(|spent| rows.is_used(spent)),
            defect: None,
        }))
    }

    async fn exchange(&self, request: &ExchangeRequest) -> Result<bool, StoreError> {
        let ExchangeRequest { refresh, adopt, tokens, reply, revokes_access } = request;
        let mut rows = self.rows();
        let Some(row) = rows.refresh.get(refresh) else { return Ok(false) };
        if adopt.is_some() || row.spent.is_some() || row.revoked_at.is_some() || !rows.is_unrevoked(&row.grant) {
            return Ok(false);
        }
        rows.require_client(&tokens.client)?;
        if rows.is_taken(tokens) {
            return Err(StoreError::Conflict);
        }
        if *revokes_access {
            for access in rows.access.values_mut().filter(|access| access.grant == tokens.grant) {
                access.revoked_at.get_or_insert(tokens.at);
            }
        }
        if let Some(row) = rows.refresh.get_mut(refresh) {
            row.spent = Some(Spent {
                at: tokens.at,
                reply: reply.clone(),
                successor: tokens.refresh.map(|(digest, _)| digest),
                successor_access: tokens.access,
            });
        }
        rows.add_tokens(tokens);
        Ok(true)
    }

    async fn access_token(&self, digest: &TokenDigest) -> Result<Option<AccessTokenRecord>, StoreError> {
        let rows = self.rows();
        let found = rows.access.get(digest).and_then(|row| Some((row, &rows.grants.get(&row.grant)?.grant)));
        Ok(found.map(|(row, grant)| AccessTokenRecord {
            digest: *digest,
            client: grant.client.clone(),
            client_exists: rows.clients.contains_key(&grant.client),
            subject: grant.subject.clone(),
            scopes: row.scopes.clone(),
            grant: Some(grant.clone()),
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            used_at: row.used_at,
            upstream: grant.upstream.clone(),
            defect: None,
        }))
    }

    async fn note_first_use(&self, digest: &TokenDigest, at: Timestamp) -> Result<(), StoreError> {
        if let Some(row) = self.rows().access.get_mut(digest) {
            row.used_at.get_or_insert(at);
        }
        Ok(())
    }

    async fn revoke_token(&self, request: &RevokeTokenRequest) -> Result<bool, StoreError> {
        let RevokeTokenRequest { kind, digest, at } = request;
        let mut rows = self.rows();
        let revoked_at = match kind {
            TokenKind::Access => rows.access.get_mut(digest).map(|row| &mut row.revoked_at),
            TokenKind::Refresh => {
                rows.refresh.get_mut(digest).filter(|row| row.spent.is_none()).map(|row| &mut row.revoked_at)
            }
        };
        Ok(revoked_at.is_some_and(|revoked_at| revoked_at.replace(revoked_at.unwrap_or(*at)).is_none()))
    }

    async fn revoke_grant(&self, request: &RevokeGrantRequest) -> Result<bool, StoreError> {
        Ok(self.rows().revoke(&request.grant, request.reason, request.at))
    }

    async fn revoke_grants(&self, request: &RevokeGrantsRequest) -> Result<u64, StoreError> {
        let RevokeGrantsRequest { filter, reason, at, limit } = request;
        let mut rows = self.rows();
        let live = rows.grants.values().map(|stored| &stored.grant).filter(|grant| grant.revoked.is_none());
        let meeting = live.filter(|grant| filter.meets(&grant.client, &grant.subject.id)).map(|grant| grant.id.clone());
        let meeting = up_to(meeting, *limit);
        for grant in &meeting {
            rows.revoke(grant, *reason, *at);
        }
        Ok(meeting.len() as u64)
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        Ok(self.rows().grants.get(id).map(|stored| stored.grant.clone()))
    }

    async fn grants(&self, request: &GrantListRequest) -> Result<Vec<Grant>, StoreError> {
        let rows = self.rows();
        let behind = rows
            .grants
            .values()
            .map(|stored| &stored.grant)
            .filter(|grant| request.after.as_ref().is_none_or(|after| grant.id > *after))
            .filter(|grant| request.filter.meets(&grant.client, &grant.subject.id));
        Ok(up_to(behind.cloned(), request.limit))
    }

    async fn replace_upstream(&self, request: &UpstreamRequest) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        match rows.grants.get_mut(&request.grant) {
            Some(StoredGrant { grant, .. }) if grant.upstream_version == request.version => {
                grant.upstream = Some(request.tokens.clone());
                grant.upstream_version += 1;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn sweep(&self, request: &SweepRequest) -> Result<Swept, StoreError> {
        let SweepRequest { at, limit, clients_unused_since } = *request;
        let mut rows = self.rows();
        let mut swept = Swept::default();
        let dead = rows.grants.iter().filter(|(_, stored)| stored.remembered_until <= at).map(|(id, _)| id.clone());
        for grant in up_to(dead, limit) {
            let (codes, access, refresh) = (rows.codes.len(), rows.access.len(), rows.refresh.len());
            rows.codes.retain(|_, code| code.grant != grant);
            rows.access.retain(|_, row| row.grant != grant);
            rows.refresh.retain(|_, row| row.grant != grant);
            rows.grants.remove(&grant);
            swept.codes += (codes - rows.codes.len()) as u64;
            swept.access_tokens += (access - rows.access.len()) as u64;
            swept.refresh_tokens += (refresh - rows.refresh.len()) as u64;
            swept.grants += 1;
        }
        let needed: Vec<_> =
            rows.refresh.values().filter(|refresh| rows.is_live(refresh, at)).map(|refresh| refresh.access).collect();
        let expired = rows.access.iter().filter(|(digest, row)| row.expires_at <= at && !needed.contains(digest));
        for digest in up_to(expired.map(|(digest, _)| *digest), limit) {
            rows.access.remove(&digest);
            swept.access_tokens += 1;
        }
        if let Some(since) = clients_unused_since {
            let has_grant = |id: &ClientId| rows.grants.values().any(|stored| stored.grant.client == *id);
            let unused =
                rows.clients.values().filter(|client| client.last_used_at.unwrap_or(client.created_at) < since);
            let unused = unused.map(|client| client.id.clone()).filter(|id| !has_grant(id));
            for client in up_to(unused, limit) {
                rows.clients.remove(&client);
                swept.clients += 1;
            }
        }
        Ok(swept)
    }
}
