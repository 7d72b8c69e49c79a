//! What an answer of a token or revocation endpoint means, and what is to be done.

use crate::credential::challenge::Challenge;
use crate::credential::token_response::{self, Found};
use crate::credential::{AnswerHeaders, DpopNonce, RetryAfter, ServerError, TokenPair, Unreadable};
use crate::secret::Secret;

/// The longest body that is understood, in bytes. Whoever reads one should read a byte more than this at most.
pub const MAX_ANSWER_LEN: usize = 64 * 1024;

/// An answer as it came: status, headers and body.
#[derive(Clone, Copy)]
pub struct ServerAnswer<'a> {
    status: u16,
    headers: &'a AnswerHeaders,
    body: &'a [u8],
}

impl<'a> ServerAnswer<'a> {
    /// An answer. Of a body that is longer than [`MAX_ANSWER_LEN`], any longer part will do.
    #[must_use]
    pub const fn new(status: u16, headers: &'a AnswerHeaders, body: &'a [u8]) -> Self {
        Self { status, headers, body }
    }
}

/// Without the body.
impl std::fmt::Debug for ServerAnswer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerAnswer")
            .field("status", &self.status)
            .field("headers", self.headers)
            .field("body_len", &self.body.len())
            .finish()
    }
}

/// How an access token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "these are the two that there are")]
pub enum TokenType {
    /// With a proof (RFC 9449).
    Dpop,
    /// By itself (RFC 6750).
    Bearer,
}

impl TokenType {
    /// The name, as it stands in `token_type` and in front of the token in the header `Authorization`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dpop => "DPoP",
            Self::Bearer => "Bearer",
        }
    }
}

/// What an answer to a refresh is compared with.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Expected<'a> {
    token_type: TokenType,
    refresh_token: &'a Secret,
    subject: Option<&'a str>,
    scope: Option<&'a str>,
}

impl<'a> Expected<'a> {
    /// New tokens of `token_type`, for the `refresh_token` that was sent. What the server says is never shown with that
    /// token in it.
    pub const fn new(token_type: TokenType, refresh_token: &'a Secret) -> Self {
        Self { token_type, refresh_token, subject: None, scope: None }
    }

    /// Only for this `sub`: in atproto, the DID of the account. An answer without one is not acceptable then.
    pub const fn subject(mut self, subject: &'a str) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Only with this scope, `atproto` say. An answer that names no scopes leaves them as they were.
    pub const fn scope(mut self, scope: &'a str) -> Self {
        self.scope = Some(scope);
        self
    }
}

/// What the token endpoint said to a refresh.
#[derive(Debug)]
#[non_exhaustive]
pub struct TokenAnswer {
    /// What it means.
    pub outcome: TokenOutcome,
    /// The newest nonce of this server, to be used from now on whatever the outcome is.
    pub nonce: Option<DpopNonce>,
}

/// What an answer to a refresh means. Whoever gets no answer at all has two more cases: what failed before the request
/// left is [`Later`](Self::Later), and what broke afterwards is [`Uncertain`](Self::Uncertain).
#[derive(Debug)]
#[non_exhaustive]
pub enum TokenOutcome {
    /// New tokens. Store them before anybody uses them; the old ones are dead.
    Refreshed(TokenPair),
    /// New tokens that must not be used: the session needs a new authorization. The old tokens are dead.
    Unacceptable {
        /// The tokens, for revoking them.
        pair: TokenPair,
        /// What is wrong with them.
        reason: Unacceptable,
    },
    /// Nothing was spent: the proof has to have the nonce of this answer. Send the refresh once more, as a new attempt.
    /// A second answer of this kind is not followed.
    UseNonce,
    /// `invalid_grant`: the session is over. Do not refresh it again.
    Ended {
        /// Why, as far as the server's words tell.
        cause: EndCause,
        /// The server's words.
        error: ServerError,
    },
    /// `invalid_client` or `unauthorized_client`: the client's fault. Nothing was spent.
    ClientRefused(ServerError),
    /// `invalid_dpop_proof`, or a nonce is asked for and none is given. Nothing was spent; the clock may be wrong.
    ProofRefused(ServerError),
    /// Another refusal, such as `invalid_request`, a page of a firewall, or a redirect, which is not followed. Nothing
    /// was spent.
    RequestRefused(ServerError),
    /// The server cannot answer now: 5xx, 429, 408, 425, or a code that says so; not where somebody on the way to it has
    /// given up waiting, which is [`Uncertain`](Self::Uncertain). The refresh token is probably not
    /// spent, but a second use of one that is spent ends the session: before it is sent again, read the session again.
    Later {
        /// When the server wants to be asked again.
        retry_after: Option<RetryAfter>,
        /// The server's words.
        error: ServerError,
    },
    /// A success that cannot be understood, or the word of a gateway (504, 522, 524) that the server took too long: the refresh token may be spent, and what replaces it is lost.
    Uncertain(Unreadable),
}

impl TokenOutcome {
    /// Whether it is certain that the refresh token that was sent is as good as before.
    #[must_use]
    pub const fn spent_nothing(&self) -> bool {
        matches!(self, Self::UseNonce | Self::ClientRefused(_) | Self::ProofRefused(_) | Self::RequestRefused(_))
    }
}

/// Why new tokens must not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unacceptable {
    /// They are another account's, or say of no account that they are its.
    #[error("the tokens are not the account's")]
    Subject,
    /// They are of another type than the session's, or of none.
    #[error("the tokens are not of the session's type")]
    TokenType,
    /// There is a refresh token that is empty or cannot be sent.
    #[error("the new refresh token is not usable")]
    RefreshToken,
    /// A scope is lost that the session needs.
    #[error("the tokens have lost a scope that the session needs")]
    Scope,
}

