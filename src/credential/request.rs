//! What is sent to refresh a session, and to revoke one.

use rand::TryCryptoRng;

use crate::credential::form::Form;
use crate::credential::{CoordinateForm, DpopKey, DpopNonce, DpopProof, Endpoint, OAuthClient};
use crate::random::RandomUnavailable;
use crate::secret::Secret;
use crate::time::Timestamp;

/// What makes one attempt unlike every other: the time, and the identifiers of its proof and its assertion. Building a
/// request consumes it, so that a second attempt takes a second one.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    at: Timestamp,
    proof_id: [u8; 16],
    assertion_id: [u8; 16],
}

impl Attempt {
    /// An attempt at `at`, with 16 random bytes each for the `jti` of its proof and of its assertion. A server refuses
    /// an identifier that it has seen before.
    pub const fn new(at: Timestamp, proof_id: [u8; 16], assertion_id: [u8; 16]) -> Self {
        Self { at, proof_id, assertion_id }
    }

    /// An attempt at `at` with identifiers of `generator`.
    ///
    /// # Errors
    /// [`RandomUnavailable`].
    pub fn generate(at: Timestamp, generator: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self, RandomUnavailable> {
        let mut id = || {
            let mut bytes = [0; 16];
            generator.try_fill_bytes(&mut bytes).map(|()| bytes).map_err(|_| RandomUnavailable)
        };
        Ok(Self::new(at, id()?, id()?))
    }
}

/// A request to an authorization server: `POST`, with these headers and this body, and without following redirects.
/// Its `Debug` shows neither header values nor the body.
#[derive(Debug)]
#[non_exhaustive]
pub struct TokenRequest {
    /// Where it goes.
    pub url: Endpoint,
    /// Names and values. Each name occurs once.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body, of the type `application/x-www-form-urlencoded`.
    pub body: Secret,
}

impl TokenRequest {
    /// The method of all requests to an authorization server's token and revocation endpoints.
    pub const METHOD: &'static str = "POST";
}

/// The proof that goes with a request.
#[derive(Clone, Copy, Debug)]
struct Proving<'a> {
    key: &'a DpopKey,
    form: CoordinateForm,
    nonce: Option<&'a DpopNonce>,
}

/// What both endpoints have in common.
#[derive(Clone, Copy, Debug)]
struct Envelope<'a> {
    client: &'a OAuthClient,
    endpoint: &'a Endpoint,
    issuer: &'a str,
    proving: Option<Proving<'a>>,
}

impl Envelope<'_> {
    fn build(&self, mut form: Form, attempt: &Attempt) -> TokenRequest {
        let mut headers = vec![
            ("Accept", Secret::new("application/json".to_owned())),
            ("Content-Type", Secret::new("application/x-www-form-urlencoded".to_owned())),
        ];
        let authorization = self.client.authenticate(&mut form, self.issuer, attempt.at, attempt.assertion_id);
        headers.extend(authorization.map(|value| ("Authorization", value)));
        if let Some(Proving { key, form, nonce }) = self.proving {
            let proof = DpopProof::new(TokenRequest::METHOD, self.endpoint.as_str(), attempt.at, attempt.proof_id);
            headers.push(("DPoP", Secret::new(proof.nonce(nonce).sign(key, form))));
        }
        TokenRequest { url: self.endpoint.clone(), headers, body: form.finish() }
    }
}

/// A refresh (RFC 6749 section 6), with a DPoP proof (RFC 9449 section 5) or without.
///
/// It sends neither `scope` nor `resource`, so that the session keeps what it has, and no empty parameters.
///
/// ```
/// use keyward::credential::{Attempt, ClientId, CoordinateForm, DpopKey, Endpoint, OAuthClient, RefreshRequest};
/// use keyward::{Secret, Timestamp};
///
/// let client = OAuthClient::public(ClientId::new("app")?);
/// let endpoint: Endpoint = "https://as.example/token".parse()?;
/// let refresh_token = Secret::new("r-1".to_owned());
/// let plain = RefreshRequest::new(&client, &endpoint, "https://as.example", &refresh_token);
/// let at = Timestamp::from_micros(1_893_456_000_000_000);
///
/// let sent = plain.build(Attempt::new(at, [1; 16], [2; 16]));
/// assert_eq!(sent.body.expose_secret(), "grant_type=refresh_token&refresh_token=r-1&client_id=app");
/// assert!(!sent.headers.iter().any(|(name, _)| *name == "DPoP"));
///
/// let key = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D")?;
/// let sent = plain.dpop(&key, CoordinateForm::Padded, None).build(Attempt::new(at, [3; 16], [4; 16]));
/// assert!(sent.headers.iter().any(|(name, _)| *name == "DPoP"));
/// assert!(!format!("{sent:?}").contains("r-1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct RefreshRequest<'a> {
    envelope: Envelope<'a>,
    refresh_token: &'a Secret,
}

