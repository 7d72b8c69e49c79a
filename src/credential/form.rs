//! `application/x-www-form-urlencoded`, as RFC 6749 appendix B names it.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// A body that is written pair by pair.
pub(super) struct Form(Zeroizing<String>);

impl Form {
    pub(super) fn new() -> Self {
        // Tokens are JWTs at times; a text that grows would leave copies behind.
        Self(Zeroizing::new(String::with_capacity(4096)))
    }

    pub(super) fn pair(&mut self, name: &str, value: &str) {
        // At most three characters for each byte.
        let more = 2 + name.len() + 3 * value.len();
        if self.0.capacity() - self.0.len() < more {
            let mut longer = Zeroizing::new(String::with_capacity(2 * self.0.capacity() + more));
            longer.push_str(&self.0);
            self.0 = longer;
        }
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        escape(value, &mut self.0);
    }

    pub(super) fn finish(mut self) -> Secret {
        Secret::new(std::mem::take(&mut *self.0))
    }
}

/// Appends `text`, in which all but letters, digits and `*-._` is escaped, and a space is `+`.
pub(super) fn escape(text: &str, to: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b' ' => to.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) => to.push(char::from(byte)),
            byte => {
                to.push('%');
                to.push(char::from(DIGITS[usize::from(byte >> 4)]));
                to.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_escaped_as_there() {
        // RFC 6749 appendix B: a space, %, &, +, £ and €.
        let mut escaped = String::new();
        escape(" %&+£€", &mut escaped);
        assert_eq!(escaped, "+%25%26%2B%C2%A3%E2%82%AC");
    }

    #[test]
    fn pairs_are_joined_and_no_value_ends_its_own() {
        let mut form = Form::new();
        form.pair("a", "1&b=2");
        form.pair("empty", "");
        form.pair("long", &"ä".repeat(5_000));
        let body = form.finish();
        let body = body.expose_secret();
        assert!(body.starts_with("a=1%26b%3D2&empty=&long=%C3%A4"));
        assert_eq!(body.len(), "a=1%26b%3D2&empty=&long=".len() + 5_000 * 6);
    }
}
