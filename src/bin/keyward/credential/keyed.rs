//! Keys and the OAuth sessions that they stand on, in one database.

use std::sync::Arc;
use std::time::Duration;

use keyward::credential::{ClientId, OAuthClient, OAuthSession};
use keyward::key::{KeyHead, OwnerId, Reason, Revoked};
use keyward::seal::SealKeys;
use keyward::service::SessionKeys;
use keyward::store::credentials::KeyedCredentialStore;
use keyward::{Engine, Keys};
use serde_json::json;

use super::arguments::{EndingArguments, StandingArguments};
use super::clients::Clients;
use super::incoming::Incoming;
use super::moving::not_told;
use super::session;
use super::tables::LayoutArguments;
use crate::arguments::DatabaseArguments;
use crate::database::{connect, within};
use crate::failure::Failure;
use crate::output::Document;
use crate::schema::CommandSchema;

/// What a key is to stand on, with what it takes to store that.
pub(crate) struct Standing {
    /// The one that the owner has, unless there is a new one.
    pub(crate) session: Option<OAuthSession>,
    layout: LayoutArguments,
    client: Option<ClientId>,
    seal_keys: Option<SealKeys>,
    clients: Vec<OAuthClient>,
}

impl StandingArguments {
    /// Reads everything that was named, before a database is opened.
    pub(crate) fn read(&self, owner: &OwnerId) -> Result<Standing, Failure> {
        let Self { session: from, client_key_id, means } = self;
        let client_id = means.client_id.as_ref();
        let clients = Clients::read(means.clients.as_deref())?;
        let Some(from) = from else {
            let (layout, client) = (means.layout, client_id.cloned());
            return Ok(Standing { session: None, layout, client, seal_keys: None, clients: Vec::new() });
        };
        // Without them nothing could be stored: that is said before anybody types a session.
        let seal_keys = means.seal_keys()?;
        let session = Incoming { from, owner, client_id, client_key_id: client_key_id.clone() }.read()?;
        let clients = clients.with(session.client_id.as_str(), session.client_key_id.as_deref())?;
        let client = Some(session.client_id.clone());
        Ok(Standing { session: Some(session), layout: means.layout, client, seal_keys, clients })
    }
}

impl Standing {
    pub(crate) async fn open<S: CommandSchema>(
        &self,
        schema: S,
        database: &DatabaseArguments,
    ) -> Result<(Joined<S>, SessionKeys<S>), Failure> {
        let joined = Joined::open(schema, database, self.layout, self.client.clone()).await?;
        let both = joined.with(self.seal_keys.clone(), self.clients.clone())?;
        Ok((joined, both))
    }
}

/// What is to become of the session that a key stood on, with what that takes.
pub(crate) struct Ending {
    /// Whether its server is to hear of it.
    at_server: bool,
    layout: LayoutArguments,
    client: Option<ClientId>,
    seal_keys: Option<SealKeys>,
    clients: Clients,
}

impl EndingArguments {
    /// Reads everything that was named, before a database is opened.
    pub(crate) fn read(&self) -> Result<Ending, Failure> {
        let Self { wipe_credential, revoke_credential, means } = self;
        let (layout, clients) = (means.layout, Clients::read(means.clients.as_deref())?);
        match (wipe_credential, revoke_credential) {
            (_, true) => {
                let (client, seal_keys) = (Some(means.require_client()?), means.seal_keys()?);
                Ok(Ending { at_server: true, layout, client, seal_keys, clients })
            }
            (true, false) => Ok(Ending { at_server: false, layout, client: None, seal_keys: None, clients }),
            (false, false) => Err(Failure::usage("one of --wipe-credential, --revoke-credential is required")),
        }
    }
}

impl Ending {
    pub(crate) async fn open<S: CommandSchema>(
        &self,
        schema: S,
        database: &DatabaseArguments,
    ) -> Result<Joined<S>, Failure> {
        Joined::open(schema, database, self.layout, self.client.clone()).await
    }

    /// Revokes the key that was seen with the credential that it stands on; `report` says what became of the key.
    pub(crate) async fn revoke<S: CommandSchema>(
        self,
        joined: &Joined<S>,
        seen: &KeyHead,
        reason: Option<Reason>,
        report: impl FnOnce(&Revoked) -> Document,
    ) -> Result<Document, Failure> {
        let (mut document, wiped) = if self.at_server {
            let (client, seal_keys) = (self.client_of(joined, &seen.owner).await?, self.seal_keys);
            // Each of its steps in the database has a limit of its own, and so has the server.
            let (revoked, credential) = joined.with(seal_keys, client)?.revoke_and_end(seen, reason).await?;
            let mut document = report(&revoked);
            document.json["credential_revoked"] = json!(credential.server_was_told);
            if credential.was_there && !credential.server_was_told {
                not_told(&mut document);
            }
            (document, credential.was_there)
        } else {
            let both = joined.with(None, Vec::new())?;
            let (revoked, wiped) = within(joined.timeout, both.revoke_and_wipe(seen, reason)).await?;
            (report(&revoked), wiped)
        };
        document.json["credential_wiped"] = json!(wiped);
        document.push(if wiped { "wiped its credential" } else { "it stood on no credential" });
        Ok(document)
    }

    /// The client that obtained the credential: without it the server would not hear of the end.
    async fn client_of<S: CommandSchema>(
        &self,
        joined: &Joined<S>,
        owner: &OwnerId,
    ) -> Result<Vec<OAuthClient>, Failure> {
        match within(joined.timeout, joined.store.credentials().get(owner)).await? {
            Some(record) => self.clients.with(&record.head.client_id, record.head.client_key_id.as_deref()),
            None => Ok(Vec::new()),
        }
    }
}

/// The keys of a schema and the credentials that they stand on.
pub(crate) struct Joined<S: CommandSchema> {
    store: Arc<dyn KeyedCredentialStore<Schema = S>>,
    pub(crate) keys: Keys<S>,
    layout: LayoutArguments,
    timeout: Duration,
}

impl<S: CommandSchema> Joined<S> {
    async fn open(
        schema: S,
        database: &DatabaseArguments,
        layout: LayoutArguments,
        client: Option<ClientId>,
    ) -> Result<Self, Failure> {
        layout.require_fit(database)?;
        let timeout = database.timeout;
        let engine: Engine = connect(database, false).await?;
        let opening = async {
            let (layout, typed) = layout.beside_keys(&engine, client).await?;
            Ok::<_, Failure>((schema.keyed(&engine, layout).await?, typed))
        };
        let (store, layout) = within(timeout, opening).await?;
        let keys = Keys::builder_over(store.keys()).build();
        Ok(Self { store, keys, layout, timeout })
    }

    fn with(&self, seal_keys: Option<SealKeys>, clients: Vec<OAuthClient>) -> Result<SessionKeys<S>, Failure> {
        let credentials = session::over(self.store.credentials(), seal_keys, clients, self.timeout)?;
        Ok(SessionKeys::new(Arc::clone(&self.store), self.keys.clone(), credentials)?)
    }

    /// A failure in words about the tables of credentials, which are more likely to be missing than those of the keys.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        failure.about_credentials(&self.layout.typed())
    }
}
