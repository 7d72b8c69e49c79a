//! Grants in memory: the reference for every other store, and what tests and examples use.

mod rows;
mod sweep;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::rows::{Rows, Spent, StoredCode, StoredGrant, up_to};
use crate::broker::{
    AccessTokenRecord, ClientId, ClientRecord, CodeRecord, Grant, GrantId, GrantRevocationReason, RefreshTokenRecord,
    TokenDigest,
};
use crate::store::StoreError;
use crate::store::grants::{
    CODES_STAY, ClientListRequest, ExchangeRequest, GrantListRequest, GrantStore, NewCode, RedeemRequest,
    RevokeGrantRequest, RevokeGrantsRequest, RevokeTokenRequest, Sealing, SweepRequest, Swept, TokenKind,
    UpstreamRequest,
};
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

    async fn update_client(&self, client: &ClientRecord) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let is_it =
            |stored: &&mut ClientRecord| (stored.secret, stored.created_at) == (client.secret, client.created_at);
        let Some(stored) = rows.clients.get_mut(&client.id).filter(is_it) else { return Ok(false) };
        *stored = ClientRecord { last_used_at: stored.last_used_at, ..client.clone() };
        Ok(true)
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
            rows.revoke(&grant, GrantRevocationReason::ClientRemoved, at);
            for code in rows.codes.values_mut().filter(|code| code.grant == grant) {
                code.stays_until = Timestamp::MIN;
            }
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
        let stays_until = code.expires_at.saturating_add(CODES_STAY);
        rows.codes.insert(code.digest, StoredCode { code: code.clone(), grant, stays_until });
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
            client_exists: rows.clients.contains_key(&grant.client),
            revoked_at: row.revoked_at,
            spent_at: row.spent.as_ref().map(|spent| spent.at),
            response: row.spent.as_ref().and_then(|spent| spent.response.clone()),
            successor_is_used: row.spent.as_ref().is_some_and(|spent| rows.is_used(spent)),
            ..RefreshTokenRecord::new(*digest, grant.clone(), row.expires_at)
        }))
    }

    async fn exchange(&self, request: &ExchangeRequest) -> Result<bool, StoreError> {
        let ExchangeRequest { refresh, adopt, tokens, response, revokes_access } = request;
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
        rows.blank(|spent| spent.successor == Some(*refresh));
        if let Some(row) = rows.refresh.get_mut(refresh) {
            row.spent = Some(Spent {
                at: tokens.at,
                response: response.clone(),
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
            client_exists: rows.clients.contains_key(&grant.client),
            scopes: row.scopes.clone(),
            revoked_at: row.revoked_at,
            used_at: row.used_at,
            ..AccessTokenRecord::new(*digest, grant.clone(), row.created_at, row.expires_at)
        }))
    }

    async fn note_first_use(&self, digest: &TokenDigest, at: Timestamp) -> Result<(), StoreError> {
        let mut rows = self.rows();
        if let Some(row) = rows.access.get_mut(digest) {
            row.used_at.get_or_insert(at);
        }
        rows.blank(|spent| spent.successor_access == *digest);
        Ok(())
    }

    async fn revoke_token(&self, request: &RevokeTokenRequest) -> Result<bool, StoreError> {
        let RevokeTokenRequest { kind, digest, at } = request;
        let mut rows = self.rows();
        let grant = match kind {
            TokenKind::Access => rows.access.get(digest).map(|row| &row.grant),
            TokenKind::Refresh => rows.refresh.get(digest).filter(|row| row.spent.is_none()).map(|row| &row.grant),
        };
        if !grant.is_some_and(|grant| rows.is_unrevoked(grant)) {
            return Ok(false);
        }
        let revoked_at = match kind {
            TokenKind::Access => rows.access.get_mut(digest).map(|row| &mut row.revoked_at),
            TokenKind::Refresh => rows.refresh.get_mut(digest).map(|row| &mut row.revoked_at),
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
        Ok(self.rows().sweep(request))
    }
}
