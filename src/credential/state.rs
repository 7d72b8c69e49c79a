//! How far the refresh of a credential has come, and what has to happen next.

use std::fmt;

use crate::credential::EndCause;
use crate::time::Timestamp;

/// How far the refresh of a credential has come.
///
/// A refresh token is good for one use. So the state is written before a request leaves, and only the new tokens take it
/// back, or an answer which says that nothing was spent. Somebody's decision sends what is uncertain once more; that the
/// second request spent nothing does not say so of the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case", tag = "name"))]
#[non_exhaustive]
pub enum CredentialState {
    /// Its refresh token was not sent to anybody.
    Active,
    /// Its refresh token is on its way. Where no lease covers it any more, whoever sent it has died, or hangs, and what
    /// the server did is not known.
    Sent {
        /// Since when.
        at: Timestamp,
    },
    /// Its refresh token was sent, and no answer came that says what became of it.
    Uncertain {
        /// Since when.
        since: Timestamp,
    },
    /// No refresh will help: the account's owner has to sign in again.
    Ended {
        /// Why.
        reason: EndReason,
        /// Since when.
        at: Timestamp,
    },
}

/// Why a credential has to be authorized anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EndReason {
    /// The server refused the refresh token: `invalid_grant` (RFC 6749 section 5.2), and does not say why. It had expired,
    /// was revoked, or had been used before.
    InvalidGrant,
    /// The server says that the refresh token had been used before: an answer was lost, or somebody else has the session.
    Replayed,
    /// The server says that the tokens are bound to another key.
    OtherKey,
    /// The session's time was over, as it is foretold or as the server says. That of a public client of atproto ends two
    /// weeks after sign-in, however often it is refreshed.
    SessionExpired,
    /// The server answered for another account, another type of token or fewer scopes than the credential had.
    UnacceptableAnswer,
    /// The access token has expired, and there is no refresh token.
    NotRefreshable,
}

impl EndReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::InvalidGrant,
        Self::Replayed,
        Self::OtherKey,
        Self::SessionExpired,
        Self::UnacceptableAnswer,
        Self::NotRefreshable,
    ];

    /// Why a session is over whose server has refused the refresh token.
    #[must_use]
    pub const fn of(cause: EndCause) -> Self {
        match cause {
            EndCause::Replayed => Self::Replayed,
            EndCause::OtherKey => Self::OtherKey,
            EndCause::Expired => Self::SessionExpired,
            EndCause::Unsaid => Self::InvalidGrant,
        }
    }

    /// The reason in one word, for stores and logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidGrant => "invalid_grant",
            Self::Replayed => "replayed",
            Self::OtherKey => "other_key",
            Self::SessionExpired => "session_expired",
            Self::UnacceptableAnswer => "unacceptable_answer",
            Self::NotRefreshable => "not_refreshable",
        }
    }

    /// The reason with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidGrant => "the authorization server refused the refresh token",
            Self::Replayed => "the refresh token had been used before",
            Self::OtherKey => "the authorization server knows the session by another key",
            Self::SessionExpired => "the session's time is over",
            Self::UnacceptableAnswer => "the authorization server answered for another account, type or scope",
            Self::NotRefreshable => "the access token has expired, and there is no refresh token",
        })
    }
}

/// What has to happen before an access token can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Nothing: the token that is there will do.
    Nothing,
    /// It has to be refreshed.
    Refresh,
    /// Somebody refreshes it at the moment.
    Patience {
        /// Until when that may take.
        until: Timestamp,
    },
    /// Somebody has to decide whether the refresh token is sent once more, which ends the session if it had arrived.
    Decision {
        /// Since when.
        since: Timestamp,
    },
    /// The account's owner has to sign in again.
    Authorization(EndReason),
}