/// Why a session is over, by the words of servers that are known. A guess for people, and nothing to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndCause {
    /// The refresh token had been used before: an answer was lost, or somebody else has it.
    Replayed,
    /// The proof was made with another key than the session's.
    OtherKey,
    /// The session's time is over. A public client's session ends 14 days after sign-in on the atproto PDS, however
    /// often it is refreshed.
    Expired,
    /// The server does not say: revoked, unknown, or one of the others.
    Unsaid,
}

impl EndCause {
    fn guess(error: &ServerError) -> Self {
        let text = error.description().unwrap_or_default().to_ascii_lowercase();
        if text.contains("replay") || text.contains("already used") || text.contains("reuse") {
            Self::Replayed
        } else if text.contains("jkt") || text.contains("dpop") {
            Self::OtherKey
        } else if text.contains("expired") {
            Self::Expired
        } else {
            Self::Unsaid
        }
    }
}

impl TokenAnswer {
    /// Sorts an answer to a refresh, and checks the tokens of a success. No answer panics.
    #[must_use]
    pub fn understand(answer: ServerAnswer<'_>, expected: &Expected<'_>) -> Self {
        let outcome = match answer.status {
            200..=299 if answer.body.len() > MAX_ANSWER_LEN => TokenOutcome::Uncertain(Unreadable::TooLong),
            200..=299 => match token_response::read(answer.body) {
                Ok(found) => judge(found, expected),
                Err(unreadable) => TokenOutcome::Uncertain(unreadable),
            },
            _ => match Refusal::sort(answer, expected.refresh_token, expected.token_type == TokenType::Dpop) {
                None => TokenOutcome::Uncertain(Unreadable::Status),
                Some((refusal, error)) => match refusal {
                    Refusal::UseNonce => TokenOutcome::UseNonce,
                    Refusal::Grant => TokenOutcome::Ended { cause: EndCause::guess(&error), error },
                    Refusal::Client => TokenOutcome::ClientRefused(error),
                    Refusal::Proof => TokenOutcome::ProofRefused(error),
                    Refusal::Request => TokenOutcome::RequestRefused(error),
                    Refusal::Later => TokenOutcome::Later { retry_after: answer.headers.retry_after(), error },
                },
            },
        };
        Self { outcome, nonce: answer.headers.nonce().cloned() }
    }
}

