//! What a client is told about the credentials that are wanted: the one writer of the header `WWW-Authenticate`.

use std::fmt::{self, Write as _};

use http::HeaderValue;

use crate::key::is_scope;
use crate::oauth_error::OAuthErrorCode;

/// A challenge of the header `WWW-Authenticate` (RFC 9110 section 11.6.1).
///
/// ```
/// use keyward::http::{Challenge, OAuthErrorCode};
///
/// // Nobody presented anything: no error code (RFC 6750 section 3.1).
/// let metadata = "https://mcp.example/.well-known/oauth-protected-resource";
/// let challenge = Challenge::bearer().realm("acme")?.resource_metadata(metadata)?;
/// assert_eq!(challenge.to_string(), format!(r#"Bearer realm="acme", resource_metadata="{metadata}""#));
///
/// let challenge = Challenge::bearer().error(OAuthErrorCode::InsufficientScope).scopes(["jobs:read", "jobs:write"]);
/// assert_eq!(challenge.to_string(), r#"Bearer error="insufficient_scope", scope="jobs:read jobs:write""#);
///
/// // What a header cannot carry is not taken.
/// assert!(Challenge::bearer().realm("two\r\nlines").is_err());
/// # Ok::<(), keyward::http::InvalidChallenge>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: &'static str,
    realm: Option<String>,
    error: Option<OAuthErrorCode>,
    error_description: Option<String>,
    scope: Option<String>,
    resource_metadata: Option<String>,
}

impl Challenge {
    /// A challenge of the scheme `Bearer` (RFC 6750 section 3) that says nothing more yet.
    #[must_use]
    pub const fn bearer() -> Self {
        Self {
            scheme: "Bearer",
            realm: None,
            error: None,
            error_description: None,
            scope: None,
            resource_metadata: None,
        }
    }

    /// A challenge of another scheme that is accepted too, such as `Basic`.
    ///
    /// # Errors
    /// [`InvalidChallenge`] when it is no name of a scheme.
    pub fn of_scheme(scheme: &'static str) -> Result<Self, InvalidChallenge> {
        let is_name = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_name { Ok(Self { scheme, ..Self::bearer() }) } else { Err(InvalidChallenge) }
    }

    /// What is protected, in a word or two for people (RFC 9110 section 11.5).
    ///
    /// # Errors
    /// [`InvalidChallenge`] when it has a character that is not printable ASCII.
    pub fn realm(self, realm: impl Into<String>) -> Result<Self, InvalidChallenge> {
        Ok(Self { realm: Some(printable(realm.into())?), ..self })
    }

    /// What was wrong with the credentials. Not to be set where there were none.
    #[must_use]
    pub fn error(self, error: OAuthErrorCode) -> Self {
        Self { error: Some(error), ..self }
    }

    /// The same in words, for developers and not for users. Characters that RFC 6750 section 3 does not permit are
    /// replaced: quotation marks by apostrophes, others by question marks.
    #[must_use]
    pub fn error_description(self, description: &str) -> Self {
        let character = |character| match character {
            '"' => '\'',
            ' '..='~' if character != '\\' => character,
            _ => '?',
        };
        Self { error_description: Some(description.chars().map(character).collect()), ..self }
    }

