//! Who asks: the client of an authorization server, and how it proves that it is this client.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use zeroize::Zeroizing;

use crate::client_id::{ClientId, is_printable};
use crate::credential::form::{Form, escape};
use crate::credential::{DpopKey, jws};
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::visible::Visible;

/// Says that a client is authenticated by a JWT (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good for, in seconds. A new one is made for every attempt.
const ASSERTION_LIFETIME: i64 = 60;
/// The longest `kid` that is taken, in bytes.
const MAX_KID_LEN: usize = 255;

/// A client's own signing key, for `private_key_jwt`: P-256, with the `kid` under which the server knows its public
/// half. A session keeps the key that it began with.
#[derive(Clone)]
pub struct ClientKey {
    key: DpopKey,
    kid: String,
}

impl ClientKey {
    /// A key and its identifier, 1 to 255 printable ASCII characters.
    ///
    /// # Errors
    /// [`InvalidClient::KeyId`].
    pub fn new(key: DpopKey, kid: impl Into<String>) -> Result<Self, InvalidClient> {
        let kid = kid.into();
        if is_printable(&kid, MAX_KID_LEN) { Ok(Self { key, kid }) } else { Err(InvalidClient::KeyId) }
    }

    /// Which of the client's keys it is.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The assertion by which `client` authenticates to `issuer` (RFC 7523 section 3): `iss` and `sub` are the client,
    /// `aud` is the issuer and not the endpoint, and it is good for a minute.
    fn assert(&self, client: &ClientId, issuer: &str, at: Timestamp, id: [u8; 16]) -> Secret {
        let header = json!({"alg": "ES256", "kid": self.kid});
        let iat = at.as_seconds();
        let claims = json!({
            "iss": client.as_str(),
            "sub": client.as_str(),
            "aud": issuer,
            "jti": jws::token_id(id),
            "iat": iat,
            "exp": iat.saturating_add(ASSERTION_LIFETIME),
        });
        Secret::new(jws::sign(self.key.signing(), &header.to_string(), &claims))
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({:?})", Visible(&self.kid))
    }
}

/// How a client authenticates at the token endpoint. The names are those of `token_endpoint_auth_method` (RFC 7591
/// section 2, OpenID Connect Core section 9).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// `none`: it names itself and proves nothing.
    Public,
    /// `client_secret_basic`: in the header `Authorization`, with identifier and secret form-escaped (RFC 6749 section
    /// 2.3.1).
    SecretBasic(Arc<Secret>),
    /// `client_secret_post`: in the body.
    SecretPost(Arc<Secret>),
    /// `private_key_jwt`: by an assertion that it signs, a new one for every attempt.
    PrivateKeyJwt(ClientKey),
}

impl ClientAuthentication {
    /// The method's registered name.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Public => "none",
            Self::SecretBasic(_) => "client_secret_basic",
            Self::SecretPost(_) => "client_secret_post",
            Self::PrivateKeyJwt(_) => "private_key_jwt",
        }
    }
}

/// A client of an authorization server.
///
/// ```
/// use keyward::Secret;
/// use keyward::credential::{ClientAuthentication, ClientId, ClientKey, DpopKey, OAuthClient};
///
/// let id = ClientId::new("https://app.example/client-metadata.json")?;
/// let public = OAuthClient::public(id.clone());
/// assert_eq!(public.authentication.method(), "none");
///
/// let key = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D").expect("a key");
/// let confidential = OAuthClient::new(id, ClientAuthentication::PrivateKeyJwt(ClientKey::new(key, "2026-01")?));
/// assert_eq!(confidential.authentication.method(), "private_key_jwt");
///
/// assert!(ClientId::new("").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OAuthClient {
    /// Who it is.
    pub id: ClientId,
    /// How it proves that.
    pub authentication: ClientAuthentication,
}

impl OAuthClient {
    /// A client.
    #[must_use]
    pub const fn new(id: ClientId, authentication: ClientAuthentication) -> Self {
        Self { id, authentication }
    }

    /// A client without a secret.
    #[must_use]
    pub const fn public(id: ClientId) -> Self {
        Self::new(id, ClientAuthentication::Public)
    }

