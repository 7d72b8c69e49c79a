//! What a server says in a refusal, cut to what may be shown.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::credential::object;
use crate::secret::Secret;
use crate::visible::Visible;

/// The longest description that is kept, in characters.
const MAX_DESCRIPTION: usize = 300;
/// The longest code that is kept, in characters.
const MAX_CODE: usize = 64;
/// So many characters of a token's in a row may be a token.
const TOKEN_LIKE: usize = 32;
/// Stands for what was left out.
const LEFT_OUT: char = '…';

/// A refusal in the server's words (RFC 6749 section 5.2): at most 64 characters of a code and 300 of a description.
/// Nothing in them has the form of a token: what had is left out (`…`). It prints as [`Visible`].
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError {
    status: u16,
    code: Option<String>,
    description: Option<String>,
}

impl ServerError {
    /// Reads a body, and where it has no code takes that of the challenge. `sent` is the token that may not be shown.
    /// Beside what may be shown stands the code as it came, which is what decides.
    pub(super) fn read(status: u16, body: &[u8], challenged: Option<&str>, sent: &Secret) -> (String, Self) {
        #[derive(Default, Deserialize)]
        struct Body<'b> {
            #[serde(borrow)]
            error: Option<&'b RawValue>,
            #[serde(borrow)]
            error_description: Option<&'b RawValue>,
        }
        let body: Body<'_> = object(body).unwrap_or_default();
        let text = |member: Option<&RawValue>| {
            let text: String = serde_json::from_str(member?.get()).ok()?;
            Some(text).filter(|text| !text.is_empty())
        };
        let code = text(body.error).or_else(|| challenged.map(str::to_owned));
        let sent = sent.expose_secret();
        let error = Self {
            status,
            code: code.as_deref().map(|code| shown(code, sent, MAX_CODE)),
            description: text(body.error_description).map(|text| shown(&text, sent, MAX_DESCRIPTION)),
        };
        (code.unwrap_or_default(), error)
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The code, such as `invalid_grant`. What the server wrote, so show it as [`Visible`].
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What the server says about it. It is for people, and to be shown as [`Visible`].
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {}", Visible(code))?;
        }
        if let Some(description) = &self.description {
            write!(f, ": {}", Visible(description))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerError({self})")
    }
}

/// `text` without `sent` and without anything that looks like a token, and not longer than `limit` characters.
fn shown(text: &str, sent: &str, limit: usize) -> String {
    let is_token = |character: char| character.is_ascii_alphanumeric() || "-._~+/=%".contains(character);
    let text = if sent.is_empty() { text.to_owned() } else { text.replace(sent, "…") };
    let mut kept = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let run = rest.find(|character| !is_token(character)).unwrap_or(rest.len());
        if run >= TOKEN_LIKE {
            kept.push(LEFT_OUT);
        } else {
            kept.push_str(&rest[..run]);
        }
        rest = &rest[run..];
        if run == 0 {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    match kept.char_indices().nth(limit) {
        Some((end, _)) => format!("{}{LEFT_OUT}", &kept[..end]),
        None => kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> ServerError {
        ServerError::read(400, body.as_bytes(), None, &Secret::new("ref-1".to_owned())).1
    }

    #[test]
    fn a_refusal_is_shown_in_the_servers_words() {
        let error = read(r#"{"error":"invalid_grant","error_description":"Refresh token replayed","more":[1]}"#);
        assert_eq!((error.status(), error.code()), (400, Some("invalid_grant")));
        assert_eq!(error.description(), Some("Refresh token replayed"));
        assert_eq!(error.to_string(), "400 invalid_grant: Refresh token replayed");
        assert_eq!(format!("{error:?}"), "ServerError(400 invalid_grant: Refresh token replayed)");
    }

    #[test]
    fn what_is_no_error_has_no_code() {
        for body in [
            "",
            "<html>502 Bad Gateway</html>",
            "[]",
            r#"["invalid_grant","as it is"]"#,
            "null",
            r#"{"error":null}"#,
            r#"{"error":""}"#,
            r#"{"error":400}"#,
            r#"{"error":{"code":"invalid_grant"}}"#,
            r#"{"error":"invalid_grant","error":"invalid_client"}"#,
            r#"{"error":"invalid_grant""#,
            r#"{"error":"invalid_grant"} x"#,
            r#"{"error":"\ud800"}"#,
        ] {
            assert_eq!(read(body), ServerError { status: 400, code: None, description: None }, "{body}");
        }
        assert_eq!(ServerError::read(502, &[0xff, 0xfe], None, &Secret::new(String::new())).1.to_string(), "502");
    }

    #[test]
    fn no_token_is_repeated_and_nothing_unseen_is_shown() {
        let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJkaWQ6cGxjOmEifQ.c2ln";
        let error = read(&format!(r#"{{"error":"{jwt}","error_description":"token ref-1 and '{jwt}'\u202e\n"}}"#));
        assert_eq!(error.to_string(), r"400 …: token … and '…'\u{202e}\u{a}");
        assert!(!format!("{error:?} {:?}", error.description()).contains("ref-1"));
        // Identities stay.
        let error =
            read(r#"{"error":"x","error_description":"did:plc:z72i7hdynmk6r22z27h6tvur at https://pds.example"}"#);
        assert_eq!(error.description(), Some("did:plc:z72i7hdynmk6r22z27h6tvur at https://pds.example"));
    }

    #[test]
    fn texts_are_bounded() {
        let error =
            read(&format!(r#"{{"error":"{}","error_description":"{}"}}"#, "é".repeat(100), "ü ".repeat(30_000)));
        assert_eq!(error.code().map(|code| code.chars().count()), Some(MAX_CODE + 1));
        assert_eq!(error.description().map(|text| text.chars().count()), Some(MAX_DESCRIPTION + 1));
    }

    #[test]
    fn a_code_is_taken_from_the_challenge_where_the_body_has_none() {
        let read = |body: &str| ServerError::read(401, body.as_bytes(), Some("a"), &Secret::new(String::new()));
        assert_eq!((read("").0.as_str(), read("").1.code()), ("a", Some("a")));
        assert_eq!(read(r#"{"error":"b"}"#).1.code(), Some("b"));
    }

    #[test]
    fn a_token_that_is_part_of_a_code_changes_what_is_shown_and_not_what_is_meant() {
        let (code, error) = ServerError::read(400, br#"{"error":"invalid_grant"}"#, None, &Secret::new("g".to_owned()));
        assert_eq!((code.as_str(), error.code()), ("invalid_grant", Some("invalid_…rant")));
    }
}
