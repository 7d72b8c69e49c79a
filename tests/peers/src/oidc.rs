//! oidc-provider: another server with DPoP, and one of bearer tokens with every way for a client to authenticate.

use std::sync::Arc;

use keyward::Secret;
use keyward::credential::{
    ClientAuthentication, ClientId, CoordinateForm, DpopKey, EndReason, Endpoint, OAuthClient, OAuthSession,
};
use keyward::key::OwnerId;
use keyward::service::CredentialsError;
use keyward::store::credentials::Over;

use crate::world::{World, fetch};
use crate::{Outcome, expect};

const ISSUER: &str = "http://localhost:2600";

pub(crate) async fn run(rounds: u32) -> Outcome {
    let secret = |text: &str| Arc::new(Secret::new(text.to_owned()));
    let clients = [
        OAuthClient::public(ClientId::new("public")?),
        OAuthClient::new(ClientId::new("basic")?, ClientAuthentication::SecretBasic(secret("se:cr+et%/~&="))),
        OAuthClient::new(ClientId::new("post")?, ClientAuthentication::SecretPost(secret("secret"))),
    ];
    let world = World::new(clients).await?;
    let credentials = world.credentials()?;
    let key = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D")?;
    for (client, is_bound) in [("public", true), ("basic", true), ("basic", false), ("post", false), ("post", true)] {
        let thumbprint = if is_bound { key.thumbprint(CoordinateForm::Padded) } else { String::new() };
        let refresh_token = fetch(&format!("http://localhost:2601/?client={client}&jkt={thumbprint}")).await?;
        let spent = refresh_token.clone();
        let make = |refresh_token: String| -> Result<OAuthSession, crate::world::Failure> {
            let endpoint = Endpoint::new(format!("{ISSUER}/token"))?;
            let mut session =
                OAuthSession::new(ClientId::new(client)?, ISSUER, endpoint, Secret::new("none yet".to_owned()));
            session.refresh_token = Some(Secret::new(refresh_token));
            session.dpop_key = is_bound.then(|| key.clone());
            Ok(session)
        };
        let owner = OwnerId::new(format!("{client} {is_bound}"))?;
        credentials.put(&owner, make(refresh_token)?, Over::Nothing).await?;
        for _ in 0..rounds {
            credentials.refresh(&owner).await?;
        }
        let again = OwnerId::new(format!("{client} {is_bound}, spent"))?;
        credentials.put(&again, make(spent)?, Over::Nothing).await?;
        let error = credentials.refresh(&again).await.err();
        let is_end = matches!(error, Some(CredentialsError::NeedsAuthorization(EndReason::InvalidGrant)));
        expect(is_end, format!("a spent token is the end, not {error:?}"))?;
        let name = if is_bound { "DPoP" } else { "bearer" };
        println!("oidc {client:<6} {name:<6} {rounds} refreshes, then a spent token: the end");
    }
    Ok(())
}
