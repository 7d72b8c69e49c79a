//! The host's own tokens on behalf of a person: sealed on the way in, opened for the host, and never in an answer.

use keyward::Timestamp;
use keyward::broker::{Parameters, Principal};
use keyward::seal::{SealKey, SealKeys, StoredSecret};
use keyward::service::{Approval, TokensBuilder, TokensError, UpstreamTokens};
use keyward::store::grants::GrantFilter;

use super::{World, person, secret};
use crate::broker::app::{App, Setup, parameter};
use crate::broker::client::pair;

const ACCESS: &str = "access-token-of-the-forge";
const REFRESH: &str = "refresh-token-of-the-forge";

fn keys(byte: u8) -> SealKeys {
    SealKeys::new(format!("k{byte}").parse().unwrap(), SealKey::from_bytes(&[byte; 32]).unwrap())
}

fn upstream() -> UpstreamTokens {
    UpstreamTokens::new(secret(ACCESS), Timestamp::MAX).with_refresh_token(secret(REFRESH))
}

fn approval() -> Approval {
    Approval::new(person()).with_upstream(upstream())
}

async fn caller(world: &World) -> Principal {
    let client = world.client().await;
    let code = world.approve(&client, approval()).await.unwrap();
    let given = world.redeem(&client, &code).await.unwrap();
    world.tokens.authenticate(&given.access).await.unwrap()
}

#[tokio::test]
async fn without_keys_none_is_taken_and_nothing_is_stored() {
    let world = World::new();
    let client = world.client().await;
    let refused = world.approve(&client, approval()).await.unwrap_err();
    assert!(matches!(refused, TokensError::NoSealKeys) && !refused.is_outage(), "{refused:?}");
    assert!(world.tokens.grants(GrantFilter::default(), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn they_are_sealed_before_the_store_sees_them_and_opened_for_the_host() {
    let world = World::with(|builder| builder.seal_keys(keys(1)));
    let caller = caller(&world).await;
    let stored = caller.upstream().unwrap();
    assert!(matches!(stored.access_token, StoredSecret::Sealed(_)));
    assert!(matches!(stored.refresh_token, Some(StoredSecret::Sealed(_))));
    let rows = format!("{:?} {caller:?} {stored:?}", world.memory);
    assert!(!rows.contains(ACCESS) && !rows.contains(REFRESH), "{rows}");
    let opened = world.tokens.upstream(&caller).unwrap().unwrap();
    assert_eq!(opened.access_token.expose_secret(), ACCESS);
    assert_eq!(opened.refresh_token.unwrap().expose_secret(), REFRESH);
}

/// A row that was copied to another grant, or sealed with other keys, does not open.
#[tokio::test]
async fn they_open_in_their_own_grant_alone_and_with_the_right_keys() {
    let world = World::with(|builder| builder.seal_keys(keys(1)));
    let (one, two) = (caller(&world).await, caller(&world).await);
    let mut record = (**one.record()).clone();
    record.upstream.clone_from(&two.record().upstream);
    let swapped = keyward::broker::decide_access(Some(record), None, world.tokens.now()).unwrap();
    assert!(matches!(world.tokens.upstream(&swapped), Err(TokensError::Unopened(_))));
    let mut record = (**one.record()).clone();
    let tokens = record.upstream.as_mut().unwrap();
    tokens.access_token = tokens.refresh_token.take().unwrap();
    let mixed = keyward::broker::decide_access(Some(record), None, world.tokens.now()).unwrap();
    assert!(
        matches!(world.tokens.upstream(&mixed), Err(TokensError::Unopened(_))),
        "a refresh token is no access token"
    );

    let other = World::with(|builder| builder.seal_keys(keys(2)));
    assert!(matches!(other.tokens.upstream(&one), Err(TokensError::Unopened(_))));
    assert!(matches!(World::new().tokens.upstream(&one), Err(TokensError::NoSealKeys)));
}

#[tokio::test]
async fn they_are_replaced_in_the_place_of_what_was_read_and_every_token_of_the_grant_sees_the_new_ones() {
    let world = World::with(|builder| builder.seal_keys(keys(1)));
    let client = world.client().await;
    let code = world.approve(&client, approval()).await.unwrap();
    let given = world.redeem(&client, &code).await.unwrap();
    let read = world.tokens.authenticate(&given.access).await.unwrap().record().grant.clone().unwrap();
    let new = |text: &str| UpstreamTokens::new(secret(text), Timestamp::MAX);
    assert!(world.tokens.replace_upstream(&read, new("newer")).await.unwrap());
    assert!(!world.tokens.replace_upstream(&read, new("too late")).await.unwrap(), "somebody was first");
    let next = world.refresh(&client, &given.refresh).await.unwrap();
    let caller = world.tokens.authenticate(&next.access).await.unwrap();
    assert_eq!(world.tokens.upstream(&caller).unwrap().unwrap().access_token.expose_secret(), "newer");
}

/// Part 2, 10: what the host has at its own server never reaches a client.
#[tokio::test]
async fn no_answer_and_no_log_has_them() {
    let app =
        App::with(Setup { tokens: Box::new(|builder: TokensBuilder| builder.seal_keys(keys(1))), ..Setup::default() })
            .await;
    app.is_secret(ACCESS);
    app.is_secret(REFRESH);
    let client = app.confidential().await;
    let query = client.query(&[]);
    let request = app.tokens.authorize(&Parameters::parse(&query)).await.unwrap();
    let location = app.tokens.approve(&request, approval()).await.unwrap();
    let redeemed = client.redeem(&parameter(location.expose_secret(), "code").unwrap()).await;
    let refreshed = client.refresh(&pair(&redeemed).refresh).await;
    let tokens = pair(&refreshed);
    let caller = app.tokens.authenticate(&tokens.access).await.unwrap();
    assert_eq!(app.tokens.upstream(&caller).unwrap().unwrap().access_token.expose_secret(), ACCESS);
    let answers = format!(
        "{redeemed:?} {refreshed:?} {:?} {:?} {:?} {}",
        app.call(&tokens.access).await,
        app.introspect(&tokens.access).await,
        client.send("/introspect", &[("token", &tokens.refresh)]).await,
        location.expose_secret(),
    );
    for hidden in [ACCESS, REFRESH, "keyward.1.k1"] {
        assert!(!answers.contains(hidden), "{answers}");
    }
}
