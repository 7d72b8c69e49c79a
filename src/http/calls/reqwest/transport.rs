//! Refreshes by reqwest.

use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::reqwest::{Client, ClientBuilder, Method, Request, Response, Url, redirect, retry};
use async_trait::async_trait;
use http::HeaderName;
use rustls::{ClientConfig, RootCertStore};

use crate::credential::{AnswerHeaders, Endpoint, MAX_ANSWER_LEN, TokenRequest};
use crate::http::calls::sign::sensitive;
use crate::service::{Transport, TransportAnswer, TransportError};

/// How long it may take to find a server and to agree on TLS with it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const USER_AGENT: &str = concat!("keyward/", env!("CARGO_PKG_VERSION"));

/// The [`Transport`] of reqwest.
///
/// Each request has a connection of its own, by HTTP/1.1. One that is kept open may be closed by the server at the moment
/// at which a request leaves on it, and of that refresh nobody would know what became of it.
///
/// Neither redirects are followed nor requests repeated, and there are no cookies. Connecting may take ten seconds. An answer
/// to a refresh is waited for up to ten minutes, although callers wait no longer than
/// [`CredentialsBuilder::exchange_timeout`](crate::service::CredentialsBuilder::exchange_timeout): a pair that comes late is
/// stored all the same.
///
/// What is sent is a refresh token in clear within TLS, so that nothing but the host's own code decides where it goes:
/// environment variables such as `HTTPS_PROXY` count for nothing. A host behind a proxy says so by
/// [`from_builder`](Self::from_builder).
#[derive(Clone)]
pub struct ReqwestTransport(Client);

impl ReqwestTransport {
    /// A transport that trusts Mozilla's root certificates, which are compiled in: it works the same on every machine and
    /// in a container without any. For servers with a certificate of a private authority, use
    /// [`from_builder`](Self::from_builder).
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, ::reqwest::Error> {
        Self::from_builder(client_builder().connect_timeout(CONNECT_TIMEOUT).user_agent(USER_AGENT))
    }

    /// A transport of a client of the host's, with its own root certificates, proxies or time limit for connecting. What a
    /// refresh cannot do with is switched off, whatever the builder says: redirects, retries, connections that are kept,
    /// and HTTP/2.
    ///
    /// Give it no limit of time for a whole request. A `cookie_store` would keep cookies for later refreshes.
    ///
    /// keyward turns on reqwest's feature `rustls-no-provider`. A builder without a
    /// [preconfigured](ClientBuilder::tls_backend_preconfigured) backend needs another one, such as `rustls`, or a provider
    /// that the host has installed; without it reqwest panics.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub fn from_builder(builder: ClientBuilder) -> Result<Self, ::reqwest::Error> {
        // So that no server of names decides where the name that goes without https leads to.
        let loopback = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        let builder = builder.redirect(redirect::Policy::none()).retry(retry::never()).referer(false);
        let builder = builder.pool_max_idle_per_host(0).http1_only().resolve_to_addrs("localhost", &loopback);
        let builder = builder.no_gzip().no_brotli().no_zstd().no_deflate();
        Ok(Self(builder.build()?))
    }

    /// A transport of a client that is there already.
    ///
    /// It has to meet what [`from_builder`](Self::from_builder) sees to by itself, or sessions are lost:
    /// `redirect(Policy::none())`, `retry(reqwest::retry::never())`, and `pool_max_idle_per_host(0)` with `http1_only()`. A
    /// limit of time for whole requests has to be longer than
    /// [`CredentialsBuilder::exchange_timeout`](crate::service::CredentialsBuilder::exchange_timeout).
    #[must_use]
    pub const fn from_client(client: Client) -> Self {
        Self(client)
    }
}

/// A builder of clients for [calls](crate::service::Credentials::send) of the host's own: no redirects, no proxies from the
/// environment, and rustls with Mozilla's root certificates, whatever other features of reqwest and rustls are on.
pub fn client_builder() -> ClientBuilder {
    let builder = Client::builder().redirect(redirect::Policy::none()).no_proxy();
    match tls() {
        Ok(tls) => builder.tls_backend_preconfigured(tls),
        // reqwest says so when it builds the client.
        Err(_) => builder.tls_backend_preconfigured(()),
    }
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReqwestTransport")
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: &TokenRequest) -> Result<TransportAnswer, TransportError> {
        let url = same_url(&request.url).map_err(TransportError::NotSent)?;
        let outgoing = outgoing(request, url.clone()).map_err(TransportError::NotSent)?;
        let response = self.0.execute(outgoing).await.map_err(|error| classify(error, &url))?;
        let status = response.status().as_u16();
        let headers: AnswerHeaders = response.headers().iter().collect();
        Ok(TransportAnswer::new(status, headers, bounded_body(response, &url).await?))
    }
}

/// The URL as reqwest reads it, if it leads where the endpoint does.
fn same_url(endpoint: &Endpoint) -> Result<Url, Box<dyn Error + Send + Sync>> {
    let url = Url::parse(endpoint.as_str())?;
    let read = Endpoint::new(url.as_str())?;
    if read.origin() == endpoint.origin() { Ok(url) } else { Err("the URL can be read in two ways".into()) }
}

fn outgoing(request: &TokenRequest, url: Url) -> Result<Request, Box<dyn Error + Send + Sync>> {
    let mut outgoing = Request::new(Method::POST, url);
    for (name, value) in &request.headers {
        let value = sensitive(value).ok_or("a header cannot carry its value")?;
        outgoing.headers_mut().append(HeaderName::from_bytes(name.as_bytes())?, value);
    }
    *outgoing.body_mut() = Some(request.body.expose_secret().to_owned().into());
    Ok(outgoing)
}

/// As much of the body as is understood at most, and one byte more.
async fn bounded_body(mut response: Response, url: &Url) -> Result<Vec<u8>, TransportError> {
    let most = MAX_ANSWER_LEN + 1;
    // Reserved at once, so that tokens are not left behind where it grew.
    let mut body = Vec::with_capacity(most);
    while body.len() < most {
        let Some(chunk) = response.chunk().await.map_err(|error| classify(error, url))? else { break };
        body.extend_from_slice(&chunk[..chunk.len().min(most - body.len())]);
    }
    Ok(body)
}

/// Whether anything can have reached the server.
fn classify(error: ::reqwest::Error, url: &Url) -> TransportError {
    // What failed to connect on the way to another URL has followed a redirect, and was sent before.
    let is_first = error.url().is_none_or(|at| at == url);
    let is_unsent = is_first && (error.is_builder() || error.is_connect());
    let error = error.without_url().into();
    if is_unsent { TransportError::NotSent(error) } else { TransportError::Broken(error) }
}
