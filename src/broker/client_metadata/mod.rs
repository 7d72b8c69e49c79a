//! What a client says of itself (RFC 7591 section 2): when it registers, or in the document at the URL that it is known by.

#[cfg(test)]
mod tests;
mod url;

use serde_json::{Map, Value, json};

pub use url::ClientMetadataUrl;

use crate::broker::{ClientAuthMethod, InvalidRedirectUri, OAuthErrorCode, RedirectUri};
use crate::key::{Scope, Scopes};

/// The longest metadata of one client, in bytes. Anybody can register.
const LONGEST_METADATA: usize = 8 * 1024;
/// The most redirect URIs of one client.
const MOST_REDIRECT_URIS: usize = 16;
/// The longest text among the metadata, in characters.
const LONGEST_TEXT: usize = 1024;
/// The longest list of scopes, in bytes.
const LONGEST_SCOPES: usize = 4096;
/// The longest name of a client, in characters.
const LONGEST_NAME: usize = 255;

const CLIENT_ID: &str = "client_id";
const SECRETS: [&str; 2] = ["client_secret", "client_secret_expires_at"];
const REDIRECT_URIS: &str = "redirect_uris";
const AUTH_METHOD: &str = "token_endpoint_auth_method";
const GRANT_TYPES: &str = "grant_types";
const RESPONSE_TYPES: &str = "response_types";
const SCOPE: &str = "scope";
const CLIENT_NAME: &str = "client_name";
const APPLICATION_TYPE: &str = "application_type";
/// Members that are kept and shown, and on which nothing depends: URLs, and texts.
const URLS: [&str; 4] = ["client_uri", "logo_uri", "tos_uri", "policy_uri"];
const TEXTS: [&str; 2] = ["software_id", "software_version"];

/// A client's metadata as it is registered: what the client has sent, with the defaults of RFC 7591 in place of what it left
/// out, and without what this server does not know.
///
/// ```
/// use keyward::broker::{ClientAuthMethod, ClientMetadata, OAuthErrorCode};
///
/// let metadata = ClientMetadata::from_json(
///     r#"{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none", "client_name": "Editor"}"#,
/// )?;
/// assert_eq!(metadata.auth_method, ClientAuthMethod::None);
/// assert_eq!(metadata.name.as_deref(), Some("Editor"));
///
/// let refused = ClientMetadata::from_json(r#"{"redirect_uris": ["javascript:alert(1)"]}"#).unwrap_err();
/// assert_eq!(refused.error_code(), OAuthErrorCode::InvalidRedirectUri);
/// # Ok::<(), keyward::broker::RegistrationRefusal>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClientMetadata {
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// How the client authenticates.
    pub auth_method: ClientAuthMethod,
    /// Whether it wants refresh tokens.
    pub may_refresh: bool,
    /// What it may ask for; `None` where it did not say.
    pub scopes: Option<Scopes>,
    /// What it calls itself.
    pub name: Option<String>,
    /// What else it says, and nothing depends on.
    pub others: Map<String, Value>,
}

impl ClientMetadata {
    /// A public client with refresh tokens that may be sent to these URIs.
    #[must_use]
    pub fn public(redirect_uris: Vec<RedirectUri>) -> Self {
        Self {
            redirect_uris,
            auth_method: ClientAuthMethod::None,
            may_refresh: true,
            scopes: None,
            name: None,
            others: Map::new(),
        }
    }

    /// Reads the body of a registration request. `null` counts as absent.
    ///
    /// # Errors
    /// [`RegistrationRefusal`].
    pub fn from_json(body: &str) -> Result<Self, RegistrationRefusal> {
        Self::from_members(members(body)?, ClientAuthMethod::ClientSecretBasic)
    }

