//! PKCE (RFC 7636): what binds a code to the client that has asked for it. Only `S256`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A code challenge by the method `S256` (RFC 7636 section 4.2): base64url, without padding, of the SHA-256 of a verifier.
///
/// ```
/// use keyward::broker::CodeChallenge;
///
/// // The example of RFC 7636, appendix B.
/// let challenge = CodeChallenge::new("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
/// assert!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
/// assert!(!challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"));
/// assert!(CodeChallenge::new("short").is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// The one method (RFC 7636 section 4.3). `plain` is not taken.
    pub const METHOD: &'static str = "S256";

    /// Takes what `S256` can have made: 43 characters of base64url that stand for 32 bytes.
    #[must_use]
    pub fn new(challenge: impl Into<String>) -> Option<Self> {
        let challenge = challenge.into();
        let is_digest = URL_SAFE_NO_PAD.decode(&challenge).is_ok_and(|bytes| bytes.len() == 32);
        is_digest.then_some(Self(challenge))
    }

    /// The 43 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `verifier` has 43 to 128 unreserved characters (RFC 7636 section 4.1), and is the one that this is the
    /// challenge of. It takes the same time for every verifier of one length.
    #[must_use]
    pub fn is_met_by(&self, verifier: &str) -> bool {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let is_well_formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(is_unreserved);
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        is_well_formed & bool::from(digest.as_bytes().ct_eq(self.0.as_bytes()))
    }
}

impl fmt::Debug for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeChallenge(S256)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge_of(verifier: &str) -> CodeChallenge {
        CodeChallenge::new(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))).unwrap()
    }

    #[test]
    fn a_verifier_that_is_too_short_too_long_or_of_other_characters_meets_nothing_not_even_its_own_challenge() {
        for (verifier, is_taken) in [
            ("a".repeat(43), true),
            ("a".repeat(128), true),
            ("-._~".repeat(11), true),
            ("a".repeat(42), false),
            ("a".repeat(129), false),
            (format!("{}+", "a".repeat(43)), false),
            (format!("{} ", "a".repeat(43)), false),
            ("ä".repeat(30), false),
            (String::new(), false),
        ] {
            assert_eq!(challenge_of(&verifier).is_met_by(&verifier), is_taken, "{verifier}");
        }
    }

    #[test]
    fn only_the_base64url_of_32_bytes_is_a_challenge() {
        let good = challenge_of("x");
        assert!(CodeChallenge::new(format!("{}=", good.as_str())).is_none());
        assert!(CodeChallenge::new(&good.as_str()[..42]).is_none());
        assert!(CodeChallenge::new("+".repeat(43)).is_none());
        // The last character stands for four bits; one with more is another text for the same bytes.
        assert!(CodeChallenge::new(format!("{}B", "A".repeat(42))).is_none());
    }
}
