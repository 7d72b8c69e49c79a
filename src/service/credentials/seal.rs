//! Sealing on the way to the store, and opening on the way back.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::credential::{
    ClientAuthentication, CredentialRecord, DpopKey, DpopNonce, Endpoint, KeyBinding, OAuthClient, SessionError,
    StoredSecrets,
};
use crate::key::{Defect, OwnerId};
use crate::seal::{SealKeys, SealNonce, SealedPlace, StoredSecret};
use crate::secret::Secret;
use crate::service::credentials::opened::Opened;
use crate::service::credentials::{CredentialsError, Shared};
use crate::store::credentials::Sealing;

/// The columns of secrets, as their places are called.
pub(super) const ACCESS_TOKEN: &str = "access_token";
pub(super) const REFRESH_TOKEN: &str = "refresh_token";
pub(super) const DPOP_KEY: &str = "dpop_key";

/// What a refresh needs in clear.
pub(super) struct Means {
    pub(super) client: OAuthClient,
    pub(super) endpoint: Endpoint,
    pub(super) refresh_token: Arc<Secret>,
    pub(super) opened: Arc<Opened>,
    pub(super) nonce: Option<DpopNonce>,
}

impl Shared {
    pub(super) fn keys(&self) -> Result<&SealKeys, CredentialsError> {
        self.seal_keys.as_ref().ok_or(CredentialsError::NoSealKeys)
    }

    /// Whether a new pair could be sealed: asked before one is fetched.
    pub(super) fn require_keys(&self) -> Result<(), CredentialsError> {
        match self.store.sealing() {
            Sealing::Service => self.keys().map(|_| ()),
            Sealing::Store => Ok(()),
        }
    }

    pub(super) fn seal(
        &self,
        owner: &OwnerId,
        column: &'static str,
        secret: &Arc<Secret>,
    ) -> Result<StoredSecret, CredentialsError> {
        if self.store.sealing() == Sealing::Store {
            return Ok(StoredSecret::Plain(Arc::clone(secret)));
        }
        let nonce = self.random.with(|random| SealNonce::generate(random))?;
        let sealed = self.keys()?.seal(self.place(owner, column), secret.expose_secret(), nonce);
        sealed.map(StoredSecret::Sealed).map_err(|_| CredentialsError::TooLong { column })
    }

    pub(super) fn open(
        &self,
        owner: &OwnerId,
        column: &'static str,
        secret: &StoredSecret,
    ) -> Result<Arc<Secret>, CredentialsError> {
        match secret {
            StoredSecret::Plain(secret) => Ok(Arc::clone(secret)),
            StoredSecret::Sealed(sealed) => {
                let opened = self.keys()?.open(self.place(owner, column), sealed);
                opened.map(Arc::new).map_err(|source| CredentialsError::Open { column, source })
            }
        }
    }

    pub(super) fn place<'p>(&self, owner: &'p OwnerId, column: &'static str) -> SealedPlace<'p> {
        SealedPlace { schema: self.store.schema(), owner: owner.as_str(), column }
    }

    /// All secrets of a credential, sealed anew.
    pub(super) fn seal_anew(
        &self,
        owner: &OwnerId,
        secrets: &StoredSecrets,
    ) -> Result<StoredSecrets, CredentialsError> {
        let again = |column, secret: &Option<StoredSecret>| {
            let secret = secret.as_ref().map(|secret| self.seal(owner, column, &self.open(owner, column, secret)?));
            secret.transpose()
        };
        Ok(StoredSecrets {
            access_token: again(ACCESS_TOKEN, &secrets.access_token)?,
            refresh_token: again(REFRESH_TOKEN, &secrets.refresh_token)?,
            dpop_key: again(DPOP_KEY, &secrets.dpop_key)?,
        })
    }

    /// The access token of a credential in clear.
    pub(super) fn open_token(&self, record: &CredentialRecord) -> Result<Arc<Opened>, CredentialsError> {
        let CredentialRecord { head, secrets } = record;
        let defect = |column| CredentialsError::Defect(Defect::new(self.store.schema(), column));
        if let Some(defect) = head.defect {
            return Err(CredentialsError::Defect(defect));
        }
        let token = secrets.access_token.as_ref().ok_or_else(|| defect(ACCESS_TOKEN))?;
        let token = self.open(&head.owner, ACCESS_TOKEN, token)?;
        let dpop = secrets.dpop_key.as_ref().map(|key| {
            let key = self.open(&head.owner, DPOP_KEY, key)?;
            let key = DpopKey::from_multibase(key.expose_secret()).map_err(|_| defect(DPOP_KEY))?;
            let form = key.form_of(token.expose_secret());
            Ok::<_, CredentialsError>((key, form))
        });
        let nonce = head.nonces.resource_server.as_deref().and_then(|nonce| nonce.parse().ok()).map(Arc::new);
        Ok(Arc::new(Opened {
            token,
            expires_at: head.expires_at,
            dpop: dpop.transpose()?,
            resource_server: head.resource_server.clone(),
            nonce: nonce.into(),
            generation: head.generation,
            was_refused: AtomicBool::new(false),
        }))
    }

    /// What it takes to refresh a credential. Everything that can be wrong with it shows here, before anything is sent.
    pub(super) fn means(&self, record: &CredentialRecord) -> Result<Means, CredentialsError> {
        self.require_keys()?;
        let CredentialRecord { head, secrets } = record;
        let defect = |column| CredentialsError::Defect(Defect::new(self.store.schema(), column));
        let opened = self.open_token(record)?;
        if let Some((key, _)) = &opened.dpop
            && key.binding(opened.token.expose_secret()) == KeyBinding::OtherKey
        {
            // A server that sees the wrong key ends the session.
            return Err(SessionError::OtherKey.into());
        }
        let refresh_token = secrets.refresh_token.as_ref().ok_or_else(|| defect(REFRESH_TOKEN))?;
        let refresh_token = self.open(&head.owner, REFRESH_TOKEN, refresh_token)?;
        let client = self.client(&head.client_id, head.client_key_id.as_deref())?;
        let endpoint = head.token_endpoint.parse().map_err(|_| defect("token_endpoint"))?;
        // A nonce that cannot be sent is asked for once more.
        let nonce = head.nonces.authorization_server.as_deref().and_then(|nonce| nonce.parse().ok());
        Ok(Means { client, endpoint, refresh_token, opened, nonce })
    }

    pub(super) fn client(&self, id: &str, key_id: Option<&str>) -> Result<OAuthClient, CredentialsError> {
        let is_meant = |client: &&OAuthClient| {
            client.id.as_str() == id
                && match (&client.authentication, key_id) {
                    (ClientAuthentication::PrivateKeyJwt(key), Some(key_id)) => key.kid() == key_id,
                    (_, key_id) => key_id.is_none(),
                }
        };
        let client = self.clients.iter().find(is_meant);
        client.cloned().ok_or_else(|| CredentialsError::UnknownClient { client_id: id.to_owned() })
    }
}
