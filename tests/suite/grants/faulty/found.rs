//! What is read of a store, with the fault that it has.

use keyward::Timestamp;
use keyward::broker::{
    AccessTokenRecord, ClientId, ClientRecord, CodeRecord, Grant, GrantId, RefreshTokenRecord, SubjectId, TokenDigest,
};
use keyward::key::Scopes;
use keyward::store::grants::{ClientListRequest, GrantStore as _};
use keyward::store::{Reference, StoreError};

use super::faults::Fault::*;
use super::store::Store;

/// What fits a column of 32 bits.
fn in_32_bits(time: Timestamp) -> Timestamp {
    let seconds = time.as_micros() / 1_000_000;
    Timestamp::from_micros(i64::from(i32::try_from(seconds).unwrap_or(i32::MAX)) * 1_000_000)
}

impl Store {
    pub(super) async fn client_found(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        if self.state().hidden_clients.contains(id) {
            return Ok(None);
        }
        let mut found = self.memory.client(id).await?;
        if self.has(LookupsIgnoreCase) && found.is_none() {
            let all = self.memory.clients(&ClientListRequest::new(u32::MAX)).await?;
            found = all.into_iter().find(|client| client.id.as_str().eq_ignore_ascii_case(id.as_str()));
        }
        let found = self.state().clients.get(id).cloned().or(found);
        Ok(found.map(|mut client| {
            if self.has(RegisterForgetsScopes) {
                client.scopes = client.scopes.filter(|scopes| !scopes.is_empty());
            }
            if self.has(RegisterForgetsTheEndOfTheSecret) {
                client.secret_expires_at = None;
            }
            if self.has(NamesAreTrimmed) {
                client.name = client.name.map(|name| name.trim().to_owned());
            }
            if self.has(SecondsHave32Bits) {
                client.created_at = in_32_bits(client.created_at);
            }
            client
        }))
    }

    pub(super) async fn grant_found(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        if self.state().hidden_grants.contains(id) {
            return Ok(None);
        }
        let added = self.state().grants.get(id).cloned();
        Ok(self.memory.grant(id).await?.or(added).map(|grant| self.shown(grant)))
    }

    /// A grant as it is read, by itself or with what belongs to it.
    pub(super) fn shown(&self, mut grant: Grant) -> Grant {
        if let Some(revoked) = self.state().revocations.get(&grant.id) {
            grant.revoked = Some(*revoked);
        }
        if self.has(AddCodeForgetsTheResource) {
            grant.resource = None;
        }
        if self.has(AddCodeForgetsTheEnd) {
            grant.ends_at = None;
        }
        if self.has(UpstreamIsNotCounted) {
            grant.upstream_version = 0;
        }
        if self.has(LettersAreLost) {
            grant.subject.id = SubjectId::from_stored(grant.subject.id.as_str().replace('🦀', "?"));
        }
        grant
    }

    pub(super) async fn code_found(&self, digest: &TokenDigest) -> Result<Option<CodeRecord>, StoreError> {
        if self.state().hidden.contains(digest) {
            return Ok(None);
        }
        let stored = self.memory.code(digest).await?;
        let found = self.state().codes.get(digest).cloned().or(stored);
        Ok(found.filter(|code| !self.state().hidden_grants.contains(&code.grant.id)).map(|mut code| {
            code.grant = self.shown(code.grant);
            if self.has(AddCodeForgetsTheChallenge) {
                code.challenge = None;
            }
            if self.has(RevokeGrantLeavesCodes) {
                code.grant.revoked = None;
            }
            code
        }))
    }

