//! A session that was authorized elsewhere, on its way into a store.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::credential::{ClientId, DpopKey, Endpoint, Nonces, object};
use crate::key::{Scope, Scopes};
use crate::secret::Secret;
use crate::time::Timestamp;

/// The tokens of a session and what it takes to refresh them, as an authorization has given them.
#[non_exhaustive]
pub struct OAuthSession {
    /// The client that obtained it.
    pub client_id: ClientId,
    /// Which of its keys that client authenticated with, where it has several.
    pub client_key_id: Option<String>,
    /// The account, such as a DID.
    pub subject: Option<String>,
    /// The authorization server's issuer identifier.
    pub issuer: String,
    /// Where tokens are refreshed.
    pub token_endpoint: Endpoint,
    /// Where they are revoked.
    pub revocation_endpoint: Option<Endpoint>,
    /// Where the access token is used.
    pub resource_server: Option<String>,
    /// What was granted.
    pub scopes: Scopes,
    /// Its name at the service that obtained it.
    pub session_id: Option<String>,
    /// When the account's owner signed in; now, unless it is known.
    pub started_at: Option<Timestamp>,
    /// When it ends however often it is refreshed, where that is known.
    pub ends_at: Option<Timestamp>,
    /// The access token.
    pub access_token: Secret,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
    /// The key to which the tokens are bound; `None` for bearer tokens.
    pub dpop_key: Option<DpopKey>,
    /// When the access token expires. `None` is not known: it is refreshed before it is used.
    pub expires_at: Option<Timestamp>,
    /// The newest nonces.
    pub nonces: Nonces,
}

impl OAuthSession {
    /// A session with an access token alone. Set the fields that say more.
    #[must_use]
    pub fn new(client_id: ClientId, issuer: impl Into<String>, token_endpoint: Endpoint, access_token: Secret) -> Self {
        Self {
            client_id,
            client_key_id: None,
            subject: None,
            issuer: issuer.into(),
            token_endpoint,
            revocation_endpoint: None,
            resource_server: None,
            scopes: Scopes::default(),
            session_id: None,
            started_at: None,
            ends_at: None,
            access_token,
            refresh_token: None,
            dpop_key: None,
            expires_at: None,
            nonces: Nonces::default(),
        }
    }

    /// Reads the JSON of an atproto session as indigo keeps it (`ClientSessionData`), of the client that obtained it: the
    /// format does not say who that was, unless there is a member `oauth_client` beside what indigo writes. Another one,
    /// `expires_in`, says in how many seconds after `now` the access token expires; without it that is read from the token, if
    /// it is a JWT.
    ///
    /// # Errors
    /// [`SessionError::Missing`] names the first of what a session needs that is not there or empty; otherwise
    /// [`SessionError`] says what is wrong. No text of the session is repeated.
    pub fn from_indigo_json(json: &str, client_id: Option<ClientId>, now: Timestamp) -> Result<Self, SessionError> {
        let data: SessionData = object(json.as_bytes()).ok_or(SessionError::NotJson)?;
        let access_token = secret(data.access_token, "access_token")?;
        let refresh_token = secret(data.refresh_token, "refresh_token")?;
        let resource_server = required(data.host_url, "host_url")?;
        let issuer = required(data.authserver_url, "authserver_url")?;
        let token_endpoint = required(data.authserver_token_endpoint, "authserver_token_endpoint")?;
        let dpop_key = secret(data.dpop_privatekey_multibase, "dpop_privatekey_multibase")?;
        let subject = required(data.account_did, "account_did")?;
        let named = filled(data.oauth_client).map(ClientId::new).transpose();
        let client_id = named.map_err(|_| SessionError::Invalid("oauth_client"))?.or(client_id);
        let client_id = client_id.ok_or(SessionError::Missing("oauth_client"))?;
        let token_endpoint = Endpoint::new(token_endpoint);
        let token_endpoint = token_endpoint.map_err(|_| SessionError::Invalid("authserver_token_endpoint"))?;
        let mut session = Self::new(client_id, issuer, token_endpoint, access_token);
        let revocation_endpoint = filled(data.authserver_revocation_endpoint).map(Endpoint::new).transpose();
        session.revocation_endpoint =
            revocation_endpoint.map_err(|_| SessionError::Invalid("authserver_revocation_endpoint"))?;
        let scopes = data.scopes.unwrap_or_default().into_iter().map(Scope::new).collect::<Result<Scopes, _>>();
        session.scopes = scopes.map_err(|_| SessionError::Invalid("scopes"))?;
        session.resource_server = Some(resource_server);
        session.subject = Some(subject);
        session.session_id = filled(data.session_id);
        let key = DpopKey::from_multibase(dpop_key.expose_secret());
        session.dpop_key = Some(key.map_err(|_| SessionError::Invalid("dpop_privatekey_multibase"))?);
        session.refresh_token = Some(refresh_token);
        session.expires_at = match data.expires_in {
            Some(seconds) => Some(now.saturating_add(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))),
            None => expiry_of(session.access_token.expose_secret()),
        };
        session.nonces = Nonces {
            authorization_server: filled(data.dpop_authserver_nonce),
            resource_server: filled(data.dpop_host_nonce),
        };
        Ok(session)
    }

    /// The JSON that [`from_indigo_json`](Self::from_indigo_json) reads, with `oauth_client` and, where it is known at `now`,
    /// `expires_in`: for moving a session to another service. All its secrets stand in it in clear.
    ///
    /// # Errors
    /// [`SessionError::Missing`] names the first of what an atproto session needs and this one has not.
    pub fn to_indigo_json(&self, now: Timestamp) -> Result<Secret, SessionError> {
        let text = |value: &Option<String>, name| value.clone().ok_or(SessionError::Missing(name));
        let refresh_token = self.refresh_token.as_ref().ok_or(SessionError::Missing("refresh_token"))?;
        let key = self.dpop_key.as_ref().ok_or(SessionError::Missing("dpop_privatekey_multibase"))?.to_multibase();
        let remaining = self.expires_at.map(|at| at.as_micros().saturating_sub(now.as_micros()) / 1_000_000);
        let data = SessionData {
            account_did: Some(text(&self.subject, "account_did")?),
            session_id: self.session_id.clone(),
            host_url: Some(text(&self.resource_server, "host_url")?),
            authserver_url: Some(self.issuer.clone()),
            authserver_token_endpoint: Some(self.token_endpoint.as_str().to_owned()),
            authserver_revocation_endpoint: self.revocation_endpoint.as_ref().map(|url| url.as_str().to_owned()),
            scopes: Some(self.scopes.iter().map(str::to_owned).collect()),
            access_token: Some(Zeroizing::new(self.access_token.expose_secret().to_owned())),
            refresh_token: Some(Zeroizing::new(refresh_token.expose_secret().to_owned())),
            dpop_authserver_nonce: self.nonces.authorization_server.clone(),
            dpop_host_nonce: self.nonces.resource_server.clone(),
            dpop_privatekey_multibase: Some(Zeroizing::new(key.expose_secret().to_owned())),
            expires_in: remaining.map(|seconds| seconds.max(0)),
            oauth_client: Some(self.client_id.as_str().to_owned()),
        };
        // Nothing in it can fail to be written.
        serde_json::to_string(&data).map(Secret::new).map_err(|_| SessionError::NotJson)
    }
}

