//! The token endpoint: codes and refresh tokens for tokens.

use std::fmt;
use std::time::Duration;

use crate::broker::{
    ClientRecord, ClientRefusal, CodeRefusal, Grant, GrantId, GrantRevocationReason, OFFLINE_ACCESS, PresentedClient,
    Redemption, Refresh, RefreshRefusal, RefreshTokenRecord, RefreshVerdict, SealedResponse, TokenDigest, TokenPair,
    decide_redemption, decide_refresh, open_response, parse_scopes, seal_response,
};
use crate::key::Scopes;
use crate::seal::SealNonce;
use crate::secret::Secret;
use crate::service::Tokens;
use crate::service::tokens::TokensError;
use crate::store::grants::{ExchangeRequest, NewTokens, RedeemRequest, RevokeGrantRequest};
use crate::store::{Reference, StoreError};
use crate::time::Timestamp;

/// How often a code or a refresh token is looked at again after somebody else was first. Once tells what became of it.
const MOST_ATTEMPTS: u32 = 3;

/// What a client exchanges for tokens.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum PresentedGrant<'r> {
    /// An authorization code (RFC 6749 section 4.1.3).
    Code {
        /// The code.
        code: &'r str,
        /// The redirect URI of the authorization request.
        redirect_uri: Option<&'r str>,
        /// The code verifier.
        verifier: Option<&'r str>,
        /// The resource (RFC 8707).
        resource: Option<&'r str>,
    },
    /// A refresh token (RFC 6749 section 6).
    Refresh {
        /// The refresh token.
        refresh_token: &'r str,
        /// What the access token is to permit, with spaces between the scopes; `None` for everything that was granted.
        scope: Option<&'r str>,
        /// The resource (RFC 8707).
        resource: Option<&'r str>,
    },
}

impl<'r> PresentedGrant<'r> {
    /// A code with what belongs to it.
    #[must_use]
    pub const fn code(code: &'r str, redirect_uri: &'r str, verifier: &'r str) -> Self {
        Self::Code { code, redirect_uri: Some(redirect_uri), verifier: Some(verifier), resource: None }
    }

    /// A refresh token, for an access token with everything that was granted.
    #[must_use]
    pub const fn refresh(refresh_token: &'r str) -> Self {
        Self::Refresh { refresh_token, scope: None, resource: None }
    }
}

impl fmt::Debug for PresentedGrant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code { .. } => "Code(…)",
            Self::Refresh { .. } => "Refresh(…)",
        })
    }
}

/// Tokens that were issued just now. They are to be had here, and never again.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedTokens {
    /// The access token, a bearer token (RFC 6750).
    pub access_token: Secret,
    /// How long that is good for, in seconds.
    pub expires_in: u64,
    /// The refresh token, for a client that may have one.
    pub refresh_token: Option<Secret>,
    /// What the access token permits.
    pub scopes: Scopes,
}

/// Tokens on their way out, and what the store keeps of them.
struct Fresh {
    access: Secret,
    refresh: Option<Secret>,
    tokens: NewTokens,
}

impl Fresh {
    fn issued(self) -> IssuedTokens {
        let NewTokens { access_expires_at, at, scopes, .. } = self.tokens;
        IssuedTokens {
            access_token: self.access,
            expires_in: seconds_between(at, access_expires_at),
            refresh_token: self.refresh,
            scopes,
        }
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    to.as_seconds().saturating_sub(from.as_seconds()).max(0).unsigned_abs()
}

impl Tokens {
    /// Exchanges a code or a refresh token for tokens.
    ///
    /// Everything is checked first, and what is wrong spends nothing. A code or a refresh token that its own client presents
    /// again, with all that belongs to it, revokes everything that came of it, except a refresh token within the
    /// [window](crate::service::TokensBuilder::refresh_grace).
    ///
    /// # Errors
    /// [`TokensError`]; its [error code](TokensError::error_code) is what the client is told.
    pub async fn exchange(
        &self,
        client: PresentedClient<'_>,
        request: PresentedGrant<'_>,
    ) -> Result<IssuedTokens, TokensError> {
        let client = self.authenticate_client(client).await?;
        let issued = match request {
            PresentedGrant::Code { code, redirect_uri, verifier, resource } => {
                self.redeem(&client, code, Redemption { client: &client.id, redirect_uri, verifier, resource }).await
            }
            PresentedGrant::Refresh { refresh_token, scope, resource } => {
                let scopes = scope.map(|scope| self.asked_again(scope)).transpose()?;
                let scopes = scopes.as_ref().filter(|scopes| !scopes.is_empty());
                let presented = Refresh { client: &client.id, scopes, resource };
                match self.refresh(&client, refresh_token, presented).await {
                    // One that another program has issued to a client which did not ask for any is good nevertheless.
                    Err(TokensError::Refresh(RefreshRefusal::Unknown | RefreshRefusal::OtherClient))
                        if !client.may_refresh =>
                    {
                        Err(TokensError::UnauthorizedClient)
                    }
                    exchanged => exchanged,
                }
            }
        };
        if issued.is_ok() {
            self.note_client_use(&client.id).await;
        }
        issued
    }

