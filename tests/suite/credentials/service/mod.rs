//! The service over every store, against the strict server.

mod answers;
mod calls;
mod decisions;
mod exchanges;
mod faults;
mod model;
mod sealing;
mod store;
mod sweeps;
pub(crate) mod transport;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod trouble;
mod unacceptable;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyward::credential::{ClientId, CoordinateForm, DpopKey, Endpoint, OAuthClient, OAuthSession};
use keyward::key::{OwnerId, Scope};
use keyward::seal::{SealKey, SealKeys};
use keyward::service::{Credentials, CredentialsBuilder};
use keyward::store::credentials::{CredentialStore, MemoryCredentialStore, Over};
use keyward::{Clock, Secret, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::runtime::Handle;

use super::double::{Client, Double, Tokens};
use super::exchange::{CLIENT, key};
use transport::Tcp;

/// The same seconds for the service and for the server.
#[derive(Clone, Debug)]
pub(crate) struct Seconds(Arc<AtomicI64>);

impl Seconds {
    fn start() -> Self {
        Self(Arc::new(AtomicI64::new(1_893_456_000)))
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn get(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clock for Seconds {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.get() * 1_000_000)
    }
}

/// A server, a store, and credentials over both.
pub(crate) struct World {
    pub(crate) double: Double,
    pub(crate) clock: Seconds,
    pub(crate) store: Arc<dyn CredentialStore>,
    pub(crate) credentials: Credentials,
}

pub(crate) fn seal_keys() -> SealKeys {
    SealKeys::new("first".parse().unwrap(), SealKey::from_bytes(&[7; 32]).unwrap())
}

pub(crate) fn owner(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

impl World {
    pub(crate) fn in_memory() -> Self {
        Self::over(Arc::new(MemoryCredentialStore::new()))
    }

    pub(crate) fn over(store: Arc<dyn CredentialStore>) -> Self {
        let clock = Seconds::start();
        let seconds = clock.clone();
        let double = Double::start(move || seconds.get());
        double.register(CLIENT, Client::Public);
        let credentials = builder(&store, &clock, 0).build();
        Self { double, clock, store, credentials }
    }

    /// Credentials as another process would have them, over a store of its own.
    pub(crate) fn another_process(&self, store: &Arc<dyn CredentialStore>, seed: u64) -> Credentials {
        builder(store, &self.clock, seed).build()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Signs an account in, and stores its session.
    pub(crate) async fn sign_in(&self, did: &str) -> OwnerId {
        let owner = owner(did);
        self.credentials.put(&owner, self.session(did, &key()), Over::Anything).await.unwrap();
        owner
    }

    /// A new session of an account.
    pub(crate) fn session(&self, did: &str, key: &DpopKey) -> OAuthSession {
        let tokens = self.double.sign_in(did, CLIENT, Some(&key.thumbprint(CoordinateForm::Padded)));
        let Tokens { access_token, refresh_token } = tokens;
        let endpoint = Endpoint::new(self.double.token_endpoint()).unwrap();
        let client = ClientId::new(CLIENT).unwrap();
        let mut session = OAuthSession::new(client, self.double.issuer(), endpoint, Secret::new(access_token));
        session.refresh_token = Some(Secret::new(refresh_token));
        session.dpop_key = Some(key.clone());
        session.subject = Some(did.to_owned());
        session.scopes = [Scope::new("atproto").unwrap()].into_iter().collect();
        session.resource_server = Some(self.double.issuer());
        session.revocation_endpoint = Some(Endpoint::new(self.double.revocation_endpoint()).unwrap());
        session.expires_at = Some(self.now().saturating_add(Duration::from_hours(1)));
        session
    }

    /// Whether a token is the one that the server takes now.
    pub(crate) fn is_live(&self, did: &str, token: &str) -> bool {
        self.double.current(did).is_some_and(|tokens| tokens.access_token == token)
    }
}

pub(crate) fn builder(store: &Arc<dyn CredentialStore>, clock: &Seconds, seed: u64) -> CredentialsBuilder {
    Credentials::builder_over(Arc::clone(store), Arc::new(Tcp), Handle::current())
        .seal_keys(seal_keys())
        .client(OAuthClient::public(ClientId::new(CLIENT).unwrap()))
        .clock(clock.clone())
        .random(StdRng::seed_from_u64(seed))
}
