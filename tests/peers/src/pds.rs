//! The atproto PDS.

use std::time::Duration;

use keyward::credential::{
    ClientAuthentication, ClientId, ClientKey, DpopKey, EndReason, OAuthClient, OAuthSession, SessionError,
};
use keyward::key::OwnerId;
use keyward::service::{AfterAnswer, Credentials, CredentialsError};
use keyward::store::credentials::Over;
use keyward::{Clock as _, SystemClock};
use tokio::runtime::Handle;

use crate::world::{Failure, World, client, fetch};
use crate::{Outcome, expect};

const PUBLIC: &str = "http://localhost/?redirect_uri=http%3A%2F%2F127.0.0.1%2F&scope=atproto+transition%3Ageneric";
const CONFIDENTIAL: &str = "https://app.example/client.json";

pub(crate) async fn run(rounds: u32, pause: Duration) -> Outcome {
    let key = DpopKey::from_multibase(fetch("http://localhost:2590/client-key").await?.trim())?;
    let confidential = ClientAuthentication::PrivateKeyJwt(ClientKey::new(key, "key-1")?);
    let clients =
        [OAuthClient::public(ClientId::new(PUBLIC)?), OAuthClient::new(ClientId::new(CONFIDENTIAL)?, confidential)];
    let world = World::new(clients).await?;
    let credentials = world.credentials()?;
    for query in ["", "?confidential=1", "?shape=padded", "?shape=unpadded", "?shape=unpadded&confidential=1"] {
        let owner = sign_in(&credentials, query).await?;
        for _ in 0..rounds {
            let token = credentials.refresh(&owner).await?;
            expect(call(&credentials, &owner).await? == 200, "the PDS takes each token")?;
            drop(token);
            tokio::time::sleep(pause).await;
        }
        println!("pds {query:<30} {rounds} refreshes, and a call with each token: alive");
    }
    one_of_many(&world).await?;
    a_spent_token(&world).await?;
    a_lost_answer(&world).await?;
    a_wrong_key(&credentials).await?;
    an_end(&credentials).await
}

async fn session(query: &str) -> Result<OAuthSession, Failure> {
    let json = fetch(&format!("http://localhost:2590/session{query}")).await?;
    Ok(OAuthSession::from_indigo_json(&json, None, SystemClock.now())?)
}

async fn sign_in(credentials: &Credentials, query: &str) -> Result<OwnerId, Failure> {
    let session = session(query).await?;
    let owner = OwnerId::new(session.subject.clone().unwrap_or_default())?;
    credentials.put(&owner, session, Over::Nothing).await?;
    Ok(owner)
}

