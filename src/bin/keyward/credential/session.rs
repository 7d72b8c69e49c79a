//! Credentials in a database, with the keys and clients that were named.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keyward::credential::{ClientId, CredentialHead, OAuthClient};
use keyward::http::ReqwestTransport;
use keyward::key::OwnerId;
use keyward::seal::SealKeys;
use keyward::service::{Credentials, CredentialsBuilder, CredentialsError};
use keyward::store::credentials::CredentialStore;
use tokio::runtime::Handle;

use super::arguments::Means;
use super::clients::Clients;
use super::tables;
use super::tables::LayoutArguments;
use crate::arguments::DatabaseArguments;
use crate::database::within;
use crate::failure::Failure;
use crate::output::remark;

/// For how long the program stays when new tokens are still to be stored.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// The credentials of a database.
pub(super) struct Session {
    store: Arc<dyn CredentialStore>,
    means: Means,
    clients: Clients,
    timeout: Duration,
    /// Set once there is something that may be under way.
    opened: OnceLock<Credentials>,
}

impl Session {
    /// Credentials that name no client are those of `client`.
    pub(super) async fn open(
        database: &DatabaseArguments,
        means: Means,
        client: Option<ClientId>,
    ) -> Result<Self, Failure> {
        // What was typed is looked at before a database is.
        let clients = Clients::read(means.clients.as_deref())?;
        let (store, timeout) = (tables::open(database, means.layout, client).await?, database.timeout);
        Ok(Self { store, means, clients, timeout, opened: OnceLock::new() })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn layout(&self) -> LayoutArguments {
        self.means.layout
    }

    pub(super) fn store(&self) -> &Arc<dyn CredentialStore> {
        &self.store
    }

    /// Credentials whose secrets stay as they are: nothing is opened, and nobody is asked.
    pub(super) fn closed(&self) -> Result<Credentials, Failure> {
        self.credentials(None, Vec::new())
    }

    /// Credentials that can be opened, for these clients.
    pub(super) fn opened(&self, clients: Vec<OAuthClient>) -> Result<Credentials, Failure> {
        self.credentials(self.means.seal_keys()?, clients)
    }

    fn credentials(&self, seal_keys: Option<SealKeys>, clients: Vec<OAuthClient>) -> Result<Credentials, Failure> {
        let credentials = over(Arc::clone(&self.store), seal_keys, clients, self.timeout)?;
        Ok(self.opened.get_or_init(|| credentials).clone())
    }

    /// The clients of the files, and the public one that obtained the credential if none of them did.
    pub(super) fn clients_of(&self, head: &CredentialHead) -> Result<Vec<OAuthClient>, Failure> {
        self.clients.with(&head.client_id, head.client_key_id.as_deref())
    }

    /// As the session on its way in names its client.
    pub(super) fn clients(&self) -> &Clients {
        &self.clients
    }

    pub(super) async fn head(&self, owner: &OwnerId) -> Result<CredentialHead, Failure> {
        let record = within(self.timeout, self.store.get(owner)).await?;
        Ok(record.ok_or(CredentialsError::NotFound)?.head)
    }

    /// Credentials that can refresh that of `owner`.
    pub(super) async fn ready_for(&self, owner: &OwnerId) -> Result<Credentials, Failure> {
        let head = self.head(owner).await?;
        self.opened(self.clients_of(&head)?)
    }

    /// Waits for what is still under way.
    pub(super) async fn settle(&self) {
        let Some(credentials) = self.opened.get() else { return };
        if credentials.settle(self.timeout).await == 0 {
            return;
        }
        remark("a refresh is still under way: whoever ends this program now leaves its outcome unknown");
        if credentials.settle(LONGEST_WAIT).await > 0 {
            remark("it is given up; `keyward credential show` says how the credential is");
        }
    }
}

/// The credentials in a store, for these clients.
pub(super) fn over(
    store: Arc<dyn CredentialStore>,
    seal_keys: Option<SealKeys>,
    clients: Vec<OAuthClient>,
    timeout: Duration,
) -> Result<Credentials, Failure> {
    let transport = ReqwestTransport::new().map_err(|error| Failure::unavailable(&error))?;
    let builder = Credentials::builder_over(store, Arc::new(transport), Handle::current());
    let builder = clients.into_iter().fold(builder.exchange_timeout(timeout), CredentialsBuilder::client);
    Ok(seal_keys.into_iter().fold(builder, CredentialsBuilder::seal_keys).build())
}
