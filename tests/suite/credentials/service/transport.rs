//! Requests over plain TCP.

use async_trait::async_trait;
use keyward::credential::TokenRequest;
use keyward::service::{Transport, TransportAnswer, TransportError};

use crate::credentials::exchange::{Raw, send};

/// Sends each request once, over a connection of its own.
pub(crate) struct Tcp;

#[async_trait]
impl Transport for Tcp {
    async fn send(&self, request: &TokenRequest) -> Result<TransportAnswer, TransportError> {
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
        match send("POST", request.url.as_str(), &headers, request.body.expose_secret()).await {
            Some(Raw { status, headers, body }) => Ok(TransportAnswer::new(status, headers, body)),
            None => Err(TransportError::Broken("the connection was closed".into())),
        }
    }
}
