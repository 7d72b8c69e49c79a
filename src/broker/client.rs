//! Clients: what is recorded of one, and how it proves that it is this client.

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Map, Value};

use crate::broker::{ClientId, RedirectUri, TokenDigest};
use crate::key::{Defect, Scopes};
use crate::time::Timestamp;

/// How a client authenticates at the token endpoint (RFC 7591 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuthMethod {
    /// Not at all: a public client, which names itself.
    None,
    /// By HTTP Basic authentication (RFC 6749 section 2.3.1).
    ClientSecretBasic,
    /// By its secret among the parameters of the request.
    ClientSecretPost,
}

impl ClientAuthMethod {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }

    /// The method of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

/// What a store keeps of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientRecord {
    /// The identifier.
    pub id: ClientId,
    /// What its secret must digest to; `None` for a public client.
    pub secret: Option<TokenDigest>,
    /// When the secret ends; `None` for never.
    pub secret_expires_at: Option<Timestamp>,
    /// How it authenticates.
    pub auth_method: ClientAuthMethod,
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// Whether it may hold refresh tokens.
    pub may_refresh: bool,
    /// What it may ask for; `None` for whatever the server has.
    pub scopes: Option<Scopes>,
    /// What it calls itself. Anybody can register under any name.
    pub name: Option<String>,
    /// What else it has said of itself (RFC 7591 section 2), and nothing depends on: members that are none of the fields here.
    pub metadata: Map<String, Value>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last had a code or a token.
    pub last_used_at: Option<Timestamp>,
    /// What of its row cannot be understood. Such a client is not accepted.
    pub defect: Option<Defect>,
}

impl ClientRecord {
    /// A public client that may be sent to these URIs.
    #[must_use]
    pub fn new(id: ClientId, redirect_uris: Vec<RedirectUri>, created_at: Timestamp) -> Self {
        Self {
            id,
            secret: None,
            secret_expires_at: None,
            auth_method: ClientAuthMethod::None,
            redirect_uris,
            may_refresh: true,
            scopes: None,
            name: None,
            metadata: Map::new(),
            created_at,
            last_used_at: None,
            defect: None,
        }
    }

    /// The registered URI that admits `presented`.
    #[must_use]
    pub fn redirect_uri(&self, presented: &str) -> Option<&RedirectUri> {
        self.redirect_uris.iter().find(|registered| registered.admits(presented))
    }
}

/// What a request presents to prove which client it comes from.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum PresentedClient<'r> {
    /// An identifier alone.
    Named(&'r str),
    /// An identifier and a secret, by HTTP Basic authentication.
    Basic(&'r str, &'r str),
    /// An identifier and a secret among the parameters.
    Post(&'r str, &'r str),
}

impl<'r> PresentedClient<'r> {
    /// The identifier.
    #[must_use]
    pub const fn id(&self) -> &'r str {
        match self {
            Self::Named(id) | Self::Basic(id, _) | Self::Post(id, _) => id,
        }
    }

    /// Whether it came in the `Authorization` header, so that a refusal has to name a scheme.
    #[must_use]
    pub const fn is_basic(&self) -> bool {
        matches!(self, Self::Basic(..))
    }
}

impl fmt::Debug for PresentedClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, method) = match self {
            Self::Named(id) => (id, "none"),
            Self::Basic(id, _) => (id, "client_secret_basic"),
            Self::Post(id, _) => (id, "client_secret_post"),
        };
        f.debug_struct("PresentedClient").field("id", name).field("method", &method).finish_non_exhaustive()
    }
}

/// Why a client is not accepted. All are `invalid_client`, and look alike to whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientRefusal {
    /// There is no such client.
    #[error("unknown client")]
    Unknown,
    /// A public client with a secret, a confidential one without, or one by another method than it has registered.
    #[error("another authentication method than the registered one")]
    OtherMethod,
    /// The secret is another.
    #[error("wrong client secret")]
    WrongSecret,
    /// The secret has ended.
    #[error("expired client secret")]
    SecretExpired,
    /// Its row cannot be understood.
    #[error("the client's row is defective")]
    Defective,
}

impl ClientRefusal {
    /// For the log.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::OtherMethod => "other_method",
            Self::WrongSecret => "wrong_secret",
            Self::SecretExpired => "secret_expired",
            Self::Defective => "defective",
        }
    }
}

/// Whether a request comes from the client that it names (RFC 6749 sections 2.3 and 3.2.1). A client uses the method that it
/// has registered: a confidential one cannot go without its secret, and a public one has none.
///
/// # Errors
/// [`ClientRefusal`].
pub fn authenticate_client(
    found: Option<&ClientRecord>,
    presented: PresentedClient<'_>,
    at: Timestamp,
) -> Result<(), ClientRefusal> {
    // The digest is computed for a client that nobody knows, too: both cost the same.
    let (method, secret) = match presented {
        PresentedClient::Named(_) => (ClientAuthMethod::None, None),
        PresentedClient::Basic(_, secret) => (ClientAuthMethod::ClientSecretBasic, Some(TokenDigest::of(secret))),
        PresentedClient::Post(_, secret) => (ClientAuthMethod::ClientSecretPost, Some(TokenDigest::of(secret))),
    };
    // A store whose comparison ignores case, say, has found another client than the one that was named.
    let client = found.filter(|client| client.id.as_str() == presented.id()).ok_or(ClientRefusal::Unknown)?;
    if client.defect.is_some() {
        return Err(ClientRefusal::Defective);
    }
    if client.auth_method != method {
        return Err(ClientRefusal::OtherMethod);
    }
    if client.secret != secret {
        return Err(ClientRefusal::WrongSecret);
    }
    if secret.is_some() && client.secret_expires_at.is_some_and(|end| end <= at) {
        return Err(ClientRefusal::SecretExpired);
    }
    Ok(())
}
