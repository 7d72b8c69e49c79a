//! Proof of possession: one small JWS for one request (RFC 9449 section 4).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::credential::endpoint::target;
use crate::credential::{CoordinateForm, DpopKey, DpopNonce, jws};
use crate::secret::Secret;
use crate::time::Timestamp;

/// A proof for one request: the value of its header `DPoP`.
///
/// It has the claims of RFC 9449 section 4.2 and no others. Above all it has no `exp`: a server judges the age of a
/// proof by `iat` and its own window, in which the atproto PDS is generous (120 s either way). An `exp` could only make
/// a proof fail earlier, at a server whose clock is ahead.
///
/// ```
/// use keyward::credential::{CoordinateForm, DpopKey, DpopProof};
/// use keyward::{Secret, Timestamp};
///
/// let key = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D")?;
/// let access_token = Secret::new("eyJh….eyJz….sig".to_owned());
/// let random_bytes = [7; 16]; // 16 bytes of a generator, new for every proof
/// let proof = DpopProof::new("GET", "https://pds.example/xrpc/a.b.c?limit=5", Timestamp::from_micros(0), random_bytes)
///     .access_token(&access_token)
///     .sign(&key, CoordinateForm::Padded);
/// assert_eq!(proof.split('.').count(), 3);
/// assert!(!proof.contains(access_token.expose_secret())); // only its hash is in it
/// # Ok::<(), keyward::credential::InvalidDpopKey>(())
/// ```
#[must_use]
pub struct DpopProof<'a> {
    method: &'a str,
    url: &'a str,
    at: Timestamp,
    id: [u8; 16],
    nonce: Option<&'a DpopNonce>,
    access_token: Option<&'a Secret>,
}

impl<'a> DpopProof<'a> {
    /// A proof for a request with `method` (as it stands in the request line) to the absolute `url`, whose query and
    /// fragment are left out of it. `at` becomes `iat`, in whole seconds. `id` are 16 random bytes, which become `jti`:
    /// a server refuses a second proof with the same.
    pub const fn new(method: &'a str, url: &'a str, at: Timestamp, id: [u8; 16]) -> Self {
        Self { method, url, at, id, nonce: None, access_token: None }
    }

    /// With the newest nonce of the server that the request goes to, if it has given one.
    pub const fn nonce(mut self, nonce: Option<&'a DpopNonce>) -> Self {
        self.nonce = nonce;
        self
    }

    /// For a request that presents `access_token`: with its hash (`ath`). Not for requests to the token endpoint.
    pub const fn access_token(mut self, access_token: &'a Secret) -> Self {
        self.access_token = Some(access_token);
        self
    }

    /// Signs by ES256. The form is that of the session ([`DpopKey::form_of`]); in the other form an affected key counts
    /// as another key.
    #[must_use]
    pub fn sign(&self, key: &DpopKey, form: CoordinateForm) -> String {
        let header = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{}}}"#, key.jwk(form));
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("jti", jws::token_id(self.id).into());
        claim("htm", self.method.into());
        claim("htu", target(self.url).into());
        claim("iat", self.at.as_seconds().into());
        if let Some(nonce) = self.nonce {
            claim("nonce", nonce.as_str().into());
        }
        if let Some(access_token) = self.access_token {
            claim("ath", URL_SAFE_NO_PAD.encode(Sha256::digest(access_token.expose_secret())).into());
        }
        jws::sign(key.signing(), &header, &Value::Object(claims))
    }
}

/// Without the URL's query and without what the proof is made from.
impl fmt::Debug for DpopProof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopProof")
            .field("htm", &self.method)
            .field("htu", &target(self.url))
            .field("iat", &self.at)
            .field("nonce", &self.nonce)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::credential::dpop_key::tests::{INDIGO, key_with};
    use p256::ecdsa::signature::Verifier as _;
    use p256::ecdsa::{Signature, VerifyingKey};

    /// Header and claims of a JWS whose signature is good, by the key in its header unless one is given.
    pub(crate) fn verified(text: &str, key: Option<&DpopKey>) -> (Value, Value) {
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let header: Value = serde_json::from_slice(&decode(header)).unwrap();
        let claims: Value = serde_json::from_slice(&decode(claims)).unwrap();
        let shown = || {
            let coordinate = |name: &str| {
                let octets = decode(header["jwk"][name].as_str().unwrap());
                [vec![0; 32 - octets.len()], octets].concat()
            };
            let point = [vec![4], coordinate("x"), coordinate("y")].concat();
            VerifyingKey::from_sec1_bytes(&point).unwrap()
        };
        let verifying_key = key.map_or_else(shown, |key| *key.signing().verifying_key());
        let signature = Signature::from_slice(&decode(signature)).unwrap();
        verifying_key.verify(signed.as_bytes(), &signature).unwrap();
        (header, claims)
    }

    fn now() -> Timestamp {
        Timestamp::from_micros(1_893_456_000_999_999)
    }

    #[test]
    fn a_proof_has_the_claims_of_the_rfc_and_no_others() {
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        let nonce = DpopNonce::new("n-1").unwrap();
        let proof = DpopProof::new("POST", "https://a.example/t?x=1#y", now(), [0; 16]).nonce(Some(&nonce));
        let (header, claims) = verified(&proof.sign(&key, CoordinateForm::Padded), None);
        let jwk: Value = serde_json::from_str(&key.jwk(CoordinateForm::Padded)).unwrap();
        assert_eq!(header, serde_json::json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}));
        let expected = serde_json::json!({
            "jti": "AAAAAAAAAAAAAAAAAAAAAA", "htm": "POST", "htu": "https://a.example/t", "iat": 1_893_456_000,
            "nonce": "n-1",
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn ath_is_the_one_of_the_rfcs_example() {
        // RFC 9449 section 7.1.
        let token = Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_owned());
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        let proof = DpopProof::new("GET", "https://resource.example.org/protectedresource", now(), [1; 16])
            .access_token(&token);
        let (_, claims) = verified(&proof.sign(&key, CoordinateForm::Padded), None);
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
        assert_eq!(claims.get("nonce"), None);
    }

    #[test]
    fn a_proof_is_made_again_letter_for_letter_and_another_id_makes_another() {
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        let sign = |id| DpopProof::new("POST", "https://a.example/t", now(), id).sign(&key, CoordinateForm::Padded);
        assert_eq!(sign([1; 16]), sign([1; 16]));
        assert_ne!(sign([1; 16]), sign([2; 16]));
    }

    #[test]
    fn a_proof_carries_the_key_in_the_form_of_the_session() {
        for (short_x, short_y) in [(true, false), (false, true), (false, false)] {
            let key = key_with(short_x, short_y);
            for form in [CoordinateForm::Padded, CoordinateForm::Unpadded] {
                let (header, _) =
                    verified(&DpopProof::new("POST", "https://a.example/t", now(), [3; 16]).sign(&key, form), None);
                let (x, y) = key.coordinates(form);
                assert_eq!((header["jwk"]["x"].as_str(), header["jwk"]["y"].as_str()), (Some(&*x), Some(&*y)));
            }
        }
    }

    #[test]
    fn nothing_of_the_token_or_the_query_is_printed() {
        let token = Secret::new("a-token".to_owned());
        let proof = DpopProof::new("GET", "https://a.example/t?code=secret", now(), [9; 16]).access_token(&token);
        let printed = format!("{proof:?}");
        assert!(!printed.contains("a-token") && !printed.contains("secret"), "{printed}");
    }
}
