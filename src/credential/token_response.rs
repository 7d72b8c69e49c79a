//! The tokens in an answer of the token endpoint (RFC 6749 section 5.1), member by member.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::credential::object;
use crate::key::Scopes;
use crate::secret::Secret;
use crate::visible::Visible;

/// The longest `sub` and `scope` that are kept, in bytes.
const MAX_TEXT_LEN: usize = 16 * 1024;

/// What a server gave: an access token, in general a new refresh token, and what it says about them.
#[non_exhaustive]
pub struct TokenPair {
    /// What is presented to the resource server.
    pub access_token: Secret,
    /// The refresh token that follows the one that was sent. `None` where the server gave none: then the one that was
    /// sent stays good.
    pub refresh_token: Option<Secret>,
    /// How long the access token lives from when the answer was sent, in whole seconds; `None` where the server does
    /// not say. Negative numbers are zero, and numbers above `u32::MAX` seconds are that.
    pub expires_in: Option<Duration>,
    /// What the tokens permit; `None` where the server does not say, which means what was granted before (RFC 6749
    /// section 5.1).
    pub scope: Option<Scopes>,
    /// Whose tokens these are: in atproto, the DID of the account.
    pub subject: Option<String>,
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPair")
            .field("access_token", &self.access_token)
            .field("refresh_token", &self.refresh_token)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .field("subject", &self.subject.as_deref().map(Visible))
            .finish()
    }
}

/// Why an answer that reports success could not be understood. The refresh token that was sent may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is longer than [`MAX_ANSWER_LEN`](crate::credential::MAX_ANSWER_LEN).
    #[error("the answer is longer than 65536 bytes")]
    TooLong,
    /// It is no JSON object, or one that says something twice: a page of a proxy, say.
    #[error("the answer is no JSON object")]
    NotJson,
    /// There is no `access_token`, or one that cannot be sent in a header.
    #[error("the answer has no usable access token")]
    AccessToken,
    /// The status is none that an answer has, or says that a gateway gave up waiting for one.
    #[error("the answer's status does not say what became of the request")]
    Status,
}

/// A member of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Member<T> {
    /// Not there, or null.
    Absent,
    /// Not of the type that it has to be.
    Wrong,
    Is(T),
}

impl<T> Member<T> {
    fn ok(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }
}

/// Everything that was found, before it is judged.
pub(super) struct Found {
    pub(super) pair: TokenPair,
    /// Whether there is a refresh token that is none.
    pub(super) refresh_token_is_wrong: bool,
    pub(super) token_type: Option<String>,
    pub(super) scope_is_wrong: bool,
}

/// Reads a body. Only what makes the tokens useless is an error; what else is odd is left to the judgement.
pub(super) fn read(body: &[u8]) -> Result<Found, Unreadable> {
    #[derive(Deserialize)]
    struct Body<'b> {
        #[serde(borrow)]
        access_token: Option<&'b RawValue>,
        #[serde(borrow)]
        refresh_token: Option<&'b RawValue>,
        #[serde(borrow)]
        token_type: Option<&'b RawValue>,
        #[serde(borrow)]
        expires_in: Option<&'b RawValue>,
        #[serde(borrow)]
        scope: Option<&'b RawValue>,
        #[serde(borrow)]
        sub: Option<&'b RawValue>,
    }
    let body: Body<'_> = object(body).ok_or(Unreadable::NotJson)?;
    // A token goes into a header, behind a space: visible characters (RFC 6750 section 2.1 has fewer).
    let access_token = match text(body.access_token) {
        Member::Is(token) if is_token(&token, b'!') => Secret::new(token),
        _ => return Err(Unreadable::AccessToken),
    };
    let refresh_token = match text(body.refresh_token) {
        // RFC 6749 appendix A.17.
        Member::Is(token) if !is_token(&token, b' ') => Member::Wrong,
        other => other,
    };
    let scope = short(text(body.scope));
    Ok(Found {
        refresh_token_is_wrong: refresh_token == Member::Wrong,
        scope_is_wrong: scope == Member::Wrong,
        token_type: text(body.token_type).ok(),
        pair: TokenPair {
            access_token,
            refresh_token: refresh_token.ok().map(Secret::new),
            expires_in: body.expires_in.and_then(|value| seconds(value.get())),
            scope: scope.ok().map(|scope| Scopes::from_stored(scope.split(' '))),
            subject: short(text(body.sub)).ok(),
        },
    })
}

fn text(member: Option<&RawValue>) -> Member<String> {
    match member.map(|value| serde_json::from_str(value.get())) {
        None => Member::Absent,
        Some(Ok(text)) => Member::Is(text),
        Some(Err(_)) => Member::Wrong,
    }
}

fn short(member: Member<String>) -> Member<String> {
    match member {
        Member::Is(text) if text.len() > MAX_TEXT_LEN => Member::Wrong,
        other => other,
    }
}

