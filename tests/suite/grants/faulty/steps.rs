//! Codes that are added and redeemed, and refresh tokens that are exchanged, with the fault that a store has.

use keyward::broker::{AccessTokenRecord, Grant, GrantId, RefreshTokenRecord};
use keyward::store::StoreError;
use keyward::store::grants::{
    ExchangeRequest, GrantStore as _, NewCode, NewTokens, RedeemRequest, RevokeTokenRequest, TokenKind,
};

use super::faults::Fault::*;
use super::store::Store;

impl Store {
    pub(super) async fn code_added(&self, new: &NewCode) -> Result<(), StoreError> {
        let code = &new.code;
        let was_free = self.memory.code(&code.digest).await?.is_none();
        self.gap(4, &[AddCodeLooksFirst]);
        if self.has(AddCodeIgnoresTheClient) && self.memory.client(&code.grant.client).await?.is_none() {
            return Ok(());
        }
        let answer = self.memory.add_code(new).await;
        if answer.is_ok() {
            self.state().added.push(new.clone());
        }
        if !matches!(answer, Err(StoreError::Conflict)) {
            return answer;
        }
        let mut state = self.state();
        if self.has(AddCodeOverwrites) {
            state.codes.insert(code.digest, code.clone());
            return Ok(());
        }
        if self.has(AddCodeLeavesTheGrant) {
            state.grants.insert(code.grant.id.clone(), code.grant.clone());
        }
        if self.has(AddCodeLeavesTheCode) && was_free {
            state.codes.insert(code.digest, code.clone());
        }
        if self.has(AddCodeLooksFirst) && was_free { Ok(()) } else { answer }
    }

    pub(super) async fn code_redeemed(&self, request: &RedeemRequest) -> Result<bool, StoreError> {
        let mut request = request.clone();
        let found = self.memory.code(&request.code).await?;
        self.gap(4, &[RedeemLooksFirst, RedeemOutlivesRevocation]);
        let Some(mut code) = found else { return self.memory.redeem(&request).await };
        if self.has(RedeemLosesTheRefreshToken) {
            request.tokens.refresh = None;
        }
        if self.has(RedeemGivesAllScopes) {
            request.tokens.scopes = code.grant.scopes.clone();
        }
        let answer = self.memory.redeem(&request).await;
        let was_spent = code.spent_at.is_some();
        code.spent_at = Some(request.tokens.at);
        match answer {
            Ok(true) => {
                let mut state = self.state();
                state.redeemed.insert(request.code);
                state.issued.push(request.tokens);
            }
            Ok(false) => {
                if self.has(RedeemGivesLosersTokens) {
                    self.issue(&request.tokens, &code.grant);
                }
                if self.has(RedeemMovesTheTime) {
                    self.state().codes.insert(request.code, code);
                    return answer;
                }
                if self.has(RedeemOutlivesRevocation) && code.grant.revoked.is_none() && !was_spent {
                    self.issue(&request.tokens, &code.grant);
                    return Ok(true);
                }
                let was_revoked = code.grant.revoked.is_some();
                let claims = self.has(RedeemAlwaysWins)
                    || self.has(RedeemLooksFirst) && !was_spent
                    || self.has(RedeemIgnoresRevocation) && was_revoked;
                return Ok(claims);
            }
            Err(StoreError::Conflict) if self.has(RedeemOverwrites) => return Ok(true),
            Err(StoreError::Conflict) if self.has(RedeemSpendsInVain) => {
                self.state().codes.insert(request.code, code);
            }
            Err(_) => {}
        }
        answer
    }

