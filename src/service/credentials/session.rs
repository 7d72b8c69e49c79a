//! Storing a session, and ending one.

use std::sync::Arc;
use std::time::Duration;

use crate::credential::{
    Attempt, ClientAuthentication, ClientId, CredentialHead, CredentialRecord, CredentialState, DpopNonce, Endpoint,
    KeyBinding, LONGEST_LEASE, OAuthSession, RevocationAnswer, RevocationOutcome, RevocationRequest, SessionError,
    StoredSecrets, TokenType,
};
use crate::key::{Defect, OwnerId};
use crate::secret::Secret;
use crate::service::credentials::seal::{ACCESS_TOKEN, DPOP_KEY, Means, REFRESH_TOKEN};
use crate::service::credentials::{Credentials, CredentialsError, Shared};
use crate::store::credentials::{Claim, ClaimRequest, Over, PutRequest};
use crate::visible::Causes;

/// For how long atproto's servers keep the sessions of a public client, however often they are refreshed.
const PUBLIC_ATPROTO_SESSION: Duration = Duration::from_hours(336);

/// For how long they keep those of a confidential client at most.
const CONFIDENTIAL_ATPROTO_SESSION: Duration = Duration::from_hours(17520);

impl Credentials {
    /// Stores the session of `owner`, in place of what `over` says. From then on it is this service's alone: whoever else
    /// refreshes it ends it for both.
    ///
    /// Where the session does not say when it ends, that of an atproto account (its subject is a DID) ends 14 days after it
    /// began for a public client, and two years for a confidential one.
    ///
    /// # Errors
    /// [`SessionError::AlreadyStored`] when it is the very session that stands there, whose refresh token may be on its way;
    /// [`SessionError::OtherKey`], [`CredentialsError::NoSealKeys`], and [`StoreError::Conflict`](crate::store::StoreError::Conflict) when
    /// another credential stands there.
    pub async fn put(&self, owner: &OwnerId, session: OAuthSession, over: Over) -> Result<(), CredentialsError> {
        if over != Over::Nothing {
            self.require_another(owner, &session).await?;
        }
        self.shared.store.put(&self.prepare(owner, session, over)?).await?;
        self.stored(owner);
        Ok(())
    }

    /// A session that stands there already is not stored once more: a refresh token that is on its way would count as one
    /// that nobody has sent.
    pub(in crate::service) async fn require_another(
        &self,
        owner: &OwnerId,
        session: &OAuthSession,
    ) -> Result<(), CredentialsError> {
        let Some(record) = self.shared.store.get(owner).await? else { return Ok(()) };
        let Some(stored) = &record.secrets.refresh_token else { return Ok(()) };
        // What does not open is not the same, as far as anybody can tell.
        let Ok(stored) = self.shared.open(owner, REFRESH_TOKEN, stored) else { return Ok(()) };
        match &session.refresh_token {
            Some(new) if new.expose_secret() == stored.expose_secret() => Err(SessionError::AlreadyStored.into()),
            _ => Ok(()),
        }
    }

    /// What follows once another session stands in the store.
    pub(in crate::service) fn stored(&self, owner: &OwnerId) {
        self.shared.slots.remove(owner);
        tracing::info!(event = "credential.stored", %owner);
    }

