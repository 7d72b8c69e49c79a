//! What can go wrong with an authorization server, and with which exit status.

use keyward::service::TokensError;

use crate::failure::Failure;

impl From<TokensError> for Failure {
    fn from(error: TokensError) -> Self {
        match error {
            TokensError::Store(error) => error.into(),
            TokensError::InvalidScope => Self::usage(error.to_string()),
            _ => Self::unavailable(&error),
        }
    }
}
