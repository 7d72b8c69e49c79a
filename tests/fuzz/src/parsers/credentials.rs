//! What servers of others answer, private keys, and URLs of endpoints.

use keyward::Secret;
use keyward::credential::{
    AnswerHeaders, DpopKey, Endpoint, Expected, InvalidDpopKey, ResourceAnswer, RevocationAnswer, ServerAnswer,
    TokenAnswer, TokenOutcome, TokenType,
};
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

const SENT: &str = "ref-sent-1";

/// Two bytes of status, then headers in lines up to an empty one, then the body.
///
/// An answer gives tokens exactly when a general reader finds an access token in its object, and its refusal is not
/// shown with the token that was sent.
pub(crate) fn answers(data: &[u8]) {
    let Some((status, rest)) = data.split_first_chunk::<2>() else { return };
    // Most of what there is has a status of three digits.
    let status = u16::from_be_bytes(*status);
    let (head, body) = match rest.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&rest[..at], &rest[at + 2..]),
        None => (&[][..], rest),
    };
    let headers: AnswerHeaders = head
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((String::from_utf8_lossy(&line[..colon]).into_owned(), &line[colon + 1..]))
        })
        .collect();
    let sent = Secret::new(SENT.to_owned());
    let expected = Expected::new(TokenType::Dpop, &sent).subject("did:plc:a").scope("atproto");
    let answer = ServerAnswer::new(status, &headers, body);
    let understood = TokenAnswer::understand(answer, &expected);
    let revoked = RevocationAnswer::understand(answer, &sent, true);
    let resource = ResourceAnswer::understand(status, &headers);
    assert!(understood.nonce.as_ref() == headers.nonce() && revoked.nonce == resource.nonce);

    let object = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    match &understood.outcome {
        TokenOutcome::Refreshed(pair) | TokenOutcome::Unacceptable { pair, .. } => {
            assert!((200..300).contains(&status));
            // A general reader does not hold every number, and does not pass over letters that are none.
            if let Some(object) = object {
                assert_eq!(object["access_token"], pair.access_token.expose_secret());
                let refresh_token = pair.refresh_token.as_ref().map(Secret::expose_secret);
                assert!(refresh_token.is_none_or(|token| object["refresh_token"] == token));
                let is_good = matches!(understood.outcome, TokenOutcome::Refreshed(_));
                assert!(!is_good || object["sub"] == "did:plc:a");
            } else {
                let is_text = std::str::from_utf8(body).is_ok();
                assert!(!is_text || serde_json::from_slice::<&RawValue>(body).is_ok());
            }
        }
        other => {
            assert!(!(200..300).contains(&status) || !other.spent_nothing());
            let printed = format!("{other:?} {:?}", revoked.outcome);
            assert!(!printed.contains(SENT), "{printed}");
            if matches!(other, TokenOutcome::Ended { .. }) && headers.nonce().is_none() && head.is_empty() {
                assert!(object.is_none_or(|object| object["error"] == "invalid_grant"));
            }
        }
    }
}

/// A text that is a key is the one text of this key, and no error repeats it.
pub(crate) fn multibase(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match DpopKey::from_multibase(text) {
        Ok(key) => {
            assert_eq!((key.to_multibase().expose_secret(), text.len()), (text, 48));
            assert!(text.starts_with("z42t") || text.starts_with("z42u"), "{text}");
        }
        Err(InvalidDpopKey::OutOfRange) => assert!(text.starts_with("z42"), "{text}"),
        Err(error) => assert!(text.len() < 40 || !error.to_string().contains(text)),
    }
}

/// An endpoint is what a browser makes of it: the same host and path, without a user, and over https unless it is here.
pub(crate) fn endpoints(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(endpoint) = Endpoint::new(text) else { return };
    assert_eq!(endpoint.as_str(), text);
    let host = endpoint.host().to_ascii_lowercase();
    // An encoded name that nothing encodes to is read by nobody.
    let is_encoded = host.split('.').any(|label| label.starts_with("xn--"));
    let Ok(read) = Url::parse(text) else { return assert!(is_encoded, "{text}") };
    let read_host = read.host_str().expect("a host");
    assert!(
        host.starts_with('[') == read_host.starts_with('[') && (host.starts_with('[') || host == read_host),
        "{text}"
    );
    assert!(read.username().is_empty() && read.password().is_none() && read.fragment().is_none(), "{text}");
    let is_here = matches!(read_host, "localhost" | "[::1]") || read_host.starts_with("127.");
    assert!(read.scheme() == "https" || (read.scheme() == "http" && is_here && endpoint.is_loopback()), "{text}");
    let written = format!("{}{}", read.path(), read.query().map(|query| format!("?{query}")).unwrap_or_default());
    // A quote in a query is the one character that is written in another way.
    assert!(text.ends_with(written.trim_start_matches('/')) || text.contains('\''), "{text}");
}
