//! What both have in common.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keyward::credential::{OAuthClient, TokenRequest};
use keyward::http::{ReqwestTransport, client_builder};
use keyward::seal::{SealKey, SealKeys};
use keyward::service::{Credentials, CredentialsBuilder, Transport, TransportAnswer, TransportError};
use keyward::sql::{OwnCredentials, SqlCredentialStore};
use keyward::store::credentials::CredentialStore;
use keyward::{Clock as _, Sqlite, SystemClock};
use tempfile::TempDir;
use tokio::runtime::Handle;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// A database of its own, and a transport that can lose answers.
pub(crate) struct World {
    store: Arc<dyn CredentialStore>,
    transport: Arc<Losing>,
    clients: Vec<OAuthClient>,
    _directory: TempDir,
}

/// Sends requests, and loses the next answer if it is told to.
struct Losing {
    inner: ReqwestTransport,
    loses: AtomicBool,
}

#[async_trait]
impl Transport for Losing {
    async fn send(&self, request: &TokenRequest) -> Result<TransportAnswer, TransportError> {
        let answer = self.inner.send(request).await;
        if self.loses.swap(false, Ordering::SeqCst) {
            return Err(TransportError::Broken("the answer was lost on purpose".into()));
        }
        answer
    }
}

impl World {
    pub(crate) async fn new(clients: impl Into<Vec<OAuthClient>>) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let engine = Sqlite::open(directory.path().join("peers.db"))?;
        let store = SqlCredentialStore::open(&engine, OwnCredentials::new()).await?;
        store.migrate(SystemClock.now()).await?;
        let transport = Arc::new(Losing { inner: ReqwestTransport::new()?, loses: AtomicBool::new(false) });
        Ok(Self { store: Arc::new(store), transport, clients: clients.into(), _directory: directory })
    }

    /// As another process has them.
    pub(crate) fn credentials(&self) -> Result<Credentials, Failure> {
        let keys = SealKeys::new("peers".parse()?, SealKey::from_bytes(&[5; 32])?);
        let (store, transport) = (Arc::clone(&self.store), Arc::clone(&self.transport));
        let builder = Credentials::builder_over(store, transport, Handle::current()).seal_keys(keys);
        Ok(self.clients.iter().cloned().fold(builder, CredentialsBuilder::client).build())
    }

    pub(crate) fn clients(&self) -> Vec<OAuthClient> {
        self.clients.clone()
    }

    pub(crate) fn lose_the_next_answer(&self) {
        self.transport.loses.store(true, Ordering::SeqCst);
    }
}

pub(crate) fn client() -> Result<reqwest::Client, Failure> {
    Ok(client_builder().build()?)
}

pub(crate) async fn fetch(url: &str) -> Result<String, Failure> {
    Ok(client()?.get(url).send().await?.error_for_status()?.text().await?)
}

/// A server takes a moment to start, and npm some minutes.
pub(crate) async fn wait_for(url: &str) -> Result<(), Failure> {
    for _ in 0..600 {
        if fetch(url).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(format!("nobody answers at {url}").into())
}