    /// The session of `owner`, sealed, as a store takes it, to be stored together with something else. Nothing is stored.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn prepare(&self, owner: &OwnerId, session: OAuthSession, over: Over) -> Result<PutRequest, CredentialsError> {
        self.shared.require_keys()?;
        self.shared.store.accept(owner, &session)?;
        if let Some(key) = &session.dpop_key
            && key.binding(session.access_token.expose_secret()) == KeyBinding::OtherKey
        {
            return Err(SessionError::OtherKey.into());
        }
        let head = self.head(owner, &session)?;
        let shared = &self.shared;
        let mut secrets = StoredSecrets::new(shared.seal(owner, ACCESS_TOKEN, &Arc::new(session.access_token))?);
        if let Some(refresh_token) = session.refresh_token {
            secrets.refresh_token = Some(shared.seal(owner, REFRESH_TOKEN, &Arc::new(refresh_token))?);
        }
        if let Some(key) = &session.dpop_key {
            secrets.dpop_key = Some(shared.seal(owner, DPOP_KEY, &Arc::new(key.to_multibase()))?);
        }
        Ok(PutRequest::new(CredentialRecord::new(head, secrets), self.now()).over(over))
    }

    fn head(&self, owner: &OwnerId, session: &OAuthSession) -> Result<CredentialHead, CredentialsError> {
        let OAuthSession { client_id, issuer, token_endpoint, .. } = session;
        let client = self.shared.client(client_id.as_str(), session.client_key_id.as_deref())?;
        let mut head = CredentialHead::new(owner.clone(), client_id.as_str(), issuer.as_str(), token_endpoint.as_str());
        head.client_key_id.clone_from(&session.client_key_id);
        if let (None, ClientAuthentication::PrivateKeyJwt(key)) = (&head.client_key_id, &client.authentication) {
            // A session keeps the key that it began with.
            head.client_key_id = Some(key.kid().to_owned());
        }
        head.subject.clone_from(&session.subject);
        head.revocation_endpoint = session.revocation_endpoint.as_ref().map(|endpoint| endpoint.as_str().to_owned());
        head.resource_server.clone_from(&session.resource_server);
        head.scopes.clone_from(&session.scopes);
        head.session_id.clone_from(&session.session_id);
        let started_at = session.started_at.unwrap_or_else(|| self.now());
        head.session_started_at = Some(started_at);
        let is_atproto = session.subject.as_deref().is_some_and(|subject| subject.starts_with("did:"));
        let lifetime = match client.authentication {
            ClientAuthentication::Public => PUBLIC_ATPROTO_SESSION,
            _ => CONFIDENTIAL_ATPROTO_SESSION,
        };
        head.session_ends_at = session.ends_at.or_else(|| is_atproto.then(|| started_at.saturating_add(lifetime)));
        head.expires_at = session.expires_at;
        head.nonces = session.nonces.clone();
        Ok(head)
    }

    /// The session of `owner` in clear, for moving it to another service. Whoever refreshes it first ends it for the other:
    /// [`wipe`](Self::wipe) it here before it is used there.
    ///
    /// # Errors
    /// [`CredentialsError::Busy`] while it is being refreshed, [`CredentialsError::Uncertain`] and
    /// [`CredentialsError::NeedsAuthorization`] where there is no session to move; otherwise as
    /// [`access_token`](Self::access_token).
    pub async fn export(&self, owner: &OwnerId) -> Result<OAuthSession, CredentialsError> {
        let record = self.shared.store.get(owner).await?.ok_or(CredentialsError::NotFound)?;
        let opened = self.shared.open_token(&record)?;
        let CredentialRecord { head, secrets } = record;
        let now = self.now();
        match head.state {
            CredentialState::Ended { reason, .. } => return Err(CredentialsError::NeedsAuthorization(reason)),
            _ if head.is_leased(now) => return Err(CredentialsError::Busy { until: head.lease_until.unwrap_or(now) }),
            CredentialState::Sent { at: since } | CredentialState::Uncertain { since } => {
                return Err(CredentialsError::Uncertain { since });
            }
            CredentialState::Active => {}
        }
        let defect = |column| CredentialsError::Defect(Defect::new(self.shared.store.schema(), column));
        let copy = |secret: &Secret| Secret::new(secret.expose_secret().to_owned());
        let client_id = ClientId::new(head.client_id).map_err(|_| defect("client_id"))?;
        let token_endpoint = Endpoint::new(head.token_endpoint).map_err(|_| defect("token_endpoint"))?;
        let mut session = OAuthSession::new(client_id, head.issuer, token_endpoint, copy(&opened.token));
        let revocation_endpoint = head.revocation_endpoint.map(Endpoint::new).transpose();
        session.revocation_endpoint = revocation_endpoint.map_err(|_| defect("revocation_endpoint"))?;
        if let Some(refresh_token) = &secrets.refresh_token {
            session.refresh_token = Some(copy(&*self.shared.open(owner, REFRESH_TOKEN, refresh_token)?));
        }
        session.dpop_key = opened.dpop.as_ref().map(|(key, _)| key.clone());
        session.client_key_id = head.client_key_id;
        session.subject = head.subject;
        session.resource_server = head.resource_server;
        session.scopes = head.scopes;
        session.session_id = head.session_id;
        session.started_at = head.session_started_at;
        session.ends_at = head.session_ends_at;
        session.expires_at = head.expires_at;
        session.nonces = head.nonces;
        tracing::warn!(event = "credential.exported", %owner);
        Ok(session)
    }

    /// Removes the credential of `owner` from the store, and leaves the session as it is at its server. `false` when there is
    /// none. What is being refreshed at the moment is gone too. Other processes hand out a token that they know for as long as
    /// it lives.
    ///
    /// # Errors
    /// [`CredentialsError::Store`] when the store could not answer.
    pub async fn wipe(&self, owner: &OwnerId) -> Result<bool, CredentialsError> {
        let wiped = self.shared.store.wipe(owner).await?;
        self.absent(owner, wiped);
        Ok(wiped)
    }

    /// What follows once there is no credential in the store any more; `wiped` says whether there was one.
    pub(in crate::service) fn absent(&self, owner: &OwnerId, wiped: bool) {
        self.shared.slots.remove(owner);
        if wiped {
            tracing::info!(event = "credential.wiped", %owner);
        }
    }

    /// Ends the session of `owner` at its server (RFC 7009), and removes the credential from the store. It is removed as well
    /// when the server could not be told.
    ///
    /// # Errors
    /// [`CredentialsError::Busy`] while it is being refreshed, as nobody knows which tokens the server takes then; ask again.
    /// [`CredentialsError::Store`] when the store could not answer.
    pub async fn revoke(&self, owner: &OwnerId) -> Result<RevokedCredential, CredentialsError> {
        let gone = RevokedCredential { was_there: false, server_was_told: false };
        let Some(found) = self.shared.store.get(owner).await? else { return Ok(gone) };
        let at = self.now();
        let until = at.saturating_add(self.shared.settings.exchange_timeout.saturating_mul(3).min(LONGEST_LEASE));
        // Also where nobody knows whether the refresh token was spent: a server confirms the end of a session that is over.
        let claim = ClaimRequest::new(owner.clone(), at, until).decided(found.head.version);
        let server_was_told = match self.shared.store.claim(&claim).await? {
            Claim::Gone => return Ok(gone),
            Claim::Lost(record) if record.head.is_leased(at) => return Err(CredentialsError::Busy { until }),
            Claim::Lost(_) => false,
            Claim::Won(record) => self.end_at_server(&record).await,
        };
        Ok(RevokedCredential { was_there: self.wipe(owner).await?, server_was_told })
    }

    /// Whether the server knows that the session of a credential is over, which need not stand in the store any more.
    pub(in crate::service) async fn end_at_server(&self, record: &CredentialRecord) -> bool {
        self.shared.tell_of_revocation(record).await.unwrap_or_else(|error| {
            let owner = &record.head.owner;
            tracing::warn!(event = "credential.not_revoked", %owner, error = %Causes(&error));
            false
        })
    }
}