    /// The scopes that a client names with a refresh token. What it had to name at the authorization endpoint, and was granted
    /// in another way, it names here as well.
    fn asked_again(&self, scope: &str) -> Result<Scopes, TokensError> {
        let asked = parse_scopes(scope).map_err(|_| TokensError::InvalidScope)?;
        let offered = &self.policy().scopes;
        Ok(Scopes::from_stored(asked.iter().filter(|scope| *scope != OFFLINE_ACCESS || offered.contains(scope))))
    }

    async fn redeem(
        &self,
        client: &ClientRecord,
        code: &str,
        presented: Redemption<'_>,
    ) -> Result<IssuedTokens, TokensError> {
        let digest = TokenDigest::of(code);
        for _ in 0..MOST_ATTEMPTS {
            let found = self.shared.store.code(&digest).await?;
            if let Err(refusal) = decide_redemption(found.as_ref(), presented, self.now()) {
                if let CodeRefusal::Replayed(grant) = &refusal {
                    self.end_replayed(grant, GrantRevocationReason::CodeReplayed).await?;
                }
                return Err(code_refused(client, refusal));
            }
            let Some(found) = found else { break };
            let fresh = self.fresh(&found.grant, found.grant.scopes.clone(), client.may_refresh)?;
            let request = RedeemRequest::new(digest, fresh.tokens.clone());
            if self.shared.store.redeem(&request).await.map_err(client_is_gone)? {
                tracing::info!(event = "code.redeemed", client = %client.id, grant = %found.grant.id);
                return Ok(fresh.issued());
            }
            // Somebody was first: a code that is presented twice at one moment is as much a replay as an hour later.
        }
        Err(code_refused(client, CodeRefusal::LostRace))
    }

    async fn refresh(
        &self,
        client: &ClientRecord,
        refresh_token: &str,
        presented: Refresh<'_>,
    ) -> Result<IssuedTokens, TokensError> {
        let digest = TokenDigest::of(refresh_token);
        for _ in 0..MOST_ATTEMPTS {
            let found = self.shared.store.refresh_token(&digest).await?;
            let scopes = match decide_refresh(found.as_ref(), presented, self.now()) {
                Ok(RefreshVerdict::Exchange(scopes)) => scopes,
                Ok(RefreshVerdict::Repeat(response)) => {
                    tracing::info!(event = "refresh_token.answer_repeated", client = %client.id);
                    return self
                        .repeat(refresh_token, response)
                        .ok_or_else(|| refresh_refused(client, RefreshRefusal::LostRace));
                }
                Err(refusal) => {
                    if let RefreshRefusal::Replayed(grant) = &refusal {
                        self.end_replayed(grant, GrantRevocationReason::RefreshTokenReplayed).await?;
                    }
                    return Err(refresh_refused(client, refusal));
                }
            };
            let Some(found) = found else { break };
            let (fresh, request) = self.exchange_of(refresh_token, &found, scopes)?;
            if self.shared.store.exchange(&request).await.map_err(client_is_gone)? {
                tracing::info!(event = "refresh_token.exchanged", client = %client.id, grant = %found.grant.id);
                return Ok(fresh.issued());
            }
            // Somebody was first: what stands there now says whether it was the same client asking twice.
        }
        Err(refresh_refused(client, RefreshRefusal::LostRace))
    }