    /// Reads the document at the URL of a client that nobody has registered. It has to name the URL it was fetched from, and the
    /// client can have no secret, for everybody can read the document
    /// ([draft](https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/) section 4).
    ///
    /// ```
    /// use keyward::broker::{ClientId, ClientMetadata, ClientMetadataUrl};
    ///
    /// let url = ClientMetadataUrl::of(&ClientId::new("https://app.example/client.json")?).unwrap();
    /// let document = r#"{"client_id": "https://app.example/client.json", "client_name": "Editor",
    ///                    "redirect_uris": ["https://app.example/cb"]}"#;
    /// assert_eq!(ClientMetadata::from_document(&url, document)?.name.as_deref(), Some("Editor"));
    ///
    /// let copied = ClientMetadataUrl::of(&ClientId::new("https://evil.example/client.json")?).unwrap();
    /// assert!(ClientMetadata::from_document(&copied, document).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RegistrationRefusal`].
    pub fn from_document(url: &ClientMetadataUrl, document: &str) -> Result<Self, RegistrationRefusal> {
        let members = members(document)?;
        if members.get(CLIENT_ID).and_then(Value::as_str) != Some(url.as_str()) {
            return Err(RegistrationRefusal::Metadata("client_id must be the URL of the document"));
        }
        if SECRETS.iter().any(|member| members.contains_key(*member)) {
            return Err(RegistrationRefusal::Metadata("a public document holds no client_secret"));
        }
        let metadata = Self::from_members(members, ClientAuthMethod::None)?;
        match metadata.auth_method {
            ClientAuthMethod::None => Ok(metadata),
            ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost => {
                Err(RegistrationRefusal::Metadata("token_endpoint_auth_method must be none"))
            }
        }
    }

    fn from_members(
        mut members: Map<String, Value>,
        default_method: ClientAuthMethod,
    ) -> Result<Self, RegistrationRefusal> {
        let redirect_uris = redirect_uris(&members)?;
        let auth_method = match text(&members, AUTH_METHOD)? {
            None => default_method,
            Some(name) => ClientAuthMethod::from_name(name).ok_or(RegistrationRefusal::Metadata(
                "token_endpoint_auth_method must be none, client_secret_basic or client_secret_post",
            ))?,
        };
        let grant_types = texts(&members, GRANT_TYPES)?.unwrap_or_else(|| vec!["authorization_code"]);
        if !grant_types.contains(&"authorization_code") {
            return Err(RegistrationRefusal::Metadata("grant_types must contain authorization_code"));
        }
        let may_refresh = grant_types.contains(&"refresh_token");
        if texts(&members, RESPONSE_TYPES)?.is_some_and(|types| !types.contains(&"code")) {
            return Err(RegistrationRefusal::Metadata("response_types must contain code"));
        }
        let scopes = text(&members, SCOPE)?.map(parse_scopes).transpose();
        let scopes = scopes.map_err(|_| RegistrationRefusal::Metadata("scope must be a list of scopes"))?;
        let name = text(&members, CLIENT_NAME)?.map(str::to_owned);
        if name.as_ref().is_some_and(|name| crate::key::check_text(name, LONGEST_NAME).is_err()) {
            return Err(RegistrationRefusal::Metadata(
                "client_name must have 1 to 255 characters and no control characters",
            ));
        }
        if text(&members, APPLICATION_TYPE)?.is_some_and(|kind| !["web", "native"].contains(&kind)) {
            return Err(RegistrationRefusal::Metadata("application_type must be web or native"));
        }
        for member in URLS {
            if text(&members, member)?.is_some_and(|url| !is_web_url(url)) {
                return Err(RegistrationRefusal::Metadata("client_uri, logo_uri, tos_uri and policy_uri must be URLs"));
            }
        }
        let kept = |member: &str| URLS.contains(&member) || TEXTS.contains(&member) || member == APPLICATION_TYPE;
        for member in TEXTS {
            text(&members, member)?;
        }
        let contacts = texts(&members, "contacts")?.map(|contacts| json!(contacts));
        members.retain(|member, _| kept(member));
        members.extend(contacts.map(|contacts| ("contacts".to_owned(), contacts)));
        Ok(Self { redirect_uris, auth_method, may_refresh, scopes, name, others: members })
    }