/// What is asked of a session before it is stored.
impl OAuthSession {
    /// Whether it is the session of `account`, and has everything that it takes to go on with it bound to a key: access
    /// token, refresh token, expiry, resource server, issuer, token endpoint and DPoP key.
    ///
    /// # Errors
    /// [`SessionError::Mismatch`]; [`SessionError::Missing`] names the first that is not there, or empty.
    pub fn complete_for(&self, account: &str) -> Result<(), SessionError> {
        if self.subject.as_deref() != Some(account) {
            return Err(SessionError::Mismatch);
        }
        let is_secret = |secret: &Secret| !secret.expose_secret().is_empty();
        let required = [
            ("access_token", is_secret(&self.access_token)),
            ("refresh_token", self.refresh_token.as_ref().is_some_and(is_secret)),
            ("expires_at", self.expires_at.is_some()),
            ("resource_server", self.resource_server.as_ref().is_some_and(|server| !server.is_empty())),
            ("issuer", !self.issuer.is_empty()),
            ("token_endpoint", !self.token_endpoint.as_str().is_empty()),
            ("dpop_key", self.dpop_key.is_some()),
        ];
        match required.into_iter().find(|(_, is_there)| !is_there) {
            Some((name, _)) => Err(SessionError::Missing(name)),
            None => Ok(()),
        }
    }
}

/// Without its secrets.
impl fmt::Debug for OAuthSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_id, subject, issuer, expires_at, dpop_key, .. } = self;
        f.debug_struct("OAuthSession")
            .field("client_id", client_id)
            .field("subject", subject)
            .field("issuer", issuer)
            .field("expires_at", expires_at)
            .field("dpop_key", dpop_key)
            .finish_non_exhaustive()
    }
}

/// What indigo writes, and two members beside it.
#[derive(Deserialize, Serialize)]
struct SessionData {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_did: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authserver_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authserver_token_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authserver_revocation_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_authserver_nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_host_nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_privatekey_multibase: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oauth_client: Option<String>,
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn required(text: Option<String>, name: &'static str) -> Result<String, SessionError> {
    filled(text).ok_or(SessionError::Missing(name))
}

fn secret(text: Option<Zeroizing<String>>, name: &'static str) -> Result<Secret, SessionError> {
    let text = text.filter(|text| !text.is_empty()).ok_or(SessionError::Missing(name))?;
    Ok(Secret::new(text.as_str().to_owned()))
}

/// The claim `exp` of a JWT, which is read and not verified: the token comes from the session itself.
fn expiry_of(access_token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let claims: Claims = crate::credential::jws::claims(access_token)?;
    Some(Timestamp::from_seconds(claims.exp))
}

/// Why a session was not taken. No text of it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// It is no JSON object, or a member is not of its type.
    #[error("the session is no JSON object of the form that is expected")]
    NotJson,
    /// What a session needs is not there, or empty.
    #[error("the session has no {0}")]
    Missing(&'static str),
    /// A member is not what it has to be.
    #[error("the session's {0} is not valid")]
    Invalid(&'static str),
    /// It is the session of another account than the owner's.
    #[error("the session belongs to another account")]
    Mismatch,
    /// It is the session that is stored already.
    #[error("this session is stored already")]
    AlreadyStored,
    /// Its tokens are bound to another key than its own: sending them would end it.
    #[error("the session's tokens are bound to another key")]
    OtherKey,
}
