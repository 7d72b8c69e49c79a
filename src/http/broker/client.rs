//! Which client sends a request, and by what it proves that (RFC 6749 section 2.3.1).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::refusal::{challenged, refuse};
use crate::broker::{OAuthErrorCode, Parameters, PresentedClient};
use crate::http::Rejection;
use crate::secret::Secret;

/// The longest header `Authorization` that is read, in bytes.
const MAX_HEADER_LEN: usize = 8 * 1024;

/// With and without padding, as clients write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An identifier and a secret from the header `Authorization`.
pub(super) struct BasicCredentials {
    id: String,
    secret: Secret,
}

impl BasicCredentials {
    /// Those of a request; `None` where there is no such header.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Rejection> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) if value.len() <= MAX_HEADER_LEN => value.as_bytes(),
            _ => {
                return Err(refuse(OAuthErrorCode::InvalidRequest, "the header Authorization is repeated or too long"));
            }
        };
        let refusal = || challenged(refuse(OAuthErrorCode::InvalidClient, "the header Authorization is malformed"));
        Self::parse(value).map(Some).ok_or_else(refusal)
    }

    /// Identifier and secret are escaped as in a form. Clients that leave that out are understood as well, since those of
    /// ours have no character that has to be escaped.
    fn parse(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?.trim();
        let (scheme, encoded) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return None;
        }
        let decoded = Secret::new(String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?);
        let (id, secret) = decoded.expose_secret().split_once(':')?;
        Some(Self { id: unescape(id), secret: Secret::new(unescape(secret)) })
    }
}

fn unescape(text: &str) -> String {
    let pair = format!("={text}");
    let value = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned());
    // An ampersand would end the value: whoever writes one has not escaped anything.
    if text.contains('&') { text.to_owned() } else { value.unwrap_or_default() }
}

/// The client of a request with these parameters. It names itself by one method alone.
pub(super) fn presented<'r>(
    basic: Option<&'r BasicCredentials>,
    parameters: &'r Parameters<'_>,
) -> Result<PresentedClient<'r>, Rejection> {
    let (id, secret) = (parameters.get("client_id"), parameters.get("client_secret"));
    if parameters.get("client_assertion").is_some() || parameters.get("client_assertion_type").is_some() {
        return Err(refuse(OAuthErrorCode::InvalidClient, "assertions of clients are not taken"));
    }
    match (basic, id, secret) {
        (Some(_), _, Some(_)) => {
            Err(refuse(OAuthErrorCode::InvalidRequest, "the client authenticates by more than one method"))
        }
        (Some(basic), Some(id), None) if basic.id != id => {
            Err(refuse(OAuthErrorCode::InvalidRequest, "client_id is another one than that of the header"))
        }
        (Some(basic), _, None) => Ok(PresentedClient::Basic(&basic.id, basic.secret.expose_secret())),
        (None, Some(id), Some(secret)) => Ok(PresentedClient::Post(id, secret)),
        (None, Some(id), None) => Ok(PresentedClient::Named(id)),
        (None, None, _) => Err(refuse(OAuthErrorCode::InvalidClient, "client_id is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let read = BasicCredentials::parse(value.as_bytes())?;
        Some((read.id, read.secret.expose_secret().to_owned()))
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64.encode(pair))
    }

    #[test]
    fn identifier_and_secret_are_unescaped() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(read(&basic("a:b")), pair("a", "b"));
        assert_eq!(read(&basic("a%3Ab:c%20d+e")), pair("a:b", "c d e"));
        assert_eq!(read(&basic("a:b:c")), pair("a", "b:c"));
        assert_eq!(read(&basic("a:")), pair("a", ""));
        assert_eq!(read(&format!("bAsIc   {}", BASE64.encode("a:b").trim_end_matches('='))), pair("a", "b"));
    }

    #[test]
    fn everything_else_is_no_pair() {
        for value in
            ["", "Basic", "Basic ", "Basic !", "Bearer YTpi", &basic("ab"), "Basic YTpi YTpi", "Basic /////w=="]
        {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