    pub(super) async fn access_found(&self, digest: &TokenDigest) -> Result<Option<AccessTokenRecord>, StoreError> {
        if self.state().hidden.contains(digest) {
            return Ok(None);
        }
        let mut stored = self.memory.access_token(digest).await?;
        let is_refresh = |tokens: &_| matches!(tokens, keyward::store::grants::NewTokens { refresh: Some((refresh, _)), .. } if refresh == digest);
        let of_refresh = self.state().issued.iter().find(|tokens| is_refresh(tokens)).map(|tokens| tokens.access);
        if let (true, None, Some(access)) = (self.has(KindsAreMixed), &stored, of_refresh) {
            stored = self.memory.access_token(&access).await?;
        }
        if self.has(AbsenceIsAnError) && stored.is_none() {
            return Err(StoreError::Missing(Reference::Client));
        }
        let state = self.state();
        let Some(mut found) = state.access.get(digest).cloned().or(stored) else { return Ok(None) };
        if found.grant.as_ref().is_some_and(|grant| state.hidden_grants.contains(&grant.id)) {
            return Ok(None);
        }
        if let Some(at) = state.first_uses.get(digest) {
            found.used_at = Some(*at);
        }
        let issued = state.issued.iter().find(|tokens| tokens.access == *digest).cloned();
        drop(state);
        if let (true, Some(tokens)) = (self.has(UpstreamStaysInTokens), issued) {
            found.upstream = tokens.upstream;
        }
        found.grant = found.grant.map(|grant| self.shown(grant));
        if let (true, Some(grant)) = (self.has(RevokeGrantLeavesAccess), &mut found.grant) {
            grant.revoked = None;
        }
        Ok(Some(found))
    }

    pub(super) async fn refresh_found(&self, digest: &TokenDigest) -> Result<Option<RefreshTokenRecord>, StoreError> {
        if self.state().hidden.contains(digest) {
            return Ok(None);
        }
        let stored = self.memory.refresh_token(digest).await?;
        let added = self.state().refresh.get(digest).cloned();
        let Some(mut found) = added.or(stored) else { return Ok(None) };
        if self.state().hidden_grants.contains(&found.grant.id)
            || self.has(ExchangeForgetsTheSpent) && found.spent_at.is_some()
        {
            return Ok(None);
        }
        found.grant = self.shown(found.grant);
        if self.has(RevokeGrantLeavesRefresh) {
            found.grant.revoked = None;
        }
        let is_own = |refresh: Option<(TokenDigest, _)>| refresh.is_some_and(|(refresh, _)| refresh == *digest);
        let issued = self.state().issued.iter().find(|tokens| is_own(tokens.refresh)).cloned();
        if let (true, Some(tokens)) = (self.has(ExchangeNarrowsTheGrant), issued) {
            found.grant.scopes = tokens.scopes;
        }
        if let Some(reply) = self.state().replies.get(digest) {
            found.reply = Some(reply.clone());
        }
        if self.has(ExchangeForgetsTheAnswer) {
            found.reply = None;
        }
        if let (true, Some(reply)) = (self.has(ExchangeForgetsTheScopesOfTheAnswer), &mut found.reply) {
            reply.scopes = Scopes::default();
        }
        found.successor_is_used = self.is_used(digest).await?;
        Ok(Some(found))
    }

    /// Whether somebody has used what a refresh token was exchanged for, as far as the fault lets it be seen.
    async fn is_used(&self, digest: &TokenDigest) -> Result<bool, StoreError> {
        let successor = self.state().successors.get(digest).cloned();
        let Some(successor) = successor else { return Ok(false) };
        let access = self.memory.access_token(&successor.access).await?;
        let refresh = match successor.refresh {
            Some((refresh, _)) => self.memory.refresh_token(&refresh).await?,
            None => None,
        };
        let uses = [
            (UseOfAccessIsNotSeen, access.as_ref().is_some_and(|access| access.used_at.is_some())),
            (EndOfAccessIsNotSeen, access.is_some_and(|access| access.revoked_at.is_some())),
            (UseOfRefreshIsNotSeen, refresh.as_ref().is_some_and(|refresh| refresh.spent_at.is_some())),
            (EndOfRefreshIsNotSeen, refresh.is_some_and(|refresh| refresh.revoked_at.is_some())),
        ];
        Ok(self.has(EverySuccessorIsUsed) || uses.into_iter().any(|(fault, is_used)| is_used && !self.has(fault)))
    }
}
