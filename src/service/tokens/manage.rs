//! What operators and hosts do with clients and grants.

use crate::broker::{ClientId, ClientRecord, Grant, GrantId, GrantRevocationReason};
use crate::service::Tokens;
use crate::service::tokens::TokensError;
use crate::store::grants::{ClientListRequest, GrantFilter, GrantListRequest, RevokeGrantRequest, RevokeGrantsRequest};

/// How many grants are revoked in one transaction.
const REVOKED_AT_ONCE: u32 = 500;

impl Tokens {
    /// A page of clients, in the order of their identifiers, behind `after`.
    ///
    /// # Errors
    /// [`TokensError::Store`].
    pub async fn clients(&self, after: Option<ClientId>, limit: u32) -> Result<Vec<ClientRecord>, TokensError> {
        let mut request = ClientListRequest::new(limit);
        request.after = after;
        Ok(self.shared.store.clients(&request).await?)
    }

    /// Removes a client with everything that it was granted. `false` when there is none.
    ///
    /// # Errors
    /// [`TokensError::Store`].
    pub async fn remove_client(&self, id: &ClientId) -> Result<bool, TokensError> {
        let removed = self.shared.store.remove_client(id, self.second()).await?;
        tracing::info!(event = "client.removed", client = %id, removed);
        Ok(removed)
    }

    /// A page of grants, in the order of their identities, behind `after`. Dead ones are listed for as long as they are
    /// remembered.
    ///
    /// # Errors
    /// [`TokensError::Store`].
    pub async fn grants(
        &self,
        filter: GrantFilter,
        after: Option<GrantId>,
        limit: u32,
    ) -> Result<Vec<Grant>, TokensError> {
        let mut request = GrantListRequest::new(filter, limit);
        request.after = after;
        Ok(self.shared.store.grants(&request).await?)
    }

    /// Revokes one grant, with its code and every token of it. `false` when there is none or it was revoked before.
    ///
    /// # Errors
    /// [`TokensError::Store`].
    pub async fn revoke_grant(&self, id: &GrantId) -> Result<bool, TokensError> {
        let request = RevokeGrantRequest::new(id.clone(), GrantRevocationReason::Revoked, self.second());
        let revoked = self.shared.store.revoke_grant(&request).await?;
        tracing::info!(event = "grant.revoked", grant = %id, was_live = revoked);
        Ok(revoked)
    }

    /// Revokes every grant that meets the filter, such as all of a person who has changed the password, and says how many.
    ///
    /// # Errors
    /// [`TokensError::Store`]; some may be revoked then, and the same call revokes the others.
    pub async fn revoke_grants(&self, filter: GrantFilter) -> Result<u64, TokensError> {
        let mut revoked = 0;
        loop {
            let request = RevokeGrantsRequest::new(
                filter.clone(),
                GrantRevocationReason::Revoked,
                self.second(),
                REVOKED_AT_ONCE,
            );
            let more = self.shared.store.revoke_grants(&request).await?;
            revoked += more;
            if more < u64::from(REVOKED_AT_ONCE) {
                tracing::info!(event = "grants.revoked", revoked);
                return Ok(revoked);
            }
        }
    }
}
