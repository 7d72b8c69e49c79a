//! What a token costs that is known to be good.

use std::error::Error;

use async_trait::async_trait;
use keyward::credential::{ClientId, Endpoint, OAuthClient, OAuthSession, TokenRequest};
use keyward::key::OwnerId;
use keyward::seal::{SealKey, SealKeys};
use keyward::service::{Credentials, Transport, TransportAnswer, TransportError};
use keyward::store::credentials::{MemoryCredentialStore, Over};
use keyward::{Clock as _, Secret, SystemClock};
use tokio::runtime::Builder;

use keyward_benches::batch::{async_step, step};
use keyward_benches::keys::PRESENTED;
use keyward_benches::suite::Suite;

/// Nothing has to be refreshed.
struct Nowhere;

#[async_trait]
impl Transport for Nowhere {
    async fn send(&self, _request: &TokenRequest) -> Result<TransportAnswer, TransportError> {
        Err(TransportError::NotSent("nothing is sent".into()))
    }
}

pub(crate) fn hand_out(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    const RAW: &str = "reading the clock";

    let runtime = Builder::new_current_thread().enable_time().build()?;
    let client = ClientId::new("https://app.example/client-metadata.json")?;
    let credentials = Credentials::builder(MemoryCredentialStore::new(), Nowhere, runtime.handle().clone())
        .seal_keys(SealKeys::new("first".parse()?, SealKey::from_bytes(&[7; 32])?))
        .client(OAuthClient::public(client.clone()))
        .build();
    let mut owners = Vec::new();
    for number in 0..PRESENTED {
        let owner = OwnerId::new(format!("did:plc:z72i7hdynmk6r22z27{number:06}"))?;
        let endpoint = Endpoint::new("https://issuer.example/token")?;
        let access_token = Secret::new("a".repeat(900));
        let mut session = OAuthSession::new(client.clone(), "https://issuer.example", endpoint, access_token);
        session.expires_at = Some("2099-12-31T23:59:59Z".parse()?);
        runtime.block_on(credentials.put(&owner, session, Over::Nothing))?;
        runtime.block_on(credentials.access_token(&owner))?;
        owners.push(owner);
    }
    let one = &owners[0];
    suite.compare(
        "hand out a good token, 1 owner",
        async_step(&runtime, async || credentials.access_token(one).await.is_ok()),
        RAW,
        step(|| SystemClock.now()),
    );
    let mut asked = owners.iter().cycle();
    suite.compare(
        "hand out a good token, 1,000 owners",
        async_step(&runtime, async || {
            let Some(owner) = asked.next() else { return false };
            credentials.access_token(owner).await.is_ok()
        }),
        RAW,
        step(|| SystemClock.now()),
    );
    Ok(())
}
