//! The parameters of a request, as RFC 6749 section 3.1 has them read.

use std::borrow::Cow;
use std::fmt;

/// The parameters of a query or a form: a parameter without a value counts as absent, one that is not known is ignored, and
/// none may be there twice (RFC 6749 sections 3.1 and 3.2).
///
/// ```
/// use keyward::broker::Parameters;
///
/// let parameters = Parameters::parse("code=a%20b&state=&code_verifier=x&code_verifier=y");
/// assert_eq!(parameters.get("code"), Some("a b"));
/// assert_eq!(parameters.get("state"), None);
/// assert_eq!(parameters.get("code_verifier"), None);
/// assert_eq!(parameters.repeated(), Some("code_verifier"));
/// ```
#[derive(Clone, Default)]
pub struct Parameters<'r> {
    pairs: Vec<(Cow<'r, str>, Cow<'r, str>)>,
    repeated: Option<Cow<'r, str>>,
}

impl<'r> Parameters<'r> {
    /// Reads `application/x-www-form-urlencoded`. What is no UTF-8 becomes the replacement character, which no value has.
    #[must_use]
    pub fn parse(text: &'r str) -> Self {
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if parameters.pairs.iter().any(|(known, _)| *known == name) {
                parameters.repeated.get_or_insert(name);
            } else {
                parameters.pairs.push((name, value));
            }
        }
        parameters
    }

    /// The value of a parameter that is there once and is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        if self.repeated.as_deref() == Some(name) {
            return None;
        }
        let (_, value) = self.pairs.iter().find(|(known, value)| known == name && !value.is_empty())?;
        Some(value)
    }

    /// The first parameter that is there more than once.
    #[must_use]
    pub fn repeated(&self) -> Option<&str> {
        self.repeated.as_deref()
    }
}

/// The names alone: values are codes, tokens and secrets.
impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.pairs.iter().map(|(name, _)| crate::visible::Visible(name))).finish()
    }
}