    /// New tokens for a refresh token, and the request that stores them with the answer.
    fn exchange_of(
        &self,
        refresh_token: &str,
        found: &RefreshTokenRecord,
        scopes: Scopes,
    ) -> Result<(Fresh, ExchangeRequest), TokensError> {
        let mut grant = found.grant.clone();
        if !found.grant_is_stored {
            let upstream = grant.upstream.filter(|_| !self.shared.drops_upstream);
            grant.upstream = upstream.map(|tokens| self.adopt_upstream(&grant.id, tokens)).transpose()?;
        }
        let fresh = self.fresh(&grant, scopes, true)?;
        let mut request = ExchangeRequest::new(found.digest, fresh.tokens.clone());
        request.revokes_access = self.shared.revokes_access;
        request.response = self.response(refresh_token, &fresh)?;
        request.adopt = (!found.grant_is_stored).then_some(grant);
        Ok((fresh, request))
    }

    fn fresh(&self, grant: &Grant, scopes: Scopes, with_refresh: bool) -> Result<Fresh, TokensError> {
        let at = self.second();
        let end = |lifetime: Duration| {
            let end = at.saturating_add(lifetime);
            grant.expires_at.map_or(end, |latest| end.min(latest))
        };
        let access = self.new_secret()?;
        let refresh = with_refresh.then(|| self.new_secret()).transpose()?;
        let digest = TokenDigest::of(access.expose_secret());
        let mut tokens = NewTokens::new(grant, digest, end(self.shared.access_token_lifetime), at);
        tokens.scopes = scopes;
        tokens.refresh = refresh
            .as_ref()
            .map(|refresh| (TokenDigest::of(refresh.expose_secret()), end(self.shared.refresh_token_lifetime)));
        Ok(Fresh { access, refresh, tokens })
    }

    /// The answer, for whoever presents the spent refresh token again.
    fn response(&self, spent: &str, fresh: &Fresh) -> Result<Option<SealedResponse>, TokensError> {
        let Fresh { access, refresh: Some(refresh), tokens } = fresh else { return Ok(None) };
        let until = tokens.at.saturating_add(self.shared.refresh_grace);
        if until <= tokens.at {
            return Ok(None);
        }
        let nonce = self.shared.random.with(|random| SealNonce::generate(random))?;
        let copy = |secret: &Secret| Secret::new(secret.expose_secret().to_owned());
        let sealed = seal_response(spent, &TokenPair { access: copy(access), refresh: copy(refresh) }, nonce);
        Ok(sealed.map(|sealed| SealedResponse::new(sealed, until, tokens.access_expires_at, tokens.scopes.clone())))
    }

    fn repeat(&self, spent: &str, response: &SealedResponse) -> Option<IssuedTokens> {
        let pair = open_response(spent, &response.sealed)?;
        Some(IssuedTokens {
            access_token: pair.access,
            expires_in: seconds_between(self.now(), response.access_expires_at),
            refresh_token: Some(pair.refresh),
            scopes: response.scopes.clone(),
        })
    }

    /// Ends everything that came of a code or a refresh token which was presented twice. Nobody knows which of the two who
    /// have it is the right one (RFC 9700 section 4.14.2).
    async fn end_replayed(&self, grant: &GrantId, reason: GrantRevocationReason) -> Result<(), TokensError> {
        let request = RevokeGrantRequest::new(grant.clone(), reason, self.second());
        let was_live = self.shared.store.revoke_grant(&request).await?;
        tracing::warn!(event = "grant.replayed", %grant, reason = reason.code(), was_live);
        Ok(())
    }
}

fn code_refused(client: &ClientRecord, refusal: CodeRefusal) -> TokensError {
    tracing::warn!(event = "code.refused", client = %client.id, reason = refusal.code());
    TokensError::Code(refusal)
}

fn refresh_refused(client: &ClientRecord, refusal: RefreshRefusal) -> TokensError {
    tracing::warn!(event = "refresh_token.refused", client = %client.id, reason = refusal.code());
    TokensError::Refresh(refusal)
}

/// A client that was removed between its authentication and the change is unknown.
fn client_is_gone(error: StoreError) -> TokensError {
    match error {
        StoreError::Missing(Reference::Client) => TokensError::Client(ClientRefusal::Unknown),
        error => TokensError::Store(error),
    }
}