fn judge(found: Found, expected: &Expected<'_>) -> TokenOutcome {
    let Found { pair, refresh_token_is_wrong, token_type, scope_is_wrong } = found;
    let is_expected_type = token_type.is_some_and(|name| name.eq_ignore_ascii_case(expected.token_type.name()));
    let lost = |scope: &str| scope_is_wrong || pair.scope.as_ref().is_some_and(|scopes| !scopes.contains(scope));
    let reason = if expected.subject.is_some_and(|subject| pair.subject.as_deref() != Some(subject)) {
        Unacceptable::Subject
    } else if !is_expected_type {
        Unacceptable::TokenType
    } else if refresh_token_is_wrong {
        Unacceptable::RefreshToken
    } else if expected.scope.is_some_and(lost) {
        Unacceptable::Scope
    } else {
        return TokenOutcome::Refreshed(pair);
    };
    TokenOutcome::Unacceptable { pair, reason }
}

/// What the revocation endpoint said (RFC 7009 section 2.2).
#[derive(Debug)]
#[non_exhaustive]
pub struct RevocationAnswer {
    /// What it means.
    pub outcome: RevocationOutcome,
    /// The newest nonce of this server, to be used from now on whatever the outcome is.
    pub nonce: Option<DpopNonce>,
}

/// What an answer to a revocation means. A revocation may be sent again at will.
#[derive(Debug)]
#[non_exhaustive]
pub enum RevocationOutcome {
    /// The token is good for nothing any more. It may have been unknown.
    Revoked,
    /// The proof has to have the nonce of this answer: send it once more, as a new attempt.
    UseNonce,
    /// The server refuses.
    Refused(ServerError),
    /// The server cannot answer now (RFC 7009 section 2.2.1: the token still exists).
    Later {
        /// When the server wants to be asked again.
        retry_after: Option<RetryAfter>,
        /// The server's words.
        error: ServerError,
    },
}

impl RevocationAnswer {
    /// Sorts an answer to the revocation of `sent`, which is never shown. `by_dpop` says whether there was a proof. No
    /// answer panics.
    #[must_use]
    pub fn understand(answer: ServerAnswer<'_>, sent: &Secret, by_dpop: bool) -> Self {
        let outcome = match (answer.status, Refusal::sort(answer, sent, by_dpop)) {
            (200..=299, _) => RevocationOutcome::Revoked,
            (_, Some((Refusal::UseNonce, _))) => RevocationOutcome::UseNonce,
            (_, Some((Refusal::Later, error))) => {
                RevocationOutcome::Later { retry_after: answer.headers.retry_after(), error }
            }
            (_, Some((_, error))) => RevocationOutcome::Refused(error),
            (status, None) => RevocationOutcome::Refused(ServerError::read(status, &[], None, sent).1),
        };
        Self { outcome, nonce: answer.headers.nonce().cloned() }
    }
}

/// The kinds of refusal that are answered differently.
enum Refusal {
    UseNonce,
    Grant,
    Client,
    Proof,
    Request,
    Later,
}

impl Refusal {
    /// `None` for a status that is no refusal.
    fn sort(answer: ServerAnswer<'_>, sent: &Secret, by_dpop: bool) -> Option<(Self, ServerError)> {
        // Half an object is no object.
        let body = if answer.body.len() > MAX_ANSWER_LEN { &[] } else { answer.body };
        let challenged = answer.headers.challenges().iter().find_map(Challenge::error);
        let (code, error) = ServerError::read(answer.status, body, challenged, sent);
        let has_nonce = answer.headers.nonce().is_some();
        let refusal = match (answer.status, code.as_str()) {
            // Somebody on the way has given up waiting: the server has the request, and may have answered it.
            (504 | 522 | 524, "") => return None,
            // Two refreshes at once make the atproto PDS answer 500 to one of them, and its code says nothing then.
            (408 | 425 | 429 | 500..=599, _)
            | (400..=499, "server_error" | "temporarily_unavailable" | "slow_down") => Self::Later,
            (400..=499, "use_dpop_nonce") if by_dpop && has_nonce => Self::UseNonce,
            (400..=499, "use_dpop_nonce" | "invalid_dpop_proof") => Self::Proof,
            (400..=499, "invalid_grant") => Self::Grant,
            (400..=499, "invalid_client" | "unauthorized_client") => Self::Client,
            (300..=499, _) => Self::Request,
            _ => return None,
        };
        Some((refusal, error))
    }
}

#[cfg(test)]
mod tests;