    /// Every member that is registered (RFC 7591 section 3.2.1), without `null` and empty lists.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let uris: Vec<_> = self.redirect_uris.iter().map(RedirectUri::as_str).collect();
        let grant_types: &[_] =
            if self.may_refresh { &["authorization_code", "refresh_token"] } else { &["authorization_code"] };
        let mut members = self.others.clone();
        members.insert(REDIRECT_URIS.to_owned(), json!(uris));
        members.insert(AUTH_METHOD.to_owned(), json!(self.auth_method.as_str()));
        members.insert(GRANT_TYPES.to_owned(), json!(grant_types));
        members.insert(RESPONSE_TYPES.to_owned(), json!(["code"]));
        members.extend(self.scopes.as_ref().map(|scopes| (SCOPE.to_owned(), json!(scopes.joined()))));
        members.extend(self.name.as_ref().map(|name| (CLIENT_NAME.to_owned(), json!(name))));
        members
    }
}

/// Reads a list of scopes with spaces between them (RFC 6749 section 3.3). One that is longer than any server's costs
/// nothing: each scope is compared with all before it.
pub(crate) fn parse_scopes(scopes: &str) -> Result<Scopes, crate::key::InvalidScope> {
    if scopes.len() > LONGEST_SCOPES {
        return Err(crate::key::InvalidScope);
    }
    scopes.split(' ').filter(|scope| !scope.is_empty()).map(Scope::new).collect()
}

/// The members of a JSON object, without those that are `null`.
fn members(body: &str) -> Result<Map<String, Value>, RegistrationRefusal> {
    if body.len() > LONGEST_METADATA {
        return Err(RegistrationRefusal::Metadata("the metadata is longer than 8 KiB"));
    }
    let mut members: Map<String, Value> =
        serde_json::from_str(body).map_err(|_| RegistrationRefusal::Metadata("the body is no JSON object"))?;
    members.retain(|_, value| !value.is_null());
    Ok(members)
}

fn redirect_uris(members: &Map<String, Value>) -> Result<Vec<RedirectUri>, RegistrationRefusal> {
    let uris = members.get(REDIRECT_URIS).and_then(Value::as_array);
    let uris = uris.and_then(|uris| uris.iter().map(Value::as_str).collect::<Option<Vec<_>>>()).unwrap_or_default();
    if uris.is_empty() || uris.len() > MOST_REDIRECT_URIS {
        return Err(RegistrationRefusal::RedirectUris);
    }
    uris.into_iter().map(|uri| RedirectUri::new(uri).map_err(RegistrationRefusal::RedirectUri)).collect()
}

fn text<'m>(members: &'m Map<String, Value>, name: &'static str) -> Result<Option<&'m str>, RegistrationRefusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= LONGEST_TEXT => Ok(Some(text)),
        Some(_) => Err(RegistrationRefusal::Member(name)),
    }
}

fn texts<'m>(members: &'m Map<String, Value>, name: &'static str) -> Result<Option<Vec<&'m str>>, RegistrationRefusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Array(texts)) if texts.is_empty() => Ok(None),
        Some(Value::Array(texts)) if texts.len() <= MOST_REDIRECT_URIS => {
            let all = texts.iter().map(|text| text.as_str().filter(|text| text.len() <= LONGEST_TEXT)).collect();
            Option::map(all, Some).ok_or(RegistrationRefusal::Member(name))
        }
        Some(_) => Err(RegistrationRefusal::Member(name)),
    }
}

fn is_web_url(text: &str) -> bool {
    ::url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

/// Why a client is not registered (RFC 7591 section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationRefusal {
    /// There is no redirect URI, or there are too many.
    #[error("redirect_uris must be a list of 1 to {MOST_REDIRECT_URIS} URIs")]
    RedirectUris,
    /// One of them cannot be registered.
    #[error(transparent)]
    RedirectUri(InvalidRedirectUri),
    /// A member is of another type, or too long.
    #[error("{0} is malformed")]
    Member(&'static str),
    /// Something else that this server does not do.
    #[error("{0}")]
    Metadata(&'static str),
}

impl RegistrationRefusal {
    /// The code that the client is told.
    #[must_use]
    pub const fn error_code(&self) -> OAuthErrorCode {
        match self {
            Self::RedirectUris | Self::RedirectUri(_) => OAuthErrorCode::InvalidRedirectUri,
            Self::Member(_) | Self::Metadata(_) => OAuthErrorCode::InvalidClientMetadata,
        }
    }
}
