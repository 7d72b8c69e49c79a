//! Sweeps, with the fault that a store has.

use keyward::store::StoreError;
use keyward::store::grants::{ClientListRequest, GrantFilter, GrantListRequest, GrantStore as _, SweepRequest, Swept};

use super::faults::Fault::*;
use super::store::Store;

impl Store {
    pub(super) async fn swept(&self, request: &SweepRequest) -> Result<Swept, StoreError> {
        let mut asked = *request;
        if self.has(SweepTakesNothing) {
            return Ok(Swept::default());
        }
        if self.has(SweepIgnoresTheLimit) {
            asked.limit = u32::MAX;
        }
        if self.has(SweepTakesClientsUnasked) {
            asked.clients_unused_since = Some(request.at);
        }
        if self.has(SweepLeavesExpiredAccess) {
            self.keep_access().await?;
        }
        if self.has(SweepLooksFirst) {
            let dead = self.dead_grants(request.at);
            self.gap(4, &[SweepLooksFirst]);
            self.state().hidden_grants.extend(dead);
            return Ok(Swept::default());
        }
        let mut swept = self.memory.sweep(&asked).await?;
        self.take_too_much(request);
        swept.clients += self.take_clients(request).await?;
        if self.has(SweepStopsEarly) {
            let few = u64::from(request.limit) - 1;
            for count in [&mut swept.codes, &mut swept.access_tokens, &mut swept.refresh_tokens, &mut swept.grants] {
                *count = few.min(*count);
            }
        }
        Ok(swept)
    }

    /// Shows the access tokens that there are now whatever becomes of them.
    async fn keep_access(&self) -> Result<(), StoreError> {
        let all: Vec<_> = self.state().issued.iter().map(|tokens| tokens.access).collect();
        for access in all {
            if let Some(found) = self.memory.access_token(&access).await? {
                self.state().access.insert(access, found);
            }
        }
        Ok(())
    }

    /// Hides what a careless statement would remove.
    fn take_too_much(&self, request: &SweepRequest) {
        let at = request.at;
        let mut state = self.state();
        let mut hidden = Vec::new();
        for tokens in &state.issued {
            let is_expired = tokens.access_expires_at <= at;
            if is_expired && (self.has(SweepTakesWhatRefersToTheDead) || self.has(SweepTakesWhatIsReferredTo)) {
                hidden.push(tokens.access);
            }
            let Some((refresh, expires_at)) = tokens.refresh else { continue };
            if is_expired && self.has(SweepTakesWhatRefersToTheDead)
                || expires_at <= at && self.has(SweepTakesExpiredRefreshTokens)
            {
                hidden.push(refresh);
            }
        }
        let mut hidden_grants = Vec::new();
        for new in &state.added {
            let (code, is_spent) = (&new.code, state.redeemed.contains(&new.code.digest));
            if is_spent && self.has(SweepTakesSpentCodes) || !is_spent && self.has(SweepTakesGoodCodes) {
                hidden.push(code.digest);
            }
            if !is_spent && code.expires_at <= at && self.has(SweepForgetsGrantsWithTheirCodes) {
                hidden_grants.push(code.grant.id.clone());
            }
        }
        state.hidden.extend(hidden);
        state.hidden_grants.extend(hidden_grants);
    }

    /// Removes clients that are used, or that have grants, and says how many.
    async fn take_clients(&self, request: &SweepRequest) -> Result<u64, StoreError> {
        let Some(since) = request.clients_unused_since else { return Ok(0) };
        let mut taken = 0;
        for client in self.memory.clients(&ClientListRequest::new(u32::MAX)).await? {
            let filter = GrantFilter::of_client(client.id.clone());
            let has_grants = !self.memory.grants(&GrantListRequest::new(filter, 1)).await?.is_empty();
            let is_unused = client.last_used_at.unwrap_or(client.created_at) < since;
            if self.has(SweepTakesUsedClients) && client.created_at < since && !has_grants
                || self.has(SweepTakesClientsWithGrants) && is_unused
            {
                taken += u64::from(self.memory.remove_client(&client.id, request.at).await?);
            }
        }
        Ok(taken)
    }
}
