//! The revocation endpoint (RFC 7009).

use crate::broker::{ClientRecord, GrantRevocationReason, PresentedClient, TokenDigest};
use crate::service::Tokens;
use crate::service::tokens::TokensError;
use crate::store::grants::{RevokeGrantRequest, RevokeTokenRequest, TokenKind};

impl Tokens {
    /// Revokes a token that the client has: an access token by itself, and with a refresh token its whole grant (RFC 7009
    /// section 2.1). A token that is unknown, dead or another client's is no error, and nothing becomes of it.
    ///
    /// # Errors
    /// [`TokensError::Client`]; [`TokensError::Store`].
    pub async fn revoke(&self, client: PresentedClient<'_>, token: &str) -> Result<(), TokensError> {
        let client = self.authenticate_client(client).await?;
        let digest = TokenDigest::of(token);
        // Whatever kind the client says that it is, it is found.
        if !self.revoke_refresh_token(&client, &digest).await? {
            self.revoke_access_token(&client, &digest).await?;
        }
        Ok(())
    }

    async fn revoke_refresh_token(&self, client: &ClientRecord, digest: &TokenDigest) -> Result<bool, TokensError> {
        let Some(mut found) = self.shared.store.refresh_token(digest).await? else { return Ok(false) };
        if found.client != client.id {
            return Ok(true);
        }
        if !found.grant_is_stored {
            let request = RevokeTokenRequest::new(TokenKind::Refresh, *digest, self.second());
            if self.shared.store.revoke_token(&request).await? {
                return Ok(true);
            }
            // Somebody else may just have exchanged it: then there is a grant by now, with what it was exchanged for.
            match self.shared.store.refresh_token(digest).await? {
                Some(again) if again.grant_is_stored && again.client == client.id => found = again,
                _ => return Ok(true),
            }
        }
        let request =
            RevokeGrantRequest::new(found.grant.id.clone(), GrantRevocationReason::RevokedByClient, self.second());
        let was_live = self.shared.store.revoke_grant(&request).await?;
        tracing::info!(event = "grant.revoked", grant = %found.grant.id, client = %client.id, was_live);
        Ok(true)
    }

    async fn revoke_access_token(&self, client: &ClientRecord, digest: &TokenDigest) -> Result<(), TokensError> {
        let Some(found) = self.shared.store.access_token(digest).await? else { return Ok(()) };
        if found.client == client.id {
            let request = RevokeTokenRequest::new(TokenKind::Access, *digest, self.second());
            let was_live = self.shared.store.revoke_token(&request).await?;
            tracing::info!(event = "access_token.revoked", client = %client.id, was_live);
        }
        Ok(())
    }
}
