//! The one way in and the one way out of a plaintext.

use std::fmt;

use zeroize::Zeroizing;

/// A plaintext key. It cannot be printed, compared or copied, and its memory is wiped when it is dropped.
///
/// The only way to the text is [`Secret::expose_secret`], named so that a review can search for it.
///
/// ```
/// use keyward::Secret;
///
/// let secret = Secret::new("riq_correct-horse".to_owned());
/// assert_eq!(format!("{secret:?}"), "Secret(…)");
/// assert_eq!(secret.expose_secret(), "riq_correct-horse");
/// ```
///
/// ```compile_fail
/// # let secret = keyward::Secret::new(String::new());
/// println!("{secret}"); // a secret has no `Display`
/// ```
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over `plaintext`, and with it the duty to wipe it.
    #[must_use]
    pub fn new(plaintext: String) -> Self {
        Self(Zeroizing::new(plaintext))
    }

    /// The plaintext. Show it to its owner once; never log it, store it or put it into a URL.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
