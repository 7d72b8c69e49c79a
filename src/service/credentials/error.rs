//! Why there is no access token.

use crate::credential::{EndReason, ServerError, SessionError};
use crate::key::Defect;
use crate::random::RandomUnavailable;
use crate::seal::OpenError;
use crate::service::credentials::TransportError;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::visible::Visible;

/// Why there is no access token, or a credential was not stored.
///
/// None of them carries a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The owner has no credential.
    #[error("there is no credential")]
    NotFound,
    /// The session is over: its owner has to sign in again.
    #[error("the credential has to be authorized anew: {0}")]
    NeedsAuthorization(EndReason),
    /// The refresh token was sent, and what became of it is not known: it may be spent. Somebody has to
    /// [decide](crate::service::Credentials::retry_uncertain).
    #[error("what became of the refresh that was sent at {since} is not known")]
    Uncertain {
        /// When it was sent.
        since: Timestamp,
    },
    /// Another caller or process refreshes it, and is not done yet. Ask again.
    #[error("another process is refreshing the credential until {until}")]
    Busy {
        /// Until when it may take.
        until: Timestamp,
    },
    /// A refresh failed a moment ago and nothing was spent: it is not tried again before this.
    #[error("the authorization server cannot refresh the credential now, to be tried again at {retry_at}")]
    Later {
        /// From when it is tried again.
        retry_at: Timestamp,
        /// What the server said, if it was the one that answered.
        answer: Option<ServerError>,
        /// What went wrong on the way there.
        #[source]
        source: Option<TransportError>,
    },
    /// The server refused the client: its identifier, secret or key is not, or no longer, the right one. Nothing was spent.
    #[error("the authorization server refused the client: {0}")]
    ClientRefused(ServerError),
    /// The server refused the proof; the clock may be wrong. Nothing was spent.
    #[error("the authorization server refused the proof: {0}")]
    ProofRefused(ServerError),
    /// The server refused the request. Nothing was spent.
    #[error("the authorization server refused the request: {0}")]
    RequestRefused(ServerError),
    /// The server has given a new pair, and the store does not take it. It is tried again until it does; only that pair is
    /// good now.
    #[error("the new tokens could not be stored yet")]
    Unsaved,
    /// Another credential was stored while this one was being refreshed.
    #[error("another credential was stored meanwhile")]
    Replaced,
    /// The request goes to another server than the credential is for, or to one that is not reached by https.
    #[error("the request goes to another server than the credential is for")]
    OtherServer,
    /// The client that obtained the credential was not set up.
    #[error("the client {} is not set up", Visible(.client_id))]
    UnknownClient {
        /// Its identifier.
        client_id: String,
    },
    /// There are no keys to seal with, or to open with.
    #[error("there are no keys to seal or open secrets with")]
    NoSealKeys,
    /// A stored secret does not open.
    #[error("the {column} does not open")]
    Open {
        /// Which.
        column: &'static str,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// A stored value cannot be understood.
    #[error("the credential has a value in {0} that cannot be understood")]
    Defect(Defect),
    /// The session cannot be stored.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A secret is too long to be stored.
    #[error("the {column} is too long")]
    TooLong {
        /// Which.
        column: &'static str,
    },
    /// The generator failed.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CredentialsError {
    /// Whether the same call may succeed later by itself: 503 rather than anything else.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Later { .. } | Self::Unsaved | Self::Replaced => true,
            Self::Store(error) => error.is_outage(),
            _ => false,
        }
    }
}
