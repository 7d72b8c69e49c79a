//! Tokens that a server has given and that nobody may use.

use crate::credential::{CredentialHead, DpopNonce, Endpoint, TokenPair};
use crate::service::credentials::exchange::Exchange;
use crate::service::credentials::seal::Means;
use crate::visible::Causes;

impl Exchange {
    /// Has the server end the session of tokens that are not acceptable, such as another account's: they are stored nowhere,
    /// and nobody could end it later. Without the caller, once, and whatever comes of it the credential has ended.
    pub(super) fn give_back(&self, head: &CredentialHead, means: Means, pair: TokenPair, nonce: Option<DpopNonce>) {
        let owner = self.owner.clone();
        let Some(endpoint) = head.revocation_endpoint.as_deref().and_then(|url| url.parse::<Endpoint>().ok()) else {
            tracing::warn!(event = "credential.unacceptable_not_revoked", %owner, "their server is not known to revoke");
            return;
        };
        // With the refresh token goes what it has bought (RFC 7009 section 2.1).
        let token = pair.refresh_token.unwrap_or(pair.access_token);
        let (shared, issuer, flight) = (self.shared.clone(), head.issuer.clone(), self.shared.in_flight.begin());
        self.shared.runtime.spawn(async move {
            match shared.revoke_token(&endpoint, &issuer, &means, &token, nonce).await {
                Ok(true) => tracing::info!(event = "credential.unacceptable_revoked", %owner),
                Ok(false) => tracing::warn!(event = "credential.unacceptable_not_revoked", %owner),
                Err(error) => {
                    tracing::warn!(event = "credential.unacceptable_not_revoked", %owner, error = %Causes(&error));
                }
            }
            drop(flight);
        });
    }
}
