//! From the request of a client to the code for it.

use crate::broker::{
    AuthorizationRefusal, AuthorizationRequest, CodeRecord, Grant, GrantId, OAuthErrorCode, Parameters,
    RedirectedRefusal, Subject, TokenDigest,
};
use crate::key::Scopes;
use crate::secret::Secret;
use crate::service::Tokens;
use crate::service::tokens::{TokensError, UpstreamTokens};
use crate::store::grants::NewCode;
use crate::store::{Reference, StoreError};

pub(super) const NO_SUCH_CLIENT: &str = "there is no such client";

/// That a person has said yes, and to what.
#[derive(Debug)]
#[non_exhaustive]
pub struct Approval {
    /// Who.
    pub subject: Subject,
    /// To which of the scopes that were asked for; `None` for all of them.
    pub scopes: Option<Scopes>,
    /// The host's own tokens on behalf of this person.
    pub upstream: Option<UpstreamTokens>,
}

impl Approval {
    /// Yes to everything that was asked for.
    #[must_use]
    pub const fn new(subject: Subject) -> Self {
        Self { subject, scopes: None, upstream: None }
    }

    /// The same, to these scopes alone.
    #[must_use]
    pub fn with_scopes(self, scopes: Scopes) -> Self {
        Self { scopes: Some(scopes), ..self }
    }

    /// The same, with the host's own tokens on behalf of this person.
    #[must_use]
    pub fn with_upstream(self, tokens: UpstreamTokens) -> Self {
        Self { upstream: Some(tokens), ..self }
    }
}

impl Tokens {
    /// Whether a person may be asked (RFC 6749 section 4.1.1): who asks, for what, and where the answer goes.
    ///
    /// # Errors
    /// [`TokensError::Authorization`] says whether the client may be told; [`TokensError::Store`].
    pub async fn authorize(&self, parameters: &Parameters<'_>) -> Result<AuthorizationRequest, TokensError> {
        let id = AuthorizationRequest::client_id(parameters).map_err(refused)?;
        let client = self.asking_client(&id).await?;
        AuthorizationRequest::check(client, parameters, self.policy()).map_err(refused)
    }

    /// The person has said yes: where the browser goes now, with a new code in it. It is a secret for as long as the code is
    /// good.
    ///
    /// # Errors
    /// [`TokensError::InvalidScope`] for scopes that were not asked for; [`TokensError::NoSealKeys`] where there are
    /// upstream tokens and no keys; [`TokensError::Authorization`] when the client was removed meanwhile;
    /// [`TokensError::Store`]; [`TokensError::Random`].
    pub async fn approve(&self, request: &AuthorizationRequest, approval: Approval) -> Result<Secret, TokensError> {
        let Approval { subject, scopes, upstream } = approval;
        let scopes = scopes.unwrap_or_else(|| request.scopes.clone());
        if !scopes.iter().all(|scope| request.scopes.contains(scope)) {
            return Err(TokensError::InvalidScope);
        }
        let at = self.second();
        let mut grant =
            Grant::new(GrantId::from_stored(self.new_id()?), request.client.id.clone(), subject, scopes, at);
        grant.resource.clone_from(&request.resource);
        grant.expires_at = self.shared.grant_lifetime.map(|lifetime| at.saturating_add(lifetime));
        grant.upstream = upstream.map(|tokens| self.seal_upstream(&grant.id, tokens)).transpose()?;
        let code = self.new_secret()?;
        let digest = TokenDigest::of(code.expose_secret());
        let expires_at = at.saturating_add(self.shared.code_lifetime);
        let redirect_uri = request.redirect_uri.as_str().to_owned();
        tracing::info!(event = "grant.approved", grant = %grant.id, client = %grant.client, subject = %grant.subject.id);
        let record = CodeRecord::new(digest, grant, redirect_uri, request.challenge.clone(), expires_at);
        self.store_asking_client(&request.client).await?;
        match self.shared.store.add_code(&NewCode::new(record)).await {
            Err(StoreError::Missing(Reference::Client)) => {
                return Err(refused(AuthorizationRefusal::Shown(NO_SUCH_CLIENT)));
            }
            added => added?,
        }
        self.note_client_use(&request.client.id).await;
        Ok(request.answered(&code, self.issuer().as_str()))
    }

    /// The person has said no: what the client is told.
    #[must_use]
    pub fn deny(&self, request: &AuthorizationRequest) -> RedirectedRefusal {
        tracing::info!(event = "grant.denied", client = %request.client.id);
        request.refused(OAuthErrorCode::AccessDenied, "the person has refused")
    }
}

pub(super) fn refused(refusal: AuthorizationRefusal) -> TokensError {
    tracing::info!(event = "authorization.refused", reason = %refusal);
    TokensError::Authorization(refusal)
}
