//! Compact JWS by ES256 (RFC 7515 section 7.1, RFC 7518 section 3.4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credential::object;

/// The longest JWT that is looked into, in bytes.
pub(super) const MAX_JWT_LEN: usize = 64 * 1024;

/// Signs `claims` under `header`. The signature is deterministic (RFC 6979), so that no generator can spoil it.
pub(super) fn sign(key: &SigningKey, header: &str, claims: &Value) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(header);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut text);
    let signature: Signature = key.sign(text.as_bytes());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut text);
    text
}

/// The claims of a JWT that is read and **not verified**. `None` for what is no JWT, or one that is too long.
pub(super) fn claims<T: DeserializeOwned>(token: &str) -> Option<T> {
    if token.len() > MAX_JWT_LEN {
        return None;
    }
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    object(&Zeroizing::new(URL_SAFE_NO_PAD.decode(claims).ok()?))
}

/// 128 bits as `jti`, 22 characters.
pub(super) fn token_id(bytes: [u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
