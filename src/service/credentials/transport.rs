//! How a request reaches a server.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::credential::{AnswerHeaders, ServerAnswer, TokenRequest};

/// Sends requests to token and revocation endpoints.
///
/// A request is sent once: an implementation repeats nothing by itself, follows no redirect, and reads no more of a body than
/// [`MAX_ANSWER_LEN`](crate::credential::MAX_ANSWER_LEN) bytes and one. It verifies the server's certificate, and has no
/// time limit that is shorter than the service's own, which drops the future when it is over.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` by `POST`, and waits for the answer.
    ///
    /// # Errors
    /// [`TransportError::NotSent`] only if it is certain that nothing has reached the server; otherwise
    /// [`TransportError::Broken`].
    async fn send(&self, request: &TokenRequest) -> Result<TransportAnswer, TransportError>;
}

/// What a server answered.
#[non_exhaustive]
pub struct TransportAnswer {
    /// The status.
    pub status: u16,
    /// The headers that matter.
    pub headers: AnswerHeaders,
    /// The body, or as much of it as is understood at most.
    pub body: Zeroizing<Vec<u8>>,
}

impl TransportAnswer {
    /// An answer.
    #[must_use]
    pub fn new(status: u16, headers: AnswerHeaders, body: Vec<u8>) -> Self {
        Self { status, headers, body: Zeroizing::new(body) }
    }

    /// The answer as it is understood.
    pub(super) fn as_server_answer(&self) -> ServerAnswer<'_> {
        ServerAnswer::new(self.status, &self.headers, &self.body)
    }
}

/// Without the body.
impl fmt::Debug for TransportAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, headers, body } = self;
        let mut debug = f.debug_struct("TransportAnswer");
        debug.field("status", status).field("headers", headers).field("body_len", &body.len()).finish()
    }
}

/// A request was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Nothing has reached the server: its name was not found, or it took no connection.
    #[error("the server could not be reached")]
    NotSent(#[source] Box<dyn Error + Send + Sync>),
    /// The connection broke, or took too long, after something may have reached the server.
    #[error("the connection to the server broke")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}
