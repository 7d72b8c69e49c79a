//! Proofs and assertions, as a server looks at them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// How far a clock may be off, in seconds.
const TOLERANCE: i64 = 120;

/// A proof whose signature and claims are good. Whether its nonce and its identifier are, is for the server to say.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) jkt: String,
    pub(super) jti: String,
    pub(super) nonce: Option<String>,
    ath: Option<String>,
}

impl Proof {
    /// RFC 9449 section 4.3, but for what the server has to remember.
    pub(super) fn check(text: &str, method: &str, url: &str, now: i64) -> Result<Self, &'static str> {
        let (header, _) = decode(text).ok_or("no JWS")?;
        if header["typ"] != "dpop+jwt" || header["alg"] != "ES256" {
            return Err("wrong typ or alg");
        }
        let jwk = &header["jwk"];
        if jwk["kty"] != "EC" || jwk["crv"] != "P-256" || jwk.get("d").is_some() {
            return Err("no public key of P-256");
        }
        let (x, y) = (jwk["x"].as_str().unwrap_or_default(), jwk["y"].as_str().unwrap_or_default());
        let claims = verify(text, x, y).ok_or("wrong signature")?;
        if claims["htm"] != method || claims["htu"] != url {
            return Err("wrong htm or htu");
        }
        let iat = claims["iat"].as_i64().ok_or("no iat")?;
        if !(now - TOLERANCE..=now + TOLERANCE).contains(&iat) {
            return Err("iat is out of the window");
        }
        // Over the members as they were sent: a coordinate without its zeros is another thumbprint.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        Ok(Self {
            jkt: URL_SAFE_NO_PAD.encode(Sha256::digest(canonical)),
            jti: text("jti").filter(|jti| !jti.is_empty()).ok_or("no jti")?,
            nonce: text("nonce"),
            ath: text("ath"),
        })
    }

    pub(super) fn is_for(&self, access_token: &str) -> bool {
        self.ath.as_deref() == Some(URL_SAFE_NO_PAD.encode(Sha256::digest(access_token)).as_str())
    }
}

/// RFC 7523 section 3; returns the `jti`.
pub(super) fn check_assertion(
    text: &str,
    (kid, x, y): (&str, &str, &str),
    client: &str,
    issuer: &str,
    now: i64,
) -> Option<String> {
    let (header, _) = decode(text)?;
    let claims = verify(text, x, y)?;
    let (iat, exp) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
    let is_good = header["alg"] == "ES256"
        && header["kid"] == kid
        && claims["iss"] == client
        && claims["sub"] == client
        && claims["aud"] == issuer
        && (now - TOLERANCE..=now + TOLERANCE).contains(&iat)
        && exp > now - TOLERANCE;
    claims["jti"].as_str().filter(|_| is_good).map(str::to_owned)
}

/// What looks like a signed access token. It is recognised as a whole, so that nobody looks at the signature.
pub(super) fn access_token(claims: &Value) -> String {
    let header = json!({"typ": "at+jwt", "alg": "ES256K"}).to_string();
    let parts = [header, claims.to_string(), "signature".to_owned()].map(|part| URL_SAFE_NO_PAD.encode(part));
    parts.join(".")
}

fn decode(text: &str) -> Option<(Value, Value)> {
    let mut parts = text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let (header, claims) = (parts.next()??, parts.next()??);
    Some((serde_json::from_slice(&header).ok()?, serde_json::from_slice(&claims).ok()?))
}

fn verify(text: &str, x: &str, y: &str) -> Option<Value> {
    let coordinate = |text: &str| {
        let octets = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some([vec![0; 32_usize.checked_sub(octets.len())?], octets].concat())
    };
    let point = [vec![4], coordinate(x)?, coordinate(y)?].concat();
    let (signed, signature) = text.rsplit_once('.')?;
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    VerifyingKey::from_sec1_bytes(&point).ok()?.verify(signed.as_bytes(), &signature).ok()?;
    decode(text).map(|(_, claims)| claims)
}
