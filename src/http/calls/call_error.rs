//! Why a call on behalf of an owner was not answered.

use crate::service::CredentialsError;

/// Why a call on behalf of an owner was not answered. An answer that refuses the call is no error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// There is no token to call with. Nothing was sent.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Neither the layer nor the request says on whose behalf it is. Nothing was sent.
    #[error("the request does not say on whose behalf it is")]
    NoOwner,
    /// The client could not send the request, or got no answer.
    #[error("the call was not answered")]
    Client(#[source] E),
}
