//! The host's own tokens on behalf of a person: sealed on the way to the store, opened on the way back.

use std::sync::Arc;

use crate::broker::{Grant, GrantId, Principal, StoredUpstreamTokens};
use crate::seal::{SealKeys, SealNonce, SealedPlace, StoredSecret};
use crate::secret::Secret;
use crate::service::Tokens;
use crate::service::tokens::TokensError;
use crate::store::grants::{Sealing, UpstreamRequest};
use crate::time::Timestamp;

/// The columns, as their places are called.
const ACCESS_TOKEN: &str = "upstream_access_token";
const REFRESH_TOKEN: &str = "upstream_refresh_token";

/// The host's own tokens, in clear. They are for the host and never for a client.
#[derive(Debug)]
#[non_exhaustive]
pub struct UpstreamTokens {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token, if there is one.
    pub refresh_token: Option<Secret>,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

impl UpstreamTokens {
    /// An access token.
    #[must_use]
    pub const fn new(access_token: Secret, expires_at: Timestamp) -> Self {
        Self { access_token, refresh_token: None, expires_at }
    }

    /// The same, with a refresh token.
    #[must_use]
    pub fn with_refresh_token(self, refresh_token: Secret) -> Self {
        Self { refresh_token: Some(refresh_token), ..self }
    }
}

impl Tokens {
    /// The host's own tokens on behalf of the caller.
    ///
    /// # Errors
    /// [`TokensError::NoSealKeys`]; [`TokensError::Unopened`].
    pub fn upstream(&self, caller: &Principal) -> Result<Option<UpstreamTokens>, TokensError> {
        let record = caller.record();
        let grant = record.grant.as_ref().map(|grant| &grant.id);
        record.upstream.as_ref().map(|tokens| self.open_upstream(grant, tokens)).transpose()
    }

    /// Stores new tokens of the host's on behalf of whoever has made this grant: before they are used, so that none is lost.
    /// `false` when somebody has replaced them since `grant` was read, or it is gone: theirs are the ones to use.
    ///
    /// # Errors
    /// [`TokensError::NoSealKeys`]; [`TokensError::Store`]; [`TokensError::Random`].
    pub async fn replace_upstream(&self, grant: &Grant, tokens: UpstreamTokens) -> Result<bool, TokensError> {
        let sealed = self.seal_upstream(&grant.id, tokens)?;
        let request = UpstreamRequest::new(grant.id.clone(), grant.upstream_version, sealed);
        Ok(self.shared.store.replace_upstream(&request).await?)
    }

    pub(super) fn seal_upstream(
        &self,
        grant: &GrantId,
        tokens: UpstreamTokens,
    ) -> Result<StoredUpstreamTokens, TokensError> {
        let UpstreamTokens { access_token, refresh_token, expires_at } = tokens;
        let mut sealed = StoredUpstreamTokens::new(self.seal(grant, ACCESS_TOKEN, access_token)?, expires_at);
        sealed.refresh_token = refresh_token.map(|token| self.seal(grant, REFRESH_TOKEN, token)).transpose()?;
        Ok(sealed)
    }

    /// Tokens from a row of another program's, as this store keeps them.
    pub(super) fn adopt_upstream(
        &self,
        grant: &GrantId,
        tokens: StoredUpstreamTokens,
    ) -> Result<StoredUpstreamTokens, TokensError> {
        match self.shared.store.sealing() {
            Sealing::Service if self.shared.seal_keys.is_none() => Err(TokensError::NoSealKeys),
            Sealing::Service => self.seal_upstream(grant, self.open_upstream(None, &tokens)?),
            Sealing::Store => Ok(tokens),
        }
    }

    fn keys(&self) -> Result<&SealKeys, TokensError> {
        self.shared.seal_keys.as_ref().ok_or(TokensError::NoSealKeys)
    }

    fn seal(&self, grant: &GrantId, column: &str, secret: Secret) -> Result<StoredSecret, TokensError> {
        if self.shared.store.sealing() == Sealing::Store {
            return Ok(StoredSecret::Plain(Arc::new(secret)));
        }
        let keys = self.keys()?;
        let nonce = self.shared.random.with(|random| SealNonce::generate(random))?;
        let sealed = keys.seal(place(grant, column), secret.expose_secret(), nonce);
        sealed.map(StoredSecret::Sealed).map_err(|_| TokensError::TooLong)
    }

    fn open_upstream(
        &self,
        grant: Option<&GrantId>,
        tokens: &StoredUpstreamTokens,
    ) -> Result<UpstreamTokens, TokensError> {
        let open = |column, stored: &StoredSecret| match (stored, grant) {
            (StoredSecret::Plain(secret), _) => Ok(Secret::new(secret.expose_secret().to_owned())),
            (StoredSecret::Sealed(sealed), Some(grant)) => {
                self.keys()?.open(place(grant, column), sealed).map_err(TokensError::Unopened)
            }
            (StoredSecret::Sealed(_), None) => Err(TokensError::Unopened(crate::seal::OpenError::Altered)),
        };
        let access_token = open(ACCESS_TOKEN, &tokens.access_token)?;
        let refresh_token = tokens.refresh_token.as_ref().map(|token| open(REFRESH_TOKEN, token)).transpose()?;
        Ok(UpstreamTokens { access_token, refresh_token, expires_at: tokens.expires_at })
    }
}

fn place<'p>(grant: &'p GrantId, column: &'p str) -> SealedPlace<'p> {
    SealedPlace { schema: "broker", owner: grant.as_str(), column }
}
