//! The parameters of a request, as RFC 6749 section 3.1 has them read.

use std::borrow::Cow;
use std::collections::BTreeMap;
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
    /// Sorted, so that a request with thousands of them costs no more to read than one that is as long. `None` is the value of
    /// one that is there twice.
    values: BTreeMap<Cow<'r, str>, Option<Cow<'r, str>>>,
}

impl<'r> Parameters<'r> {
    /// Reads `application/x-www-form-urlencoded`. What is no UTF-8 becomes the replacement character, which no value has.
    #[must_use]
    pub fn parse(text: &'r str) -> Self {
        let mut values = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            values.entry(name).and_modify(|known| *known = None).or_insert(Some(value));
        }
        Self { values }
    }

    /// The value of a parameter that is there once and is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_deref().filter(|value| !value.is_empty())
    }

    /// A parameter that is there more than once.
    #[must_use]
    pub fn repeated(&self) -> Option<&str> {
        self.values.iter().find(|(_, value)| value.is_none()).map(|(name, _)| &**name)
    }
}

/// The names alone: values are codes, tokens and secrets.
impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys().map(|name| crate::visible::Visible(name))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_that_are_there_twice_none_has_a_value() {
        let parameters = Parameters::parse("a=1&b=&c=3&d=4&a=1&c=4&b");
        assert_eq!(["a", "b", "c", "d"].map(|name| parameters.get(name)), [None, None, None, Some("4")]);
        assert_eq!(parameters.repeated(), Some("a"));
        assert_eq!(Parameters::parse("a&b=1").repeated(), None);
    }
}