impl<'a> RefreshRequest<'a> {
    /// A refresh by `client` at `endpoint`. `issuer` is the server's identifier as its metadata spells it (RFC 8414
    /// section 2); assertions are addressed to it.
    pub const fn new(
        client: &'a OAuthClient,
        endpoint: &'a Endpoint,
        issuer: &'a str,
        refresh_token: &'a Secret,
    ) -> Self {
        Self { envelope: Envelope { client, endpoint, issuer, proving: None }, refresh_token }
    }

    /// With a proof by `key`, in the form of the session ([`DpopKey::form_of`]), and the newest nonce of the
    /// authorization server if there is one. Another key, or the other form of an affected one, may end the session.
    pub const fn dpop(mut self, key: &'a DpopKey, form: CoordinateForm, nonce: Option<&'a DpopNonce>) -> Self {
        self.envelope.proving = Some(Proving { key, form, nonce });
        self
    }

    /// What to send, once.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "an attempt is used once")]
    pub fn build(&self, attempt: Attempt) -> TokenRequest {
        let mut form = Form::new();
        form.pair("grant_type", "refresh_token");
        form.pair("refresh_token", self.refresh_token.expose_secret());
        self.envelope.build(form, &attempt)
    }
}

/// A revocation (RFC 7009 section 2.1) of a refresh token, which ends its session.
///
/// ```
/// use keyward::credential::{Attempt, ClientId, Endpoint, OAuthClient, RevocationRequest};
/// use keyward::{Secret, Timestamp};
///
/// let client = OAuthClient::public(ClientId::new("app")?);
/// let endpoint: Endpoint = "https://as.example/revoke".parse()?;
/// let refresh_token = Secret::new("r-1".to_owned());
/// let sent = RevocationRequest::new(&client, &endpoint, "https://as.example", &refresh_token)
///     .build(Attempt::new(Timestamp::from_micros(0), [1; 16], [2; 16]));
/// assert_eq!(sent.body.expose_secret(), "token=r-1&token_type_hint=refresh_token&client_id=app");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct RevocationRequest<'a> {
    envelope: Envelope<'a>,
    refresh_token: &'a Secret,
}

impl<'a> RevocationRequest<'a> {
    /// A revocation by `client` at the revocation `endpoint`; `issuer` as for [`RefreshRequest::new`].
    pub const fn new(
        client: &'a OAuthClient,
        endpoint: &'a Endpoint,
        issuer: &'a str,
        refresh_token: &'a Secret,
    ) -> Self {
        Self { envelope: Envelope { client, endpoint, issuer, proving: None }, refresh_token }
    }

    /// With a proof, as [`RefreshRequest::dpop`].
    pub const fn dpop(mut self, key: &'a DpopKey, form: CoordinateForm, nonce: Option<&'a DpopNonce>) -> Self {
        self.envelope.proving = Some(Proving { key, form, nonce });
        self
    }

