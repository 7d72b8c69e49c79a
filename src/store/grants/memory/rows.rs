//! The rows of [`MemoryGrantStore`](super::MemoryGrantStore), and what is asked of them.

use std::collections::BTreeMap;

use crate::broker::{
    ClientId, ClientRecord, CodeRecord, Grant, GrantId, GrantRevocationReason, SealedResponse, TokenDigest,
};
use crate::key::Scopes;
use crate::store::grants::NewTokens;
use crate::store::{Reference, StoreError};
use crate::time::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) clients: BTreeMap<ClientId, ClientRecord>,
    pub(super) grants: BTreeMap<GrantId, StoredGrant>,
    pub(super) codes: BTreeMap<TokenDigest, StoredCode>,
    pub(super) access: BTreeMap<TokenDigest, StoredAccess>,
    pub(super) refresh: BTreeMap<TokenDigest, StoredRefresh>,
}

#[derive(Debug)]
pub(super) struct StoredGrant {
    pub(super) grant: Grant,
    pub(super) remembered_until: Timestamp,
}

/// A code without its grant, which stands by itself.
#[derive(Debug)]
pub(super) struct StoredCode {
    pub(super) code: CodeRecord,
    pub(super) grant: GrantId,
    pub(super) stays_until: Timestamp,
}

#[derive(Debug)]
pub(super) struct StoredAccess {
    pub(super) grant: GrantId,
    pub(super) scopes: Scopes,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) revoked_at: Option<Timestamp>,
    pub(super) used_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct StoredRefresh {
    pub(super) grant: GrantId,
    pub(super) access: TokenDigest,
    pub(super) expires_at: Timestamp,
    pub(super) revoked_at: Option<Timestamp>,
    pub(super) spent: Option<Spent>,
}

#[derive(Debug)]
pub(super) struct Spent {
    pub(super) at: Timestamp,
    pub(super) response: Option<SealedResponse>,
    pub(super) successor: Option<TokenDigest>,
    pub(super) successor_access: TokenDigest,
}

impl Rows {
    pub(super) fn add_tokens(&mut self, tokens: &NewTokens) {
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

    pub(super) fn require_client(&self, client: &ClientId) -> Result<(), StoreError> {
        if self.clients.contains_key(client) { Ok(()) } else { Err(StoreError::Missing(Reference::Client)) }
    }

    pub(super) fn is_taken(&self, tokens: &NewTokens) -> bool {
        self.access.contains_key(&tokens.access)
            || tokens.refresh.is_some_and(|(digest, _)| self.refresh.contains_key(&digest))
    }

    pub(super) fn is_unrevoked(&self, grant: &GrantId) -> bool {
        self.grants.get(grant).is_some_and(|stored| stored.grant.revoked.is_none())
    }

    /// The tokens of a grant that has been revoked need no mark of their own: they are read with their grant.
    pub(super) fn revoke(&mut self, id: &GrantId, reason: GrantRevocationReason, at: Timestamp) -> bool {
        match self.grants.get_mut(id) {
            Some(stored) if stored.grant.revoked.is_none() => stored.grant.revoked = Some((at, reason)),
            _ => return false,
        }
        for spent in self.refresh.values_mut().filter(|row| row.grant == *id).filter_map(|row| row.spent.as_mut()) {
            spent.response = None;
        }
        true
    }

    /// Forgets answers.
    pub(super) fn blank(&mut self, goes: impl Fn(&Spent) -> bool) {
        let spent = self.refresh.values_mut().filter_map(|row| row.spent.as_mut());
        for spent in spent.filter(|spent| spent.response.is_some() && goes(spent)) {
            spent.response = None;
        }
    }

    pub(super) fn is_used(&self, spent: &Spent) -> bool {
        let access = self.access.get(&spent.successor_access);
        let refresh = spent.successor.and_then(|digest| self.refresh.get(&digest));
        access.is_none_or(|access| access.used_at.is_some() || access.revoked_at.is_some())
            || refresh.is_some_and(|refresh| refresh.spent.is_some() || refresh.revoked_at.is_some())
    }

    /// Whether a refresh token could still be exchanged: as long as it can, it stays.
    pub(super) fn is_live(&self, refresh: &StoredRefresh, at: Timestamp) -> bool {
        refresh.spent.is_none()
            && refresh.revoked_at.is_none()
            && at < refresh.expires_at
            && self.is_unrevoked(&refresh.grant)
    }
}

pub(super) fn up_to<K: Clone>(keys: impl Iterator<Item = K>, limit: u32) -> Vec<K> {
    keys.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
}
