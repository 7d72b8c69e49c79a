//! The key that a session is bound to, in both forms in which its public half is written.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::SigningKey;
use p256::elliptic_curve::Generate as _;
use rand::TryCryptoRng;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::credential::{jws, multibase};
use crate::random::RandomUnavailable;
use crate::secret::Secret;

/// A P-256 private key, such as a session is bound to by DPoP (RFC 9449). Cloning it is a reference count; its memory
/// is wiped with the last clone.
///
/// ```
/// use keyward::credential::{CoordinateForm, DpopKey, InvalidDpopKey};
///
/// let key = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D")?;
/// assert_eq!(key.thumbprint(CoordinateForm::Padded), "SS0bboIZA3b50mCUgXoIfThNqBA2SWYLKY5xX0Q5U4A");
/// assert_eq!(key.to_multibase().expose_secret(), "z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D");
/// assert!(!format!("{key:?}").contains("z42t"));
///
/// // What is none says why, and is not repeated.
/// assert_eq!(DpopKey::from_multibase("z42t").unwrap_err(), InvalidDpopKey::Length);
/// # Ok::<(), InvalidDpopKey>(())
/// ```
#[derive(Clone)]
pub struct DpopKey(Arc<Inner>);

struct Inner {
    signing: SigningKey,
    x: [u8; 32],
    y: [u8; 32],
}

impl DpopKey {
    /// Reads a key as indigo and the atproto documents write it: `z` and, in base58btc, the octets `86 26` (multicodec
    /// `p256-priv`) and the 32 octets of the scalar. The text always has 48 characters.
    ///
    /// # Errors
    /// [`InvalidDpopKey`], which says what is wrong and repeats nothing of the text.
    pub fn from_multibase(text: &str) -> Result<Self, InvalidDpopKey> {
        let scalar = multibase::decode(text)?;
        SigningKey::from_slice(scalar.as_slice()).map(Self::new).map_err(|_| InvalidDpopKey::OutOfRange)
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`RandomUnavailable`].
    pub fn generate(generator: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self, RandomUnavailable> {
        SigningKey::try_generate_from_rng(generator).map(Self::new).map_err(|_| RandomUnavailable)
    }

    fn new(signing: SigningKey) -> Self {
        // Uncompressed: one octet that says so, x, y (SEC 1, 2.3.3).
        let point = signing.verifying_key().to_sec1_point(false);
        let coordinate = |from: usize| {
            let mut octets = [0; 32];
            octets.copy_from_slice(&point.as_bytes()[from..from + 32]);
            octets
        };
        let (x, y) = (coordinate(1), coordinate(33));
        Self(Arc::new(Inner { signing, x, y }))
    }

    /// The text that [`from_multibase`](Self::from_multibase) reads.
    #[must_use]
    pub fn to_multibase(&self) -> Secret {
        let scalar = Zeroizing::new(<[u8; multibase::SCALAR_LEN]>::from(self.0.signing.to_bytes()));
        multibase::encode(&scalar)
    }

    /// The public key as a JWK (RFC 7517, RFC 7518 section 6.2.1), in JSON, with the four required members alone.
    #[must_use]
    pub fn jwk(&self, form: CoordinateForm) -> String {
        let (x, y) = self.coordinates(form);
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#)
    }

    /// The JWK's SHA-256 thumbprint (RFC 7638) in base64url, 43 characters. A server compares it with the `cnf.jkt` of
    /// a session, and it differs between the two forms of an affected key.
    #[must_use]
    pub fn thumbprint(&self, form: CoordinateForm) -> String {
        let (x, y) = self.coordinates(form);
        // The members in lexicographic order and without white space (RFC 7638 section 3).
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
    }

    /// What `access_token` says about the key that its session is bound to. The token is read, as a JWT, and **not
    /// verified**: it comes from the session itself, and the answer decides nothing but how a proof is written.
    ///
    /// A server deletes a session whose refresh comes with another key (observed on the atproto PDS), so that
    /// [`KeyBinding::OtherKey`] is a reason not to send anything.
    #[must_use]
    pub fn binding(&self, access_token: &str) -> KeyBinding {
        match confirmation(access_token) {
            None => KeyBinding::Unknown,
            Some(jkt) if jkt == self.thumbprint(CoordinateForm::Padded) => KeyBinding::Bound(CoordinateForm::Padded),
            Some(jkt) if jkt == self.thumbprint(CoordinateForm::Unpadded) => {
                KeyBinding::Bound(CoordinateForm::Unpadded)
            }
            Some(_) => KeyBinding::OtherKey,
        }
    }

    /// The form in which this key has to be sent in the session of `access_token`: the one that
    /// [`binding`](Self::binding) finds, and [`Padded`](CoordinateForm::Padded), which is the standard's, where it
    /// finds none.
    #[must_use]
    pub fn form_of(&self, access_token: &str) -> CoordinateForm {
        match self.binding(access_token) {
            KeyBinding::Bound(form) => form,
            KeyBinding::Unknown | KeyBinding::OtherKey => CoordinateForm::Padded,
        }
    }

    pub(super) fn signing(&self) -> &SigningKey {
        &self.0.signing
    }

    /// Both coordinates in base64url.
    pub(super) fn coordinates(&self, form: CoordinateForm) -> (String, String) {
        let encoded = |octets: &[u8; 32]| {
            let kept = match form {
                CoordinateForm::Padded => octets.as_slice(),
                CoordinateForm::Unpadded => {
                    let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
                    &octets[zeros..]
                }
            };
            URL_SAFE_NO_PAD.encode(kept)
        };
        (encoded(&self.0.x), encoded(&self.0.y))
    }
}

/// With the thumbprint, which is public.
impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DpopKey({})", self.thumbprint(CoordinateForm::Padded))
    }
}