    /// What to send, once.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "an attempt is used once")]
    pub fn build(&self, attempt: Attempt) -> TokenRequest {
        let mut form = Form::new();
        form.pair("token", self.refresh_token.expose_secret());
        form.pair("token_type_hint", "refresh_token");
        self.envelope.build(form, &attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::dpop_key::tests::INDIGO;
    use crate::credential::proof::tests::verified;
    use crate::credential::{ClientAuthentication, ClientId, ClientKey};
    use rand::TryRng;
    use std::sync::Arc;

    fn endpoint() -> Endpoint {
        Endpoint::new("https://pds.example/oauth/token?tenant=a").unwrap()
    }

    fn client(authentication: ClientAuthentication) -> OAuthClient {
        OAuthClient::new(ClientId::new("app").unwrap(), authentication)
    }

    fn attempt(byte: u8) -> Attempt {
        Attempt::new(Timestamp::from_micros(1_893_456_000_000_000), [byte; 16], [byte + 100; 16])
    }

    fn header<'r>(request: &'r TokenRequest, name: &str) -> Option<&'r str> {
        request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.expose_secret())
    }

    #[test]
    fn a_refresh_by_dpop_goes_to_the_endpoint_with_a_proof_for_it() {
        let (client, endpoint, token) =
            (client(ClientAuthentication::Public), endpoint(), Secret::new("r/1".to_owned()));
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        let nonce = DpopNonce::new("n-1").unwrap();
        let refresh = RefreshRequest::new(&client, &endpoint, "https://pds.example", &token);
        let sent = refresh.dpop(&key, CoordinateForm::Padded, Some(&nonce)).build(attempt(1));
        assert_eq!(sent.url, endpoint);
        assert_eq!(sent.body.expose_secret(), "grant_type=refresh_token&refresh_token=r%2F1&client_id=app");
        let (_, claims) = verified(header(&sent, "DPoP").unwrap(), Some(&key));
        assert_eq!((claims["htm"].as_str(), claims["nonce"].as_str()), (Some("POST"), Some("n-1")));
        assert_eq!(claims["htu"], "https://pds.example/oauth/token");
        assert_eq!(claims.get("ath"), None);
        let names: Vec<_> = sent.headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["Accept", "Content-Type", "DPoP"]);
    }

    #[test]
    fn every_attempt_has_a_proof_and_an_assertion_of_its_own() {
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        let client = client(ClientAuthentication::PrivateKeyJwt(ClientKey::new(key.clone(), "k").unwrap()));
        let (endpoint, token) = (endpoint(), Secret::new("r".to_owned()));
        let refresh = RefreshRequest::new(&client, &endpoint, "https://pds.example", &token).dpop(
            &key,
            CoordinateForm::Padded,
            None,
        );
        let [first, second] = [1, 2].map(|byte| {
            let sent = refresh.build(attempt(byte));
            let assertion = sent.body.expose_secret().split_once("client_assertion=").unwrap().1.to_owned();
            let (_, proof) = verified(header(&sent, "DPoP").unwrap(), Some(&key));
            let (_, assertion) = verified(&assertion, Some(&key));
            assert_ne!(proof["jti"], assertion["jti"]);
            (proof["jti"].clone(), assertion["jti"].clone())
        });
        assert_ne!(first.0, second.0);
        assert_ne!(first.1, second.1);
    }

    #[test]
    fn a_bearer_refresh_has_no_proof_and_authenticates_its_client() {
        let secret = Arc::new(Secret::new("s".to_owned()));
        let (client, endpoint) = (client(ClientAuthentication::SecretBasic(secret)), endpoint());
        let token = Secret::new("r".to_owned());
        let sent = RefreshRequest::new(&client, &endpoint, "https://as.example", &token).build(attempt(1));
        assert_eq!(header(&sent, "DPoP"), None);
        assert_eq!(header(&sent, "Authorization"), Some("Basic YXBwOnM="));
        assert_eq!(sent.body.expose_secret(), "grant_type=refresh_token&refresh_token=r");
    }

    #[test]
    fn a_revocation_names_the_token_and_its_kind() {
        let (client, token) = (client(ClientAuthentication::Public), Secret::new("r".to_owned()));
        let endpoint = Endpoint::new("https://pds.example/oauth/revoke").unwrap();
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        let sent = RevocationRequest::new(&client, &endpoint, "https://pds.example", &token)
            .dpop(&key, CoordinateForm::Unpadded, None)
            .build(attempt(1));
        assert_eq!(sent.body.expose_secret(), "token=r&token_type_hint=refresh_token&client_id=app");
        let (_, claims) = verified(header(&sent, "DPoP").unwrap(), Some(&key));
        assert_eq!(claims["htu"], "https://pds.example/oauth/revoke");
    }

    /// Gives one byte after the other, up to a number of bytes.
    struct Counting(u8);

    impl TryRng for Counting {
        type Error = std::io::Error;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            let mut bytes = [0; 4];
            self.try_fill_bytes(&mut bytes).map(|()| u32::from_be_bytes(bytes))
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            let mut bytes = [0; 8];
            self.try_fill_bytes(&mut bytes).map(|()| u64::from_be_bytes(bytes))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            for byte in bytes {
                self.0 = self.0.checked_sub(1).ok_or_else(|| Self::Error::other("no more"))?;
                *byte = self.0;
            }
            Ok(())
        }
    }

    impl TryCryptoRng for Counting {}

    #[test]
    fn generated_attempts_differ_and_a_generator_that_fails_makes_none() {
        let at = Timestamp::from_micros(0);
        let attempt = Attempt::generate(at, &mut Counting(32)).unwrap();
        assert_ne!(attempt.proof_id, attempt.assertion_id);
        assert_eq!(Attempt::generate(at, &mut Counting(31)).unwrap_err(), RandomUnavailable);
        assert_eq!(DpopKey::generate(&mut Counting(31)).unwrap_err(), RandomUnavailable);
        assert!(DpopKey::generate(&mut Counting(255)).is_ok());
    }

    #[test]
    fn nothing_that_is_sent_is_printed() {
        let secret = Arc::new(Secret::new("client-secret".to_owned()));
        let client = client(ClientAuthentication::SecretPost(secret));
        let (endpoint, token) = (endpoint(), Secret::new("refresh-token".to_owned()));
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        let refresh = RefreshRequest::new(&client, &endpoint, "https://pds.example", &token).dpop(
            &key,
            CoordinateForm::Padded,
            None,
        );
        let sent = refresh.build(attempt(1));
        let printed = format!("{refresh:?} {sent:?}");
        for hidden in ["client-secret", "refresh-token", "eyJ", "tenant", "z42t"] {
            assert!(!printed.contains(hidden), "{hidden} in {printed}");
        }
    }
}
