//! The bearer token of a request: the one parser of the header `Authorization`.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The bearer token of a request (RFC 6750 section 2.1), borrowed from its headers.
///
/// It is read from the header `Authorization` and from nowhere else: a token in a cookie would be sent by pages of other
/// sites, and one in the query would stand in logs and histories. Nothing is known yet of whether the token is any good.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
/// use keyward::http::{Bearer, BearerError};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(Bearer::of(&headers).unwrap_err(), BearerError::Missing);
///
/// headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer acme_live_4eC39"));
/// assert_eq!(Bearer::of(&headers)?.expose_secret(), "acme_live_4eC39");
///
/// headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer another"));
/// assert_eq!(Bearer::of(&headers).unwrap_err(), BearerError::Repeated);
/// # Ok::<(), BearerError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Bearer<'r>(&'r str);

impl<'r> Bearer<'r> {
    /// The longest token that is taken, in bytes.
    pub const MAX_LEN: usize = 4096;

    /// The token in the one header `Authorization`.
    ///
    /// The scheme may be written in any letter case (RFC 9110 section 11.1), with one or more spaces between it and the
    /// token, and white space around both. The token is one word of the characters of RFC 6750 (`b64token`), or of any
    /// other printable character of ASCII but `"` and `,`, since keys that another service made may have them.
    ///
    /// # Errors
    /// [`BearerError`].
    pub fn of(headers: &'r HeaderMap) -> Result<Self, BearerError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => Err(BearerError::Missing),
            (Some(value), None) => Self::parse(value.as_bytes()),
            (Some(_), Some(_)) => Err(BearerError::Repeated),
        }
    }

    /// The token in the value of a header `Authorization`, for whoever has no [`HeaderMap`].
    ///
    /// # Errors
    /// [`BearerError::OtherScheme`], [`BearerError::Malformed`].
    pub fn parse(value: &'r [u8]) -> Result<Self, BearerError> {
        let value = value.trim_ascii();
        let scheme_len = value.iter().position(|&byte| !is_scheme(byte)).unwrap_or(value.len());
        let (scheme, rest) = value.split_at(scheme_len);
        if scheme.is_empty() || !matches!(rest.first(), None | Some(b' ')) {
            return Err(BearerError::Malformed);
        }
        if !scheme.eq_ignore_ascii_case(b"bearer") {
            return Err(BearerError::OtherScheme);
        }
        // What is left begins with spaces and does not end with any.
        let token_at = rest.iter().position(|&byte| byte != b' ').unwrap_or(rest.len());
        let token = &rest[token_at..];
        if !(1..=Self::MAX_LEN).contains(&token.len()) || !token.iter().all(|&byte| is_token(byte)) {
            return Err(BearerError::Malformed);
        }
        std::str::from_utf8(token).map(Self).map_err(|_| BearerError::Malformed)
    }

    /// The token, for whoever verifies it.
    #[must_use]
    pub const fn expose_secret(&self) -> &'r str {
        self.0
    }
}

/// Without the token.
impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// What the name of a scheme consists of (RFC 9110 section 5.6.2, `tchar`).
const fn is_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!'
        | b'#'..=b'\''
        | b'*'
        | b'+'
        | b'-'
        | b'.'
        | b'^'..=b'`'
        | b'|'
        | b'~')
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',')
}

/// Why a request has no bearer token. It repeats nothing of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// There is no header `Authorization`.
    #[error("there is no header Authorization")]
    Missing,
    /// The header is of another scheme than `Bearer`, such as `Basic`.
    #[error("the header Authorization has another scheme than Bearer")]
    OtherScheme,
    /// The header does not have the form `Bearer <token>`, or is too long.
    #[error("the header Authorization does not have the form \"Bearer <token>\"")]
    Malformed,
    /// There are several headers `Authorization`, of which none is chosen.
    #[error("the header Authorization is there more than once")]
    Repeated,
}