/// How the coordinates of a public key are written in its JWK. For 127 keys of 128 both forms are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a number is written with leading zeros or without")]
pub enum CoordinateForm {
    /// All 32 octets, as RFC 7518 section 6.2.1.2 asks.
    #[default]
    Padded,
    /// Without leading zero octets, as Go's `big.Int.Bytes` gives them and indigo sends them.
    Unpadded,
}

/// What an access token says about the key of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a thumbprint is absent, ours or another's")]
pub enum KeyBinding {
    /// Nothing: it is no JWT, or has no `cnf.jkt`.
    Unknown,
    /// It is bound to this key, sent in this form.
    Bound(CoordinateForm),
    /// It is bound to another key.
    OtherKey,
}

/// The member `cnf.jkt` (RFC 7800, RFC 9449 section 6.1) of a JWT's claims.
fn confirmation(access_token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        cnf: Confirmation,
    }
    #[derive(Deserialize)]
    struct Confirmation {
        jkt: String,
    }
    jws::claims::<Claims>(access_token).map(|claims| claims.cnf.jkt)
}

/// Why a text is no P-256 private key. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDpopKey {
    /// It does not start with `z`, or has a character that base58btc has not.
    #[error("a private key must be multibase in base58btc: z and digits")]
    NotBase58,
    /// It has not the length of a P-256 private key.
    #[error("a P-256 private key has 48 characters in multibase")]
    Length,
    /// It is a key of the curve secp256k1, with which DPoP by ES256 is not possible.
    #[error("the private key is of the curve secp256k1, where P-256 is needed")]
    Secp256k1,
    /// It is a key or value of another kind.
    #[error("the multibase text is no P-256 private key")]
    NotP256,
    /// The number is zero, or not less than the order of the curve.
    #[error("the number is no private key of the curve P-256")]
    OutOfRange,
    /// It is no JWK with a private key of that curve.
    #[error("the JWK is no private key of the curve P-256")]
    NotJwk,
    /// The JWK's public half is that of another key.
    #[error("the JWK's x and y are those of another key")]
    OtherPublicKey,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const INDIGO: &str = "z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D";
    const W3C: &str = "z42trhNZPkHNQh97NA8uet3WJ1zvq3628w4K1i9fjdPbTSzU";

    /// The first of a row of keys whose coordinates are short or not.
    pub(crate) fn key_with(short_x: bool, short_y: bool) -> DpopKey {
        (0_u32..10_000)
            .map(|number| multibase::encode(&Sha256::digest(number.to_be_bytes()).into()))
            .map(|text| DpopKey::from_multibase(text.expose_secret()).unwrap())
            .find(|key| (key.0.x[0] == 0, key.0.y[0] == 0) == (short_x, short_y))
            .unwrap()
    }

    /// What a server would issue, as far as it is read.
    pub(crate) fn access_token(claims: &str) -> String {
        format!("eyJhbGciOiJFUzI1NksifQ.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn both_published_keys_are_read_and_written() {
        for text in [INDIGO, W3C] {
            let key = DpopKey::from_multibase(text).unwrap();
            assert_eq!(key.to_multibase().expose_secret(), text);
        }
        // did:key:zDnaeTiq1PdzvZXUaMdezchcMJQpBdH2VN4pgrrEhMCCbmwSb: multicodec p256-pub, and the compressed point.
        let mut public = [0; 35];
        bs58::decode("DnaeTiq1PdzvZXUaMdezchcMJQpBdH2VN4pgrrEhMCCbmwSb").onto(public.as_mut_slice()).unwrap();
        let key = DpopKey::from_multibase(W3C).unwrap();
        assert_eq!(public[..2], [0x80, 0x24]);
        assert_eq!(public[2], 2 + (key.0.y[31] & 1));
        assert_eq!(public[3..], key.0.x);
    }

    #[test]
    fn zero_and_what_is_not_below_the_order_are_no_keys() {
        let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
        let mut scalar = <[u8; 32]>::try_from(order).unwrap();
        for refused in [[0; 32], scalar, [0xff; 32]] {
            let text = multibase::encode(&refused);
            assert_eq!(DpopKey::from_multibase(text.expose_secret()).unwrap_err(), InvalidDpopKey::OutOfRange);
        }
        scalar[31] -= 1;
        let mut one = [0; 32];
        one[31] = 1;
        for taken in [scalar, one] {
            let text = multibase::encode(&taken);
            let key = DpopKey::from_multibase(text.expose_secret()).unwrap();
            assert_eq!(key.to_multibase().expose_secret(), text.expose_secret());
        }
    }

    /// What the Python package `cryptography` finds for the same scalars.
    #[test]
    fn thumbprints_are_those_of_another_implementation() {
        let both = |key: &DpopKey| [CoordinateForm::Padded, CoordinateForm::Unpadded].map(|form| key.thumbprint(form));
        let padded = "SS0bboIZA3b50mCUgXoIfThNqBA2SWYLKY5xX0Q5U4A";
        assert_eq!(both(&DpopKey::from_multibase(INDIGO).unwrap()), [padded, padded]);
        assert_eq!(
            both(&key_with(true, false)),
            ["P9wD40-JIqcQ687tQPIOrQXYUqNBbcThyvk0Dp2Z3Ck", "KeZKuGUD0p4_jjhJPPVT83a1Kmqk7jRJ4wvxYyh3R0Q"]
        );
        assert_eq!(
            both(&key_with(false, true)),
            ["0FPjYvefgkWTmcaAK99zWIh2g-N9nP06hBtUzk1STYM", "aBRa3sTyXZ1I3piDZhQ9Q2Slm6kQighUIvkKemvOTWU"]
        );
    }

    #[test]
    fn the_forms_differ_only_where_a_coordinate_is_short() {
        for (short_x, short_y) in [(false, false), (true, false), (false, true)] {
            let key = key_with(short_x, short_y);
            let (padded, unpadded) =
                (key.coordinates(CoordinateForm::Padded), key.coordinates(CoordinateForm::Unpadded));
            assert_eq!((padded.0.len(), padded.1.len()), (43, 43));
            assert_eq!((unpadded.0.len() < 43, unpadded.1.len() < 43), (short_x, short_y));
            assert_eq!((padded.0 == unpadded.0, padded.1 == unpadded.1), (!short_x, !short_y));
            assert_eq!(
                key.thumbprint(CoordinateForm::Padded) == key.thumbprint(CoordinateForm::Unpadded),
                !short_x && !short_y
            );
            assert_eq!(
                key.jwk(CoordinateForm::Unpadded),
                format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, unpadded.0, unpadded.1)
            );
        }
    }

    #[test]
    fn the_form_is_the_one_that_the_session_was_bound_to() {
        for (short_x, short_y) in [(true, false), (false, true)] {
            let key = key_with(short_x, short_y);
            for form in [CoordinateForm::Padded, CoordinateForm::Unpadded] {
                let token =
                    access_token(&format!(r#"{{"sub":"did:plc:a","cnf":{{"jkt":"{}"}}}}"#, key.thumbprint(form)));
                assert_eq!(key.binding(&token), KeyBinding::Bound(form));
                assert_eq!(key.form_of(&token), form);
            }
        }
        let key = key_with(false, false);
        let token = access_token(&format!(r#"{{"cnf":{{"jkt":"{}"}}}}"#, key.thumbprint(CoordinateForm::Unpadded)));
        assert_eq!(key.binding(&token), KeyBinding::Bound(CoordinateForm::Padded));
    }

    #[test]
    fn a_token_of_another_key_is_told_from_one_that_says_nothing() {
        let key = key_with(true, false);
        let other = DpopKey::from_multibase(INDIGO).unwrap();
        let jkt = other.thumbprint(CoordinateForm::Padded);
        let token = access_token(&format!(r#"{{"cnf":{{"jkt":"{jkt}"}}}}"#));
        assert_eq!((key.binding(&token), key.form_of(&token)), (KeyBinding::OtherKey, CoordinateForm::Padded));

        let named = access_token(&format!(r#"{{"cnf":{{"jkt":"{}"}}}}"#, key.thumbprint(CoordinateForm::Unpadded)));
        for silent in [
            String::new(),
            "opaque".to_owned(),
            format!("{named}.more"),
            named.replacen('.', "", 1),
            named.replacen('.', ".!", 1),
            access_token("{}"),
            access_token(r#"{"cnf":null}"#),
            access_token(r#"{"cnf":{"jkt":5}}"#),
            access_token(r#"{"cnf":{"jkt":"a","jkt":"b"}}"#),
            access_token("[]"),
            access_token(&format!(r#"{{"cnf":{{"jkt":"a"}},"x":"{}"}}"#, "x".repeat(jws::MAX_JWT_LEN))),
        ] {
            assert_eq!((key.binding(&silent), key.form_of(&silent)), (KeyBinding::Unknown, CoordinateForm::Padded));
        }
    }

    #[test]
    fn nothing_private_is_printed() {
        let key = DpopKey::from_multibase(INDIGO).unwrap();
        assert_eq!(format!("{key:?}"), format!("DpopKey({})", key.thumbprint(CoordinateForm::Padded)));
    }
}
