//! What can go wrong with a credential, with which exit status, and what to do then.

use keyward::service::{CredentialsError, SessionKeysError};

use crate::failure::Failure;

impl From<CredentialsError> for Failure {
    fn from(error: CredentialsError) -> Self {
        match error {
            CredentialsError::Store(error) => error.into(),
            CredentialsError::NotFound => Self::not_found("the owner has no credential"),
            CredentialsError::NeedsAuthorization(_) => {
                Self::from_chain(&error, Self::refused).after("its owner has to sign in again")
            }
            CredentialsError::Uncertain { .. } => Self::from_chain(&error, Self::refused)
                .after("once whoever sent it is certainly gone, `keyward credential retry` sends it once more"),
            CredentialsError::UnknownClient { .. } => {
                Self::from_chain(&error, Self::usage).after("--clients names clients with a secret or a key")
            }
            CredentialsError::NoSealKeys => Self::from_chain(&error, Self::usage),
            CredentialsError::ClientRefused(_)
            | CredentialsError::ProofRefused(_)
            | CredentialsError::RequestRefused(_)
            | CredentialsError::OtherServer
            | CredentialsError::Open { .. }
            | CredentialsError::Session(_)
            | CredentialsError::TooLong { .. } => Self::from_chain(&error, Self::refused),
            _ => Self::unavailable(&error),
        }
    }
}

impl From<SessionKeysError> for Failure {
    fn from(error: SessionKeysError) -> Self {
        match error {
            SessionKeysError::Keys(error) => error.into(),
            SessionKeysError::Credentials(error) => error.into(),
            SessionKeysError::NeedsSession => Self::from_chain(&error, Self::refused).after(
                "--session takes the session that comes of it; after a revocation, --after-revocation goes on with the one that stands",
            ),
            _ => Self::unavailable(&error),
        }
    }
}
