//! What the headers of an answer say, as far as it matters.

use std::time::Duration;

use chrono::DateTime;

use crate::credential::DpopNonce;
use crate::credential::challenge::{Challenge, challenges};
use crate::time::Timestamp;

/// The headers of an answer that matter: `DPoP-Nonce`, `Retry-After` and `WWW-Authenticate`. Collected from names and
/// values, such as a `HeaderMap` of the crate `http` has them; what cannot be read counts as absent.
///
/// ```
/// use keyward::credential::AnswerHeaders;
///
/// let headers: AnswerHeaders = [("dpop-nonce", "n-1"), ("content-type", "text/html")].into_iter().collect();
/// assert_eq!(headers.nonce().map(|nonce| nonce.as_str()), Some("n-1"));
/// assert_eq!(headers.retry_after(), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct AnswerHeaders {
    nonce: Option<DpopNonce>,
    retry_after: Option<RetryAfter>,
    challenges: Vec<Challenge>,
}

impl AnswerHeaders {
    /// The nonce for the next proof to this server (RFC 9449 section 8.2); the first one, if there are several.
    #[must_use]
    pub const fn nonce(&self) -> Option<&DpopNonce> {
        self.nonce.as_ref()
    }

    /// When to come back.
    #[must_use]
    pub const fn retry_after(&self) -> Option<RetryAfter> {
        self.retry_after
    }

    pub(super) fn challenges(&self) -> &[Challenge] {
        &self.challenges
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for AnswerHeaders {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let (name, value) = (name.as_ref(), value.as_ref());
            let text = std::str::from_utf8(value).map(str::trim).ok();
            if name.eq_ignore_ascii_case("DPoP-Nonce") {
                found.nonce = found.nonce.or_else(|| text.and_then(|nonce| nonce.parse().ok()));
            } else if name.eq_ignore_ascii_case("Retry-After") {
                found.retry_after = found.retry_after.or_else(|| text.and_then(RetryAfter::read));
            } else if name.eq_ignore_ascii_case("WWW-Authenticate") {
                challenges(&String::from_utf8_lossy(value), &mut found.challenges);
            }
        }
        found
    }
}

/// When a server wants to be asked again (RFC 9110 section 10.2.3). It may be any time, so that who waits should have a
/// limit of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the header has these two forms")]
pub enum RetryAfter {
    /// So long after the answer, in whole seconds.
    In(Duration),
    /// At this time of the server's clock.
    At(Timestamp),
}

impl RetryAfter {
    fn read(text: &str) -> Option<Self> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More seconds than a number holds are some centuries in any case.
            return Some(Self::In(Duration::from_secs(text.parse().unwrap_or(u32::MAX).into())));
        }
        let date = DateTime::parse_from_rfc2822(text).ok()?;
        Some(Self::At(Timestamp::from_micros(date.timestamp_micros())))
    }

    /// The same as a time, for an answer that came at `now`.
    #[must_use]
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(duration) => now.saturating_add(duration),
            Self::At(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &[u8])]) -> AnswerHeaders {
        pairs.iter().copied().collect()
    }

    #[test]
    fn a_nonce_is_found_in_any_case_and_one_that_is_none_is_passed_over() {
        let found = |pairs: &[(&str, &[u8])]| headers(pairs).nonce().map(|nonce| nonce.as_str().to_owned());
        assert_eq!(found(&[("DPOP-NONCE", b" a ")]).as_deref(), Some("a"));
        assert_eq!(
            found(&[("dpop-nonce", b"two words"), ("dpop-nonce", b"b"), ("dpop-nonce", b"c")]).as_deref(),
            Some("b")
        );
        for none in [&b""[..], b"\xff", b"a\"b", b"a, b"] {
            assert_eq!(found(&[("DPoP-Nonce", none)]), None);
        }
        assert_eq!(found(&[("DPoP-Nonces", b"a")]), None);
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        let found = |value: &str| headers(&[("Retry-After", value.as_bytes())]).retry_after();
        let now = Timestamp::from_micros(5_000_000);
        assert_eq!(found("120"), Some(RetryAfter::In(Duration::from_mins(2))));
        assert_eq!(found("120").map(|after| after.from(now)), Some(Timestamp::from_micros(125_000_000)));
        assert_eq!(found(&"9".repeat(40)), Some(RetryAfter::In(Duration::from_secs(u32::MAX.into()))));
        let at: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        assert_eq!(found("Sun, 06 Nov 1994 08:49:37 GMT"), Some(RetryAfter::At(at)));
        assert_eq!(found("Sun, 06 Nov 1994 08:49:37 GMT").map(|after| after.from(now)), Some(at));
        for none in ["", "-1", "1.5", "soon", "0x10"] {
            assert_eq!(found(none), None);
        }
    }
}