/// The status of a call of the PDS, sent once more where that is asked for.
async fn call(credentials: &Credentials, owner: &OwnerId) -> Result<u16, Failure> {
    let url = "http://localhost:2583/xrpc/com.atproto.server.getSession";
    for is_last in [false, true] {
        let signed = credentials.authorize(owner, "GET", url).await?;
        let mut request = client()?.get(url).header("Authorization", signed.authorization.expose_secret());
        if let Some(proof) = &signed.proof {
            request = request.header("DPoP", proof.expose_secret());
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let headers = answer.headers().iter().collect();
        if credentials.answered(owner, &signed, status, &headers).await == AfterAnswer::Done || is_last {
            return Ok(status);
        }
    }
    Err("not reached".into())
}

async fn one_of_many(world: &World) -> Outcome {
    let processes = [world.credentials()?, world.credentials()?];
    let owner = sign_in(&processes[0], "").await?;
    let before = processes[0].get(&owner).await?.map_or(0, |head| head.generation);
    let long = Duration::from_hours(24);
    let calls = (0..32).map(|number| {
        let (credentials, owner) = (processes[number % 2].clone(), owner.clone());
        Handle::current().spawn(async move { credentials.access_token_for(&owner, long).await.map(|_| ()) })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await??;
    }
    // A margin that no token has: each round of callers makes one exchange, one after the other.
    let after = processes[0].get(&owner).await?.map_or(0, |head| head.generation);
    expect(after > before, "it was refreshed")?;
    expect(call(&processes[1], &owner).await? == 200, "the session is alive after many callers in two processes")?;
    println!("pds 32 callers in two processes, {} exchanges: alive", after - before);
    Ok(())
}

async fn a_spent_token(world: &World) -> Outcome {
    let (one, other) = (world.credentials()?, World::new(world.clients()).await?);
    let copy = other.credentials()?;
    let json = fetch("http://localhost:2590/session").await?;
    let read = || OAuthSession::from_indigo_json(&json, None, SystemClock.now());
    let owner = OwnerId::new(read()?.subject.unwrap_or_default())?;
    one.put(&owner, read()?, Over::Nothing).await?;
    copy.put(&owner, read()?, Over::Nothing).await?;
    one.refresh(&owner).await?;
    let error = copy.refresh(&owner).await.err();
    let is_end =
        matches!(error, Some(CredentialsError::NeedsAuthorization(EndReason::Replayed | EndReason::InvalidGrant)));
    expect(is_end, format!("a spent token is the end, not {error:?}"))?;
    let error = one.refresh(&owner).await.err();
    let is_end =
        matches!(error, Some(CredentialsError::NeedsAuthorization(EndReason::Replayed | EndReason::InvalidGrant)));
    expect(is_end, format!("it ends the session of both, not {error:?}"))?;
    println!("pds a spent token: reported as the end of the session");
    Ok(())
}

async fn a_lost_answer(world: &World) -> Outcome {
    let credentials = world.credentials()?;
    let owner = sign_in(&credentials, "").await?;
    // So that the answer that is lost is not the one that asks for a nonce.
    credentials.refresh(&owner).await?;
    world.lose_the_next_answer();
    let error = credentials.refresh(&owner).await.err();
    expect(matches!(error, Some(CredentialsError::Uncertain { .. })), format!("it is uncertain, not {error:?}"))?;
    let error = credentials.refresh(&owner).await.err();
    expect(matches!(error, Some(CredentialsError::Uncertain { .. })), format!("it stays uncertain, not {error:?}"))?;
    let error = credentials.retry_uncertain(&owner).await.err();
    let is_end =
        matches!(error, Some(CredentialsError::NeedsAuthorization(EndReason::Replayed | EndReason::InvalidGrant)));
    expect(is_end, format!("the server says that it was spent, not {error:?}"))?;
    println!("pds a lost answer: uncertain, and the end once somebody decided to try");
    Ok(())
}

async fn a_wrong_key(credentials: &Credentials) -> Outcome {
    let (mut swapped, owner) = (session("").await?, sign_in(credentials, "").await?);
    let other = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D")?;
    swapped.dpop_key = Some(other);
    let stored = credentials.put(&owner, swapped, Over::Anything).await;
    let is_refused = matches!(stored, Err(CredentialsError::Session(SessionError::OtherKey)));
    expect(is_refused, format!("a session with a wrong key is not stored, not {stored:?}"))?;
    credentials.refresh(&owner).await?;
    expect(call(credentials, &owner).await? == 200, "the session that was there is alive")?;
    println!("pds a wrong key: refused before anything was sent");
    Ok(())
}

async fn an_end(credentials: &Credentials) -> Outcome {
    let owner = sign_in(credentials, "").await?;
    let token = credentials.access_token(&owner).await?;
    expect(call(credentials, &owner).await? == 200, "the session is alive")?;
    let revoked = credentials.revoke(&owner).await?;
    expect(revoked.was_there && revoked.server_was_told, "it is revoked and wiped")?;
    let answer = client()?.get("http://localhost:2583/xrpc/com.atproto.server.getSession");
    let answer = answer.header("Authorization", format!("DPoP {}", token.expose_secret())).send().await?;
    expect(answer.status() == 401, "the token is dead")?;
    println!("pds a revocation: the session is over there, and gone here");
    Ok(())
}
