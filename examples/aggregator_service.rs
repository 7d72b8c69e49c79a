//! A service that is called with a `ckapi_` key and calls out with the OAuth session of that key's owner. It comes with an
//! authorization server of its own, so that it runs by itself:
//! `cargo run --example aggregator_service --features sqlite,reqwest`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/suite/credentials/double/mod.rs"]
mod double;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use double::{Client, Double, Tokens};
use keyward::credential::{ClientId, CoordinateForm, DpopKey, OAuthClient, OAuthSession};
use keyward::http::{CallError, ReqwestTransport, client_builder};
use keyward::key::OwnerId;
use keyward::rusqlite::Connection;
use keyward::schemas::aggregator::{Aggregator, AggregatorKey};
use keyward::seal::SealKeys;
use keyward::service::{Credentials, CredentialsError};
use keyward::sql::{OwnCredentials, SqlCredentialStore};
use keyward::store::credentials::Over;
use keyward::{Clock as _, Keys, SqlKeyStore, Sqlite, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const CLIENT: &str = "https://app.example/client-metadata.json";

/// As much of the host's table as keyward needs.
const HOSTS_TABLE: &str = "
    CREATE TABLE aggregators (
        did TEXT PRIMARY KEY NOT NULL,
        api_key_prefix VARCHAR(12),
        api_key_hash VARCHAR(64) UNIQUE,
        api_key_created_at TIMESTAMP,
        api_key_revoked_at TIMESTAMP,
        api_key_last_used_at TIMESTAMP
    );
    INSERT INTO aggregators (did) VALUES ('did:plc:ewvi7nxzyoun6zhxrhs64oiz')";

/// What every request of the service has at hand.
#[derive(Clone)]
struct Service {
    keys: Keys<Aggregator>,
    credentials: Credentials,
    client: reqwest::Client,
    /// The method of the resource server that is called.
    url: String,
}

impl Service {
    /// A request, as a web framework would hand it over: who may call, and then the call on their behalf.
    async fn post(&self, key: &str) -> (u16, String) {
        let caller = match self.keys.verify(key).await {
            Ok(caller) => caller,
            Err(refusal) if refusal.is_outage() => return (503, refusal.to_string()),
            Err(refusal) => return (401, refusal.to_string()),
        };
        // One line: the token is good, signed for this URL, and sent again where the server asks for it.
        match self.credentials.send(caller.owner(), self.client.post(&self.url).body("{}")).await {
            Ok(response) => (response.status().as_u16(), "the resource server's answer".to_owned()),
            Err(CallError::Credentials(error @ CredentialsError::NeedsAuthorization(_))) => (403, error.to_string()),
            Err(error) => (503, error.to_string()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Double::start(|| SystemClock.now().as_micros() / 1_000_000);
    server.register(CLIENT, Client::Public);
    // So short that it can be watched.
    server.set_lifetime(3);
    let directory = tempfile::tempdir()?;
    let service = start(&directory.path().join("service.db"), &server).await?;

    let owner = OwnerId::new(DID)?;
    let issued = service.keys.issue_only(AggregatorKey::of(DID)?).await?;
    println!("issued       {}", issued.secret.expose_secret());
    service.credentials.put(&owner, signed_in(&server)?, Over::Nothing).await?;
    println!("signed in    the session of {DID} is sealed in the database");

    // The background refresh is a future of the host's: it runs where the host wants, and ends when the host says.
    let (stop, stopped) = oneshot::channel::<()>();
    let background = Handle::current().spawn({
        let credentials = service.credentials.clone();
        let (every, ahead) = (Duration::from_millis(250), Duration::from_millis(1_500));
        async move { credentials.keep_fresh(every, ahead, async move { drop(stopped.await) }).await }
    });

    println!("wrong key    {:?}", service.post("ckapi_0123456789").await);
    for second in 0..6 {
        println!("second {second}     {:?}", service.post(issued.secret.expose_secret()).await);
        server.rotate_nonces();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    // At once, whatever its age: the token before is dead from here on, and no call goes out with it.
    service.credentials.refresh(&owner).await?;
    println!("refreshed    {:?}", service.post(issued.secret.expose_secret()).await);

    drop(stop);
    background.await?;
    let left = service.credentials.settle(Duration::from_secs(10)).await;
    println!("stopped      {left} refreshes were cut off");
    let (counters, seen) = (service.credentials.counters(), server.seen());
    println!("counted      {} refreshes here, {} at the server", counters.refreshed, seen.refreshes);
    println!("             {} calls let in, {} refresh tokens spent twice", seen.calls, seen.replays);

    // The owner signs out over there: what is stored is of no use any more, and says so.
    server.sign_in(DID, CLIENT, None);
    let ended = service.credentials.refresh(&owner).await.err();
    println!("signed out   {}", ended.map_or_else(String::new, |error| error.to_string()));
    println!("             {:?}", service.post(issued.secret.expose_secret()).await);
    Ok(())
}

async fn start(path: &Path, server: &Double) -> Result<Service, Box<dyn Error>> {
    Connection::open(path)?.execute_batch(HOSTS_TABLE)?;
    let engine = Sqlite::open(path)?;
    let keys = Keys::builder(SqlKeyStore::open(&engine, Aggregator::new()).await?).build();
    let store = SqlCredentialStore::open(&engine, OwnCredentials::new()).await?;
    store.migrate(keys.now()).await?;
    // In a service: `SealKeys::from_environment("KEYWARD_SEAL_KEYS")?`, and `keyward seal-key` makes one.
    let seal_keys: SealKeys = "2026-07:nL1wZTVYJvWXoB4V8SGdqfB3nMH7qmCgHZQ2yJvpV5E".parse()?;
    let credentials = Credentials::builder(store, ReqwestTransport::new()?, Handle::current())
        .seal_keys(seal_keys)
        .client(OAuthClient::public(ClientId::new(CLIENT)?))
        .margin(Duration::from_millis(500))
        .build();
    let client = client_builder().build()?;
    let url = server.resource("com.atproto.repo.createRecord");
    Ok(Service { keys, credentials, client, url })
}

/// What the sign-in of the service's own has given it, in the JSON that indigo writes.
fn signed_in(server: &Double) -> Result<OAuthSession, Box<dyn Error>> {
    let key = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D")?;
    let Tokens { access_token, refresh_token } =
        server.sign_in(DID, CLIENT, Some(&key.thumbprint(CoordinateForm::Padded)));
    let json = serde_json::json!({
        "account_did": DID,
        "session_id": "s-1",
        "host_url": server.issuer(),
        "authserver_url": server.issuer(),
        "authserver_token_endpoint": server.token_endpoint(),
        "scopes": ["atproto"],
        "access_token": access_token,
        "refresh_token": refresh_token,
        "dpop_privatekey_multibase": key.to_multibase().expose_secret(),
    });
    Ok(OAuthSession::from_indigo_json(&json.to_string(), Some(ClientId::new(CLIENT)?), SystemClock.now())?)
}