impl BearerError {
    /// The reason in one `snake_case` word, for logs, metrics and JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::OtherScheme => "other_scheme",
            Self::Malformed => "malformed",
            Self::Repeated => "repeated",
        }
    }

    /// Whether there are no credentials that keyward could look at, for which RFC 6750 section 3.1 wants a challenge
    /// without an error code; otherwise, what is there is an invalid request.
    #[must_use]
    pub const fn is_absence(self) -> bool {
        matches!(self, Self::Missing | Self::OtherScheme)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn token(value: &[u8]) -> Result<&str, BearerError> {
        Bearer::parse(value).map(|bearer| bearer.expose_secret())
    }

    #[test]
    fn the_scheme_has_any_letter_case_and_spaces_around_do_not_count() {
        for value in ["Bearer k_1", "bearer k_1", "BEARER k_1", "bEaReR k_1", "Bearer    k_1", "  Bearer k_1 \t"] {
            assert_eq!(token(value.as_bytes()), Ok("k_1"), "{value:?}");
        }
        assert_eq!(token(b"Bearer AZaz09-._~+/=="), Ok("AZaz09-._~+/=="));
        assert_eq!(token(b"Bearer sk:live|{4}"), Ok("sk:live|{4}"), "keys of another service");
    }

    #[test]
    fn whatever_is_not_one_token_is_refused() {
        let malformed: [&[u8]; 16] = [
            b"",
            b"  ",
            b"Bearer",
            b"bearer ",
            b"Bearer a b",
            b"Bearer a Bearer b",
            b"Bearer a,Bearer b",
            b"Bearer a, Bearer b",
            b"Bearer a,b",
            b"Bearer \"a\"",
            b"Bearer\ta",
            b"Bearer a\tb",
            b"Bearer \xe9\xff",
            "Bearer schlüssel".as_bytes(),
            b"Bearer,a",
            b"\xffearer a",
        ];
        for value in malformed {
            assert_eq!(token(value), Err(BearerError::Malformed), "{:?}", String::from_utf8_lossy(value));
        }
        for value in ["Basic YTpi", "DPoP abc", "Bearerk_1", "Bear er", "k_1", "Basic", "Basic x, Bearer y"] {
            assert_eq!(token(value.as_bytes()), Err(BearerError::OtherScheme), "{value}");
        }
    }

    #[test]
    fn a_token_has_a_longest_length() {
        let longest = "k".repeat(Bearer::MAX_LEN);
        assert_eq!(token(format!("Bearer {longest}").as_bytes()), Ok(longest.as_str()));
        for length in [Bearer::MAX_LEN + 1, 10_000] {
            assert_eq!(token(format!("Bearer {}", "k".repeat(length)).as_bytes()), Err(BearerError::Malformed));
        }
    }

    /// Every value of up to three pieces, of which each is something that a parser may stumble over.
    #[test]
    fn a_token_is_taken_in_no_other_form_than_the_scheme_spaces_and_one_word() {
        let pieces = ["Bearer", "bearer", " ", "\t", ",", "k_1", "=", "\"", "é", "\0", "Basic", ""];
        for one in pieces {
            for two in pieces {
                for three in pieces {
                    for four in pieces {
                        let value = format!("{one}{two}{three}{four}");
                        let words: Vec<_> =
                            value.trim_matches([' ', '\t']).split(' ').filter(|w| !w.is_empty()).collect();
                        let is_word = |word: &str| {
                            word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',' && byte != b'"')
                        };
                        let expected = match &words[..] {
                            [scheme, word] if scheme.eq_ignore_ascii_case("bearer") && is_word(word) => Some(*word),
                            _ => None,
                        };
                        assert_eq!(token(value.as_bytes()).ok(), expected, "{value:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_byte_makes_the_parser_repeat_what_was_sent() {
        for byte in 0..=u8::MAX {
            let value = [b"Bearer hunter2", &[byte][..], b"hunter2"].concat();
            let shown = format!("{:?}", Bearer::parse(&value));
            assert!(!shown.contains("hunter2"), "{shown}");
            if let Err(error) = Bearer::parse(&value) {
                assert!(!error.to_string().contains("hunter2"));
            }
        }
    }

    #[test]
    fn one_header_counts_and_two_are_refused_whatever_they_hold() {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_static("authorization=Bearer k_1"));
        assert_eq!(Bearer::of(&headers).unwrap_err(), BearerError::Missing);
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer k_1"));
        assert_eq!(Bearer::of(&headers).unwrap().expose_secret(), "k_1");
        for second in ["Bearer k_1", "Basic YTpi", ""] {
            let mut headers = headers.clone();
            headers.append(AUTHORIZATION, HeaderValue::from_static(second));
            assert_eq!(Bearer::of(&headers).unwrap_err(), BearerError::Repeated, "{second}");
        }
    }
}