    /// The scopes that it takes, all of them (RFC 6750 section 3). What is no scope (RFC 6749 section 3.3) is left out.
    #[must_use]
    pub fn scopes<'s>(self, scopes: impl IntoIterator<Item = &'s str>) -> Self {
        let scopes: Vec<_> = scopes.into_iter().filter(|scope| is_scope(scope)).collect();
        Self { scope: (!scopes.is_empty()).then(|| scopes.join(" ")), ..self }
    }

    /// Where the metadata of the protected resource are (RFC 9728 section 5.1), from which a client learns who issues
    /// tokens for it.
    ///
    /// # Errors
    /// [`InvalidChallenge`] when it has a character that is not printable ASCII.
    pub fn resource_metadata(self, url: impl Into<String>) -> Result<Self, InvalidChallenge> {
        Ok(Self { resource_metadata: Some(printable(url.into())?), ..self })
    }

    /// The header's value.
    #[must_use]
    pub fn to_header_value(&self) -> HeaderValue {
        // Every part of it is printable, so that the fallback is never taken.
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static("Bearer"))
    }

    /// Whether its scheme is `Bearer`.
    pub(crate) fn is_bearer(&self) -> bool {
        self.scheme == "Bearer"
    }

    /// Whether it says that something was wrong.
    pub(crate) const fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// Fills in what the host says of all that it protects, where this challenge does not say it.
    pub(crate) fn or(self, host: &Self) -> Self {
        Self {
            realm: self.realm.or_else(|| host.realm.clone()),
            scope: self.scope.or_else(|| host.scope.clone()),
            resource_metadata: self.resource_metadata.or_else(|| host.resource_metadata.clone()),
            ..self
        }
    }
}

/// The value of the header.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme)?;
        let parameters = [
            ("realm", self.realm.as_deref()),
            ("error", self.error.map(OAuthErrorCode::as_str)),
            ("error_description", self.error_description.as_deref()),
            ("scope", self.scope.as_deref()),
            ("resource_metadata", self.resource_metadata.as_deref()),
        ];
        let said = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (position, (name, value)) in said.enumerate() {
            write!(f, "{} {name}=\"", if position == 0 { "" } else { "," })?;
            for character in value.chars() {
                if matches!(character, '"' | '\\') {
                    f.write_char('\\')?;
                }
                f.write_char(character)?;
            }
            f.write_char('"')?;
        }
        Ok(())
    }
}

fn printable(text: String) -> Result<String, InvalidChallenge> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) { Ok(text) } else { Err(InvalidChallenge) }
}

/// The text has a character that the header `WWW-Authenticate` cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a challenge takes printable ASCII characters alone")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidChallenge;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_quoted_and_what_would_end_a_quotation_is_escaped() {
        let challenge = Challenge::bearer().realm(r#"a "b" \c"#).unwrap();
        assert_eq!(challenge.to_string(), r#"Bearer realm="a \"b\" \\c""#);
        let challenge = Challenge::bearer().error_description("say \"please\" \\ \r\nSet-Cookie: é");
        assert_eq!(challenge.to_string(), r#"Bearer error_description="say 'please' ? ??Set-Cookie: ?""#);
        assert_eq!(challenge.to_header_value().to_str().unwrap(), challenge.to_string());
    }

    #[test]
    fn no_text_ends_the_header() {
        for character in '\0'..='\u{2ff}' {
            let text = format!("a{character}b");
            let challenge = Challenge::bearer().error_description(&text).scopes([text.as_str()]);
            let challenge = challenge.clone().realm(text.as_str()).unwrap_or(challenge);
            let challenge = challenge.clone().resource_metadata(text.as_str()).unwrap_or(challenge);
            let value = challenge.to_header_value();
            assert_eq!(value.to_str().unwrap(), challenge.to_string(), "{character:?}");
            assert!(value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)), "{character:?}");
        }
    }

    #[test]
    fn what_is_no_scope_is_not_named_as_one() {
        let challenge = Challenge::bearer().scopes(["a", "", "b c", "d\"", "e"]);
        assert_eq!(challenge.to_string(), r#"Bearer scope="a e""#);
        assert_eq!(Challenge::bearer().scopes([]).to_string(), "Bearer");
    }

    #[test]
    fn other_schemes_have_names() {
        assert_eq!(Challenge::of_scheme("Basic").unwrap().realm("x").unwrap().to_string(), r#"Basic realm="x""#);
        for scheme in ["", "a b", "Bäsic", "a,b"] {
            assert_eq!(Challenge::of_scheme(scheme), Err(InvalidChallenge));
        }
    }
}