/// Whether it is one or more ASCII characters from `first` to `~`.
fn is_token(text: &str, first: u8) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (first..=b'~').contains(&byte))
}

/// Any number, and one in quotation marks, as some servers write it.
fn seconds(json: &str) -> Option<Duration> {
    let number = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(json);
    if !number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    let seconds: f64 = number.parse().ok()?;
    let whole = seconds.clamp(0.0, u32::MAX.into()).floor();
    Some(Duration::from_secs_f64(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expires_in(json: &str) -> Option<u64> {
        let found = read(format!(r#"{{"access_token":"a","expires_in":{json}}}"#).as_bytes()).ok().unwrap();
        found.pair.expires_in.map(|duration| duration.as_secs())
    }

    #[test]
    fn a_lifetime_is_whole_seconds_within_bounds_and_never_costs_the_tokens() {
        for (json, expected) in [
            ("3600", Some(3600)),
            ("3599.9", Some(3599)),
            ("3.6e3", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("0", Some(0)),
            ("-1", Some(0)),
            ("-1e400", Some(0)),
            ("1e400", Some(u32::MAX.into())),
            ("99999999999999999999999999", Some(u32::MAX.into())),
            ("null", None),
            ("\"soon\"", None),
            ("\"\"", None),
            ("\"inf\"", None),
            ("\"nan\"", None),
            ("true", None),
            ("[3600]", None),
            ("{}", None),
        ] {
            assert_eq!(expires_in(json), expected, "{json}");
        }
    }

    #[test]
    fn what_has_no_usable_access_token_is_unreadable() {
        let error = |body: &str| read(body.as_bytes()).err();
        for body in ["{}", r#"{"access_token":null}"#, r#"{"access_token":""}"#, r#"{"access_token":5}"#] {
            assert_eq!(error(body), Some(Unreadable::AccessToken), "{body}");
        }
        for token in ["a b", "a\\r\\nX: y", "\\u0000", "é", "\\u007f"] {
            assert_eq!(error(&format!(r#"{{"access_token":"{token}"}}"#)), Some(Unreadable::AccessToken), "{token}");
        }
        for body in [
            "",
            "   ",
            "null",
            "<html>",
            "\u{feff}{}",
            r#"["a","r","DPoP",5,"s","d"]"#,
            r#"{"access_token":"a""#,
            r#"{"access_token":"a"}{"#,
            r#"{"access_token":"a","access_token":"b"}"#,
            r#"{"access_token":"a","sub":"x","sub":"y"}"#,
            "access_token=a&token_type=bearer",
        ] {
            assert_eq!(error(body), Some(Unreadable::NotJson), "{body}");
        }
        assert_eq!(read(&[b'{', 0xff, b'}']).err(), Some(Unreadable::NotJson));
    }

    #[test]
    fn null_members_are_absent_and_unknown_ones_are_passed_over() {
        let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let body = format!(
            r#" {{"access_token":"a\u0062","refresh_token":null,"token_type":null,"expires_in":null,"scope":null,
            "sub":null,"x":{nested},"x":1}} "#
        );
        let found = read(body.as_bytes()).ok().unwrap();
        assert_eq!(found.pair.access_token.expose_secret(), "ab");
        assert!(found.pair.refresh_token.is_none() && found.pair.scope.is_none() && found.pair.subject.is_none());
        assert!(found.token_type.is_none() && !found.refresh_token_is_wrong && !found.scope_is_wrong);
    }

    #[test]
    fn members_of_a_wrong_type_do_not_cost_the_access_token() {
        for wrong in ["5", "[]", "{}", "true", "\"\"", "\"a\\nb\"", "\"\\ud800\""] {
            let body = format!(r#"{{"access_token":"a","refresh_token":{wrong}}}"#);
            let found = read(body.as_bytes()).ok().unwrap();
            assert!(found.refresh_token_is_wrong && found.pair.refresh_token.is_none(), "{wrong}");
        }
        let long = "x".repeat(MAX_TEXT_LEN + 1);
        let body = format!(r#"{{"access_token":"a","scope":["atproto"],"sub":"{long}","token_type":1}}"#);
        let found = read(body.as_bytes()).ok().unwrap();
        assert!(found.scope_is_wrong && found.pair.subject.is_none() && found.token_type.is_none());
    }

    #[test]
    fn no_token_is_printed() {
        let found = read(br#"{"access_token":"acc-1","refresh_token":"ref-1","sub":"a\u202eb"}"#).ok().unwrap();
        let printed = format!("{:?}", found.pair);
        assert!(!printed.contains("acc-1") && !printed.contains("ref-1"), "{printed}");
        assert!(printed.contains(r"a\u{202e}b"), "{printed}");
    }
}