    pub(super) async fn refresh_exchanged(&self, request: &ExchangeRequest) -> Result<bool, StoreError> {
        let mut request = request.clone();
        self.gap(1, &[RevokeTokenLooksFirst, SweepLooksFirst]);
        let found = self.memory.refresh_token(&request.refresh).await?;
        self.gap(4, &[ExchangeLooksFirst, ExchangeOutlivesRevocation, ExchangeOutlivesRemoval]);
        let Some(found) = found else { return self.memory.exchange(&request).await };
        let ends_access = request.revokes_access;
        let ends_some =
            self.has(ExchangeEndsTheLastAccessAlone) && ends_access || self.has(ExchangeEndsAccessOfTheClient);
        if self.has(ExchangeLeavesAccess) || self.has(ExchangeEndsTheLastAccessAlone) {
            request.revokes_access = false;
        }
        if self.has(ExchangeAlwaysEndsAccess) {
            request.revokes_access = true;
        }
        let answer = self.memory.exchange(&request).await;
        match answer {
            Ok(true) => {
                if ends_some {
                    self.end_access(&request, ends_access).await?;
                }
                let mut state = self.state();
                if let (true, Some(response)) = (self.has(AnswersAreKeptForGood), &request.response) {
                    state.replies.insert(request.refresh, response.clone());
                }
                state.successors.insert(request.refresh, request.tokens.clone());
                state.issued.push(request.tokens);
            }
            Ok(false) => {
                if self.has(ExchangeGivesLosersTokens) {
                    self.issue(&request.tokens, &found.grant);
                }
                if let (true, Some(response)) = (self.has(ExchangeReplacesTheAnswer), request.response) {
                    self.state().replies.insert(request.refresh, response);
                }
                let was_good = found.spent_at.is_none() && found.revoked_at.is_none() && found.grant.revoked.is_none();
                let outlives = self.has(ExchangeOutlivesRevocation) || self.has(ExchangeOutlivesRemoval);
                if outlives && was_good {
                    self.issue(&request.tokens, &found.grant);
                    return Ok(true);
                }
                let claims = self.has(ExchangeAlwaysWins)
                    || self.has(ExchangeLooksFirst) && was_good
                    || self.has(ExchangeIgnoresRevocation) && found.spent_at.is_none();
                return Ok(claims);
            }
            Err(StoreError::Conflict) if self.has(ExchangeOverwrites) => return Ok(true),
            Err(_) => {}
        }
        answer
    }

    /// Ends the access tokens that a careless statement would: the one that the refresh token was issued with, or all of
    /// the client.
    async fn end_access(&self, request: &ExchangeRequest, ends_access: bool) -> Result<(), StoreError> {
        let tokens = &request.tokens;
        let of_client = self.has(ExchangeEndsAccessOfTheClient) && ends_access;
        let is_last =
            |issued: &&NewTokens| !of_client && issued.refresh.is_some_and(|(refresh, _)| refresh == request.refresh);
        let ended: Vec<_> = {
            let state = self.state();
            let ended =
                state.issued.iter().filter(|issued| is_last(issued) || of_client && issued.client == tokens.client);
            ended.map(|issued| issued.access).collect()
        };
        for access in ended {
            let request = RevokeTokenRequest::new(TokenKind::Access, access, tokens.at);
            self.memory.revoke_token(&request).await?;
        }
        Ok(())
    }

    /// Tokens that the store in memory has refused.
    fn issue(&self, tokens: &NewTokens, grant: &Grant) {
        let access = AccessTokenRecord::new(tokens.access, grant.clone(), tokens.at, tokens.access_expires_at);
        let mut state = self.state();
        state.access.insert(tokens.access, access);
        if let Some((refresh, expires_at)) = tokens.refresh {
            state.refresh.insert(refresh, RefreshTokenRecord::new(refresh, grant.clone(), expires_at));
        }
    }

    /// The grants of which no token is good at a time, as far as it was issued by now.
    pub(super) fn dead_grants(&self, at: keyward::Timestamp) -> Vec<GrantId> {
        let state = self.state();
        let is_dead = |id: &GrantId| {
            let mut own = state.issued.iter().filter(|tokens| tokens.grant == *id);
            own.all(|tokens| tokens.remembered_until() <= at)
        };
        let grants: std::collections::BTreeSet<_> = state.issued.iter().map(|tokens| tokens.grant.clone()).collect();
        grants.into_iter().filter(is_dead).collect()
    }
}
