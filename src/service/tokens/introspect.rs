//! The introspection endpoint (RFC 7662).

use serde_json::{Map, Value, json};

use crate::broker::{
    ClientAuthMethod, ClientId, ClientRefusal, Grant, PresentedClient, Principal, Refresh, RefreshVerdict, Resource,
    TokenDigest, decide_refresh,
};
use crate::service::Tokens;
use crate::service::tokens::{AccessError, TokensError};

/// What a token means to whoever asks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Introspection {
    /// It is not good, or not for the one who asks. No more is said (RFC 7662 section 2.2).
    Inactive,
    /// A good access token.
    Access(Principal),
    /// A good refresh token, and the grant that it renews.
    Refresh(Box<Grant>),
}

impl Introspection {
    /// The answer, of `issuer`.
    #[must_use]
    pub fn to_json(&self, issuer: &str) -> Map<String, Value> {
        let mut members = Map::new();
        let mut add = |name: &str, value: Option<Value>| members.extend(value.map(|value| (name.to_owned(), value)));
        add("active", Some(json!(!matches!(self, Self::Inactive))));
        let (client, subject, scopes, resource) = match self {
            Self::Inactive => return members,
            Self::Access(caller) => (caller.client(), caller.subject(), caller.scopes(), caller.resource()),
            Self::Refresh(grant) => (&grant.client, &grant.subject, &grant.scopes, grant.resource.as_deref()),
        };
        add("iss", Some(json!(issuer)));
        add("client_id", Some(json!(client.as_str())));
        add("sub", Some(json!(subject.id.as_str())));
        add("username", subject.name.as_ref().map(|name| json!(name)));
        add("scope", (!scopes.is_empty()).then(|| json!(scopes.joined())));
        add("aud", resource.map(|resource| json!(resource)));
        if let Self::Access(caller) = self {
            add("token_type", Some(json!("Bearer")));
            add("exp", Some(json!(caller.expires_at().as_seconds())));
            add("iat", Some(json!(caller.record().created_at.as_seconds())));
        }
        members
    }
}

/// Who asks.
enum Asker<'s> {
    /// A resource server, and the resource whose tokens it may see; `None` for all.
    ResourceServer(Option<&'s str>),
    /// A confidential client, which may see its own tokens.
    Client(ClientId),
}

impl Tokens {
    /// What a token means, for a [resource server](crate::service::TokensBuilder::resource_server), or for the confidential
    /// client that has it. What is not for the one who asks, is inactive.
    ///
    /// # Errors
    /// [`TokensError::Client`] for everybody else; [`TokensError::Store`].
    pub async fn introspect(&self, from: PresentedClient<'_>, token: &str) -> Result<Introspection, TokensError> {
        let asker = self.asker(from).await?;
        let resource = match &asker {
            Asker::ResourceServer(resource) => *resource,
            Asker::Client(_) => None,
        };
        match self.look_up(token, resource).await {
            // Another client's token is not used by being asked for.
            Ok(caller) if matches!(&asker, Asker::Client(own) if own != caller.client()) => {
                return Ok(Introspection::Inactive);
            }
            Ok(caller) => {
                self.note_first_use(&caller).await;
                return Ok(Introspection::Access(caller));
            }
            Err(AccessError::Unavailable(error)) => return Err(error.into()),
            Err(AccessError::Refused(_)) => {}
        }
        let Asker::Client(own) = asker else { return Ok(Introspection::Inactive) };
        let found = self.shared.store.refresh_token(&TokenDigest::of(token)).await?;
        let as_if = Refresh { client: &own, scopes: None, resource: None };
        let is_good = matches!(decide_refresh(found.as_ref(), as_if, self.now()), Ok(RefreshVerdict::Exchange(_)));
        let grant = found.filter(|_| is_good).map(|found| Introspection::Refresh(Box::new(found.grant)));
        Ok(grant.unwrap_or(Introspection::Inactive))
    }

    async fn asker(&self, presented: PresentedClient<'_>) -> Result<Asker<'_>, TokensError> {
        let secret = match presented {
            PresentedClient::Basic(_, secret) | PresentedClient::Post(_, secret) => Some(TokenDigest::of(secret)),
            PresentedClient::Named(_) => None,
        };
        let server = self.shared.resource_servers.iter().find(|server| server.id() == presented.id());
        if let Some(server) = server {
            return if secret.is_some_and(|secret| server.has_secret(secret)) {
                Ok(Asker::ResourceServer(server.resource().map(Resource::as_str)))
            } else {
                tracing::warn!(event = "resource_server.refused", resource_server = server.id());
                Err(TokensError::Client(ClientRefusal::WrongSecret))
            };
        }
        let client = self.authenticate_client(presented).await?;
        match client.auth_method {
            // Anybody can name a public client.
            ClientAuthMethod::None => Err(TokensError::Client(ClientRefusal::OtherMethod)),
            ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost => Ok(Asker::Client(client.id)),
        }
    }
}
