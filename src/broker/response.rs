//! An answer that may be given again: sealed under a key that only the spent refresh token gives.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::broker::TokenDigest;
use crate::seal::{SealKey, SealKeys, SealNonce, Sealed, SealedPlace};
use crate::secret::Secret;

/// Keeps this key apart from every other use of a refresh token.
const INFO: &[u8] = b"keyward.broker.response.1";

/// The two tokens of an answer.
pub(crate) struct TokenPair {
    pub(crate) access: Secret,
    pub(crate) refresh: Secret,
}

/// Seals a pair for whoever presents `spent` once more. Whoever has the database alone has its digest, from which nothing
/// follows for the key. `None` does not happen with tokens of ours.
pub(crate) fn seal_response(spent: &str, pair: &TokenPair, nonce: SealNonce) -> Option<Sealed> {
    let plaintext = Zeroizing::new(format!("{}\n{}", pair.access.expose_secret(), pair.refresh.expose_secret()));
    let digest = TokenDigest::of(spent).to_hex();
    keys(spent)?.seal(place(digest.as_str()), &plaintext, nonce).ok()
}

/// Opens what [`seal_response`] has sealed for the same refresh token; `None` when it is something else.
pub(crate) fn open_response(spent: &str, sealed: &Sealed) -> Option<TokenPair> {
    let digest = TokenDigest::of(spent).to_hex();
    let opened = keys(spent)?.open(place(digest.as_str()), sealed).ok()?;
    let (access, refresh) = opened.expose_secret().split_once('\n')?;
    Some(TokenPair { access: Secret::new(access.to_owned()), refresh: Secret::new(refresh.to_owned()) })
}

fn keys(spent: &str) -> Option<SealKeys> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, spent.as_bytes()).expand(INFO, &mut *key).ok()?;
    Some(SealKeys::new("response".parse().ok()?, SealKey::from_bytes(&*key).ok()?))
}

const fn place(digest: &str) -> SealedPlace<'_> {
    SealedPlace { schema: "broker", owner: digest, column: "response" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_spent_refresh_token_opens_the_answer() {
        let pair =
            TokenPair { access: Secret::new("an-access".to_owned()), refresh: Secret::new("a-refresh".to_owned()) };
        let nonce = SealNonce::generate(&mut rand::rngs::SysRng).unwrap();
        let sealed = seal_response("spent", &pair, nonce).unwrap();
        assert!(!sealed.as_str().contains("refresh") && sealed.as_str().starts_with("keyward.1.response."));
        let again = open_response("spent", &sealed).unwrap();
        assert_eq!((again.access.expose_secret(), again.refresh.expose_secret()), ("an-access", "a-refresh"));
        assert!(open_response("another", &sealed).is_none());
        assert!(open_response(TokenDigest::of("spent").to_hex().as_str(), &sealed).is_none());
    }
}
