//! What a resource server answers to a request with an access token.

use crate::credential::{AnswerHeaders, DpopNonce};

/// The longest header `WWW-Authenticate` that is looked into, in bytes.
const MAX_HEADER_LEN: usize = 4096;
/// How many challenges are kept.
const MAX_CHALLENGES: usize = 16;

/// What a resource server's answer means for the token that was presented.
///
/// ```
/// use keyward::credential::{AnswerHeaders, ResourceAnswer, ResourceChallenge};
///
/// let headers = [("WWW-Authenticate", r#"DPoP error="use_dpop_nonce""#), ("DPoP-Nonce", "n-2")];
/// let answer = ResourceAnswer::understand(401, &headers.into_iter().collect());
/// assert_eq!(answer.challenge, Some(ResourceChallenge::UseNonce)); // once more, with this nonce
/// assert_eq!(answer.nonce.as_ref().map(|nonce| nonce.as_str()), Some("n-2"));
///
/// // Most answers say nothing against the token.
/// let answer = ResourceAnswer::understand(200, &AnswerHeaders::default());
/// assert_eq!(answer.challenge, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceAnswer {
    /// What is asked of the client; `None` where the answer is about something else than its token.
    pub challenge: Option<ResourceChallenge>,
    /// The newest nonce of this resource server, to be used from now on whatever the answer is.
    pub nonce: Option<DpopNonce>,
}

/// What a resource server has against a request's token or proof (RFC 6750 section 3, RFC 9449 section 7.1 and 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceChallenge {
    /// The proof has to have the nonce that came with the answer: sign it anew and send the request once more, but not
    /// again if that is refused, too.
    UseNonce,
    /// `invalid_token`: expired, revoked, or replaced by a refresh in the meantime.
    InvalidToken,
    /// `invalid_dpop_proof`, or a nonce is asked for and none is given: nothing is wrong with the token.
    InvalidProof,
    /// `insufficient_scope`: the token is good and does not permit this.
    InsufficientScope,
    /// 401 for another reason, or for none that is said.
    Unauthorized,
}

impl ResourceAnswer {
    /// Reads an answer's status and headers.
    #[must_use]
    pub fn understand(status: u16, headers: &AnswerHeaders) -> Self {
        let nonce = headers.nonce().cloned();
        let error = headers.challenges().iter().find_map(Challenge::error).unwrap_or_default();
        let challenge = match (status, error) {
            (401, "use_dpop_nonce") if nonce.is_some() => Some(ResourceChallenge::UseNonce),
            (401, "use_dpop_nonce" | "invalid_dpop_proof") => Some(ResourceChallenge::InvalidProof),
            (401, "invalid_token") => Some(ResourceChallenge::InvalidToken),
            (401 | 403, "insufficient_scope") => Some(ResourceChallenge::InsufficientScope),
            (401, _) => Some(ResourceChallenge::Unauthorized),
            _ => None,
        };
        Self { challenge, nonce }
    }
}

/// One challenge of the schemes `DPoP` and `Bearer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    error: Option<String>,
}

impl Challenge {
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// Appends the challenges of one header (RFC 9110 section 11.6.1) that are about tokens. What follows no grammar is
/// passed over.
pub(super) fn challenges(header: &str, found: &mut Vec<Challenge>) {
    if header.len() > MAX_HEADER_LEN {
        return;
    }
    let is_token = |character: char| character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character);
    // Whether parameters belong to the challenge that was found last.
    let mut ours = false;
    let mut rest = header;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|character| !is_token(character)).unwrap_or(rest.len());
        if end == 0 {
            rest = if first == '"' { quoted(rest).1 } else { &rest[first.len_utf8()..] };
            continue;
        }
        let (name, behind) = rest.split_at(end);
        let Some(value) = behind.trim_start().strip_prefix('=') else {
            // A name without a value is a scheme.
            ours = name.eq_ignore_ascii_case("DPoP") || name.eq_ignore_ascii_case("Bearer");
            if ours && found.len() < MAX_CHALLENGES {
                found.push(Challenge { error: None });
            }
            rest = behind;
            continue;
        };
        let value = value.trim_start();
        let (value, behind) = if value.starts_with('"') {
            quoted(value)
        } else {
            let (value, behind) = value.split_at(value.find(|character| !is_token(character)).unwrap_or(value.len()));
            (value.to_owned(), behind)
        };
        if let Some(challenge) = found.last_mut().filter(|_| ours && name.eq_ignore_ascii_case("error")) {
            challenge.error.get_or_insert(value);
        }
        rest = behind;
    }
}