    /// Writes into `form` what the client has to say of itself. A header's value is returned where there is one.
    pub(super) fn authenticate(&self, form: &mut Form, issuer: &str, at: Timestamp, id: [u8; 16]) -> Option<Secret> {
        let client = self.id.as_str();
        match &self.authentication {
            ClientAuthentication::Public => form.pair("client_id", client),
            ClientAuthentication::SecretBasic(secret) => return Some(basic(client, secret.expose_secret())),
            ClientAuthentication::SecretPost(secret) => {
                form.pair("client_id", client);
                form.pair("client_secret", secret.expose_secret());
            }
            ClientAuthentication::PrivateKeyJwt(key) => {
                form.pair("client_id", client);
                form.pair("client_assertion_type", JWT_BEARER);
                form.pair("client_assertion", key.assert(&self.id, issuer, at, id).expose_secret());
            }
        }
        None
    }
}

/// Both are escaped first, so that neither a colon nor a letter outside ASCII is misread (RFC 6749 section 2.3.1).
fn basic(client: &str, secret: &str) -> Secret {
    let mut pair = Zeroizing::new(String::with_capacity(3 * (client.len() + secret.len()) + 1));
    escape(client, &mut pair);
    pair.push(':');
    escape(secret, &mut pair);
    let mut header = String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4);
    header.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut header);
    Secret::new(header)
}

/// What is not sound about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidClient {
    /// The identifier of its key.
    #[error("a key id must be 1 to 255 printable ASCII characters")]
    KeyId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::dpop_key::tests::INDIGO;
    use crate::credential::proof::tests::verified;

    const ISSUER: &str = "https://pds.example";

    fn written(authentication: ClientAuthentication, id: &str, jti: [u8; 16]) -> (String, Option<Secret>) {
        let client = OAuthClient::new(ClientId::new(id).unwrap(), authentication);
        let mut form = Form::new();
        let header = client.authenticate(&mut form, ISSUER, Timestamp::from_micros(100_000_000), jti);
        (form.finish().expose_secret().to_owned(), header)
    }

    fn secret(text: &str) -> Arc<Secret> {
        Arc::new(Secret::new(text.to_owned()))
    }

    #[test]
    fn a_public_client_sends_its_id_and_no_empty_assertion() {
        let (body, header) = written(ClientAuthentication::Public, "https://a.example/c", [0; 16]);
        assert_eq!(body, "client_id=https%3A%2F%2Fa.example%2Fc");
        assert!(header.is_none());
    }

    #[test]
    fn a_secret_goes_into_the_header_or_into_the_body_and_never_into_both() {
        let (body, header) = written(ClientAuthentication::SecretBasic(secret("p:ß +")), "a:b", [0; 16]);
        assert_eq!(body, "");
        let header = header.unwrap();
        let decoded = STANDARD.decode(header.expose_secret().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(decoded, b"a%3Ab:p%3A%C3%9F+%2B");

        let (body, header) = written(ClientAuthentication::SecretPost(secret("p&q")), "a", [0; 16]);
        assert_eq!(body, "client_id=a&client_secret=p%26q");
        assert!(header.is_none());
    }

    #[test]
    fn an_assertion_names_the_issuer_and_is_another_for_every_attempt() {
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        let authentication = ClientAuthentication::PrivateKeyJwt(ClientKey::new(key.clone(), "k-1").unwrap());
        let (body, header) = written(authentication.clone(), "https://a.example/c", [5; 16]);
        assert!(header.is_none());
        let (rest, assertion) = body.split_once("&client_assertion=").unwrap();
        assert_eq!(
            rest,
            "client_id=https%3A%2F%2Fa.example%2Fc&client_assertion_type=\
             urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        );
        let (header, claims) = verified(assertion, Some(&key));
        assert_eq!(header, json!({"alg": "ES256", "kid": "k-1"}));
        let client = "https://a.example/c";
        let expected = json!({
            "iss": client, "sub": client, "aud": ISSUER, "jti": jws::token_id([5; 16]), "iat": 100, "exp": 160,
        });
        assert_eq!(claims, expected);
        assert_ne!(body, written(authentication, "https://a.example/c", [6; 16]).0);
    }

    #[test]
    fn the_identifier_of_a_key_is_printable() {
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        assert_eq!(ClientKey::new(key, "").unwrap_err(), InvalidClient::KeyId);
    }

    #[test]
    fn no_secret_is_printed() {
        let key = ClientKey::new(DpopKey::from_multibase(INDIGO).unwrap(), "k-1").unwrap();
        for authentication in [
            ClientAuthentication::SecretBasic(secret("hush")),
            ClientAuthentication::SecretPost(secret("hush")),
            ClientAuthentication::PrivateKeyJwt(key),
        ] {
            let client = OAuthClient::new(ClientId::new("a").unwrap(), authentication);
            let printed = format!("{client:?}");
            assert!(!printed.contains("hush") && !printed.contains("z42t"), "{printed}");
        }
    }
}