/// What became of a credential that was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevokedCredential {
    /// Whether there was one. There is none now.
    pub was_there: bool,
    /// Whether its server has confirmed that the session is over. Otherwise it goes on there until it expires.
    pub server_was_told: bool,
}

impl Shared {
    /// Whether the server knows that the session is over.
    async fn tell_of_revocation(&self, record: &CredentialRecord) -> Result<bool, CredentialsError> {
        let Some(endpoint) = record.head.revocation_endpoint.as_deref().and_then(|url| url.parse().ok()) else {
            return Ok(false);
        };
        let means = self.means(record)?;
        self.revoke_token(&endpoint, &record.head.issuer, &means, &means.refresh_token, means.nonce.clone()).await
    }

    /// Whether the server confirms that a token is good for nothing any more.
    pub(super) async fn revoke_token(
        &self,
        endpoint: &Endpoint,
        issuer: &str,
        means: &Means,
        token: &Secret,
        mut nonce: Option<DpopNonce>,
    ) -> Result<bool, CredentialsError> {
        for _ in 0..2 {
            let mut request = RevocationRequest::new(&means.client, endpoint, issuer, token);
            if let Some((key, form)) = &means.opened.dpop {
                request = request.dpop(key, *form, nonce.as_ref());
            }
            let attempt = self.random.with(|random| Attempt::generate(self.clock.now(), random))?;
            let request = request.build(attempt);
            let sent = tokio::time::timeout(self.settings.exchange_timeout, self.transport.send(&request)).await;
            let Ok(Ok(answer)) = sent else { return Ok(false) };
            let by_dpop = means.opened.token_type() == TokenType::Dpop;
            let answer = RevocationAnswer::understand(answer.as_server_answer(), token, by_dpop);
            match answer.outcome {
                RevocationOutcome::Revoked => return Ok(true),
                RevocationOutcome::UseNonce => nonce = answer.nonce.or(nonce),
                _ => return Ok(false),
            }
        }
        Ok(false)
    }
}
