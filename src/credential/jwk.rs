//! A private key as a JWK.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::credential::{CoordinateForm, DpopKey, InvalidDpopKey, multibase, object};

/// The members of a private key (RFC 7518 section 6.2).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    d: Zeroizing<String>,
    x: Option<String>,
    y: Option<String>,
}

impl DpopKey {
    /// Reads a private key of the curve P-256 as a JWK (RFC 7517), in JSON: `kty`, `crv` and `d`. Where `x` and `y` are
    /// there, they have to be its public half. Other members are not looked at.
    ///
    /// ```
    /// use keyward::credential::{DpopKey, InvalidDpopKey};
    ///
    /// // RFC 7517, appendix A.2.
    /// let jwk = r#"{"kty":"EC","crv":"P-256","use":"enc","kid":"1",
    ///     "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    ///     "d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;
    /// let key = DpopKey::from_jwk(jwk)?;
    /// assert!(DpopKey::from_multibase(key.to_multibase().expose_secret()).is_ok());
    /// assert_eq!(DpopKey::from_jwk("{}").unwrap_err(), InvalidDpopKey::NotJwk);
    /// # Ok::<(), InvalidDpopKey>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidDpopKey`], which says what is wrong and repeats nothing of the text.
    pub fn from_jwk(json: &str) -> Result<Self, InvalidDpopKey> {
        let Jwk { kty, crv, d, x, y } = object(json.as_bytes()).ok_or(InvalidDpopKey::NotJwk)?;
        match (kty.as_str(), crv.as_str()) {
            ("EC", "P-256") => {}
            ("EC", "secp256k1") => return Err(InvalidDpopKey::Secp256k1),
            _ => return Err(InvalidDpopKey::NotJwk),
        }
        let octets = Zeroizing::new(URL_SAFE_NO_PAD.decode(d.as_str()).map_err(|_| InvalidDpopKey::NotJwk)?);
        let mut scalar = Zeroizing::new([0; multibase::SCALAR_LEN]);
        // Some programs leave leading zeros out.
        let start = scalar.len().checked_sub(octets.len()).ok_or(InvalidDpopKey::NotJwk)?;
        scalar[start..].copy_from_slice(&octets);
        let key = Self::from_multibase(multibase::encode(&scalar).expose_secret())?;
        let is_ours = |said: Option<String>, padded, unpadded| said.is_none_or(|it| it == padded || it == unpadded);
        let (padded, unpadded) = (key.coordinates(CoordinateForm::Padded), key.coordinates(CoordinateForm::Unpadded));
        if is_ours(x, padded.0, unpadded.0) && is_ours(y, padded.1, unpadded.1) {
            Ok(key)
        } else {
            Err(InvalidDpopKey::OtherPublicKey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE";
    const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";

    #[test]
    fn a_key_is_read_with_its_public_half_or_without() {
        let bare = DpopKey::from_jwk(&format!(r#"{{"kty":"EC","crv":"P-256","d":"{D}"}}"#)).unwrap();
        let whole = DpopKey::from_jwk(&format!(r#"{{"kty":"EC","crv":"P-256","d":"{D}","x":"{X}"}}"#)).unwrap();
        assert_eq!(bare.coordinates(CoordinateForm::Padded).0, X);
        assert_eq!(bare.to_multibase().expose_secret(), whole.to_multibase().expose_secret());
    }

    #[test]
    fn what_is_no_such_key_says_why_and_is_not_repeated() {
        for (jwk, error) in [
            ("no JSON".to_owned(), InvalidDpopKey::NotJwk),
            (format!(r#"["EC","P-256","{D}"]"#), InvalidDpopKey::NotJwk),
            (format!(r#"{{"kty":"EC","crv":"P-384","d":"{D}"}}"#), InvalidDpopKey::NotJwk),
            (format!(r#"{{"kty":"EC","crv":"secp256k1","d":"{D}"}}"#), InvalidDpopKey::Secp256k1),
            (format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{X}"}}"#), InvalidDpopKey::NotJwk),
            (format!(r#"{{"kty":"EC","crv":"P-256","d":"{D}AAAA"}}"#), InvalidDpopKey::NotJwk),
            (r#"{"kty":"EC","crv":"P-256","d":""}"#.to_owned(), InvalidDpopKey::OutOfRange),
            (format!(r#"{{"kty":"EC","crv":"P-256","d":"{D}","y":"{X}"}}"#), InvalidDpopKey::OtherPublicKey),
        ] {
            let refused = DpopKey::from_jwk(&jwk).unwrap_err();
            assert_eq!(refused, error, "{jwk}");
            assert!(!refused.to_string().contains(D));
        }
    }
}
