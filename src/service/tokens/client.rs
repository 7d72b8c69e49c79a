//! Registering clients, and telling which one asks.

use serde_json::{Map, Value, json};

use crate::broker::{
    ClientAuthMethod, ClientId, ClientMetadata, ClientRecord, ClientRefusal, PresentedClient, TokenDigest,
    authenticate_client,
};
use crate::key::Scopes;
use crate::secret::Secret;
use crate::service::Tokens;
use crate::service::tokens::TokensError;
use crate::visible::Causes;

/// A client that was registered just now. Its secret is to be had here, and never again.
#[derive(Debug)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// What is stored.
    pub record: ClientRecord,
    /// The secret of a confidential client.
    pub secret: Option<Secret>,
    metadata: ClientMetadata,
}

impl RegisteredClient {
    /// The answer to the registration request (RFC 7591 section 3.2.1). With the secret in it: it is for the client alone.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut members = self.metadata.to_json();
        members.insert("client_id".to_owned(), json!(self.record.id.as_str()));
        members.insert("client_id_issued_at".to_owned(), json!(self.record.created_at.as_seconds()));
        if let Some(secret) = &self.secret {
            members.insert("client_secret".to_owned(), json!(secret.expose_secret()));
            members.insert("client_secret_expires_at".to_owned(), json!(0));
        }
        members
    }
}

impl Tokens {
    /// Registers a client (RFC 7591) under a new identifier, with a secret where it is confidential. Scopes that the server
    /// does not have are left out.
    ///
    /// # Errors
    /// [`TokensError::Store`]; [`TokensError::Random`].
    pub async fn register(&self, mut metadata: ClientMetadata) -> Result<RegisteredClient, TokensError> {
        metadata.scopes = self.offered(metadata.scopes.as_ref());
        let secret = match metadata.auth_method {
            ClientAuthMethod::None => None,
            ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost => Some(self.new_secret()?),
        };
        let id = ClientId::from_stored(self.new_id()?);
        let record = self.record(id, &metadata, secret.as_ref());
        self.shared.store.register(&record).await?;
        tracing::info!(event = "client.registered", client = %record.id, method = record.auth_method.as_str());
        Ok(RegisteredClient { record, secret, metadata })
    }

    /// What is stored of a client that says this of itself.
    pub(super) fn record(&self, id: ClientId, metadata: &ClientMetadata, secret: Option<&Secret>) -> ClientRecord {
        let mut record = ClientRecord::new(id, metadata.redirect_uris.clone(), self.second());
        record.secret = secret.map(|secret| TokenDigest::of(secret.expose_secret()));
        record.auth_method = metadata.auth_method;
        record.may_refresh = metadata.may_refresh;
        record.scopes = self.offered(metadata.scopes.as_ref());
        record.name.clone_from(&metadata.name);
        record.metadata.clone_from(&metadata.others);
        record
    }

    /// Those of the scopes that this server has; `None`, for whatever it has, where that is none of them.
    fn offered(&self, asked: Option<&Scopes>) -> Option<Scopes> {
        let offered = &self.policy().scopes;
        let scopes = Scopes::from_stored(asked?.iter().filter(|scope| offered.contains(scope)));
        (!scopes.is_empty()).then_some(scopes)
    }

    /// The client of this identifier. One whose row cannot be understood has a [`defect`](ClientRecord::defect).
    ///
    /// # Errors
    /// [`TokensError::Store`].
    pub async fn client(&self, id: &ClientId) -> Result<Option<ClientRecord>, TokensError> {
        Ok(self.shared.store.client(id).await?)
    }

    /// The client that a request comes from (RFC 6749 section 2.3).
    ///
    /// # Errors
    /// [`TokensError::Client`], the same for every reason but in the log; [`TokensError::Store`].
    pub async fn authenticate_client(&self, presented: PresentedClient<'_>) -> Result<ClientRecord, TokensError> {
        let id = ClientId::new(presented.id()).ok();
        let found = match &id {
            Some(id) => self.shared.store.client(id).await?,
            None => None,
        };
        let refusal = match (authenticate_client(found.as_ref(), presented, self.now()), found) {
            (Ok(()), Some(client)) => return Ok(client),
            (Err(refusal), _) => refusal,
            (Ok(()), None) => ClientRefusal::Unknown,
        };
        tracing::warn!(
            event = "client.refused",
            reason = refusal.code(),
            client = id.as_ref().map(tracing::field::display)
        );
        Err(TokensError::Client(refusal))
    }

    /// Notes that a client had a code or a token. That it cannot be written spoils nothing.
    pub(super) async fn note_client_use(&self, id: &ClientId) {
        if let Err(error) = self.shared.store.note_client_use(id, self.second()).await {
            tracing::warn!(event = "client.use_not_noted", client = %id, error = %Causes(&error));
        }
    }
}