/// A text in quotation marks without them, and what is behind it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return (value, &text[at + 1..]),
            _ => {
                value.push(character);
                escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(header: &str) -> Vec<Option<String>> {
        let mut found = Vec::new();
        challenges(header, &mut found);
        found.into_iter().map(|challenge| challenge.error).collect()
    }

    fn understood(status: u16, challenge: &str, nonce: Option<&str>) -> Option<ResourceChallenge> {
        let pairs = [("WWW-Authenticate", Some(challenge)), ("DPoP-Nonce", nonce)];
        let headers = pairs.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
        ResourceAnswer::understand(status, &headers).challenge
    }

    #[test]
    fn a_nonce_is_asked_for_by_the_challenge_and_the_header_together() {
        let challenge =
            r#"DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof""#;
        assert_eq!(understood(401, challenge, Some("n")), Some(ResourceChallenge::UseNonce));
        assert_eq!(understood(401, challenge, None), Some(ResourceChallenge::InvalidProof));
        assert_eq!(understood(400, challenge, Some("n")), None);
        assert_eq!(understood(200, "", Some("n")), None);
        assert_eq!(
            understood(401, r#"Basic error="use_dpop_nonce""#, Some("n")),
            Some(ResourceChallenge::Unauthorized)
        );
    }

    #[test]
    fn a_dead_token_is_told_from_a_bad_proof_and_from_a_missing_scope() {
        assert_eq!(understood(401, r#"DPoP error="invalid_token""#, None), Some(ResourceChallenge::InvalidToken));
        assert_eq!(understood(401, "Bearer error=invalid_token", None), Some(ResourceChallenge::InvalidToken));
        assert_eq!(understood(401, r#"DPoP error="invalid_dpop_proof""#, None), Some(ResourceChallenge::InvalidProof));
        assert_eq!(
            understood(403, r#"DPoP error="insufficient_scope", scope="a b""#, None),
            Some(ResourceChallenge::InsufficientScope)
        );
        assert_eq!(understood(403, "", None), None);
        assert_eq!(understood(401, "", None), Some(ResourceChallenge::Unauthorized));
        assert_eq!(understood(500, r#"DPoP error="invalid_token""#, None), None);
    }

    #[test]
    fn every_answer_gives_its_nonce() {
        for status in [200, 401, 404, 500] {
            let headers = [("DPoP-Nonce", "n-9")].into_iter().collect();
            let nonce = ResourceAnswer::understand(status, &headers).nonce;
            assert_eq!(nonce.as_ref().map(DpopNonce::as_str), Some("n-9"));
        }
    }

    #[test]
    fn challenges_are_read_among_others_and_whatever_stands_in_them() {
        let some = |error: &str| Some(error.to_owned());
        assert_eq!(errors(r#"dpop algs="ES256", ERROR = "a\"b", error="c""#), [some("a\"b")]);
        assert_eq!(errors(r#"Basic realm="x", DPoP error="a", Bearer realm="DPoP error=b""#), [some("a"), None]);
        assert_eq!(errors("Negotiate YIIx==, DPoP error=a"), [some("a")]);
        assert_eq!(errors(r#"Basic error="a""#), []);
        assert_eq!(errors(r#"Bearer, Basic error="a""#), [None]);
        assert_eq!(errors(r#"DPoP error="a"#), [some("a")]);
        assert_eq!(errors("DPoP error="), [some("")]);
        assert_eq!(errors(r#""", ,=,"=é DPoP"#), []);
        assert_eq!(errors(&format!("DPoP x=\"{}\"", "x".repeat(MAX_HEADER_LEN))), []);
        assert_eq!(errors(&"DPoP,".repeat(100)).len(), MAX_CHALLENGES);
    }
}
