//! Access and refresh tokens (RFC 6749 section 6, RFC 9700 section 4.14).

use std::sync::Arc;
use std::time::Duration;

use keyward::broker::{ClientId, GrantRevocationReason, SubjectId, TokenDigest};
use keyward::service::TokensBuilder;
use keyward::store::grants::{GrantFilter, MemoryGrantStore};
use serde_json::json;

use super::app::{App, RESOURCE, Setup, error, json, told};
use super::client::{VERIFIER, pair};

const A_MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_token_has_256_random_bits_and_the_store_has_its_digest_alone() {
    let store = Arc::new(MemoryGrantStore::new());
    let app = App::with(Setup { store: store.clone(), ..Setup::default() }).await;
    let client = app.client().await;
    let first = client.tokens().await;
    let second = pair(&client.refresh(&first.refresh).await);
    // With the answer that could be given again, which is sealed.
    let stored = format!("{store:?}");
    for token in [first.access, first.refresh, second.access, second.refresh] {
        assert_eq!(token.len(), 43);
        assert!(!stored.contains(&token), "{stored}");
    }
}

#[tokio::test]
async fn an_access_token_lives_for_a_quarter_of_an_hour_and_is_looked_at_every_time() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let end = app.tokens.store().access_token(&TokenDigest::of(&tokens.access)).await.unwrap().unwrap().expires_at;
    app.clock.set(end.saturating_sub(Duration::from_micros(1)));
    assert_eq!(app.call(&tokens.access).await.status, 200);
    app.clock.set(end);
    assert_eq!(error(&app.call(&tokens.access).await), told(401, "invalid_token"));
    assert_eq!(app.introspect(&tokens.access).await, json!({"active": false}));
    app.clock.set(end.saturating_sub(A_MINUTE));
    assert_eq!(app.call(&tokens.access).await.status, 200, "nothing is kept of an answer");
}

#[tokio::test]
async fn a_refresh_token_is_refused_from_another_client_without_harm_to_its_owner() {
    let app = App::start().await;
    let (owner, other) = (app.client().await, app.confidential().await);
    let first = owner.tokens().await;
    assert_eq!(error(&other.refresh(&first.refresh).await), told(400, "invalid_grant"));
    let second = pair(&owner.refresh(&first.refresh).await);
    app.clock.advance(A_MINUTE);
    assert_eq!(error(&other.refresh(&first.refresh).await), told(400, "invalid_grant"), "spent as it is");
    assert_eq!(app.call(&second.access).await.status, 200);
    pair(&owner.refresh(&second.refresh).await);
}

/// With a refresh, the access tokens before it end.
#[tokio::test]
async fn a_refresh_gives_two_new_tokens_and_ends_the_two_before() {
    let app = App::start().await;
    for client in [app.client().await, app.confidential().await] {
        let first = client.tokens().await;
        let second = pair(&client.refresh(&first.refresh).await);
        assert!(first.access != second.access && first.refresh != second.refresh);
        assert_eq!(error(&app.call(&first.access).await), told(401, "invalid_token"));
        assert_eq!(app.call(&second.access).await.status, 200);
    }
}

/// Where the host says so, earlier access tokens live on until they expire.
#[tokio::test]
async fn where_the_host_says_so_the_access_tokens_before_a_refresh_live_on() {
    let app =
        App::with(Setup { tokens: Box::new(TokensBuilder::keep_access_tokens_on_refresh), ..Setup::default() }).await;
    let client = app.client().await;
    let first = client.tokens().await;
    pair(&client.refresh(&first.refresh).await);
    assert_eq!(app.call(&first.access).await.status, 200);
}

/// "however old".
#[tokio::test]
async fn a_spent_refresh_token_of_any_generation_ends_its_family_and_no_other() {
    for presented in 0..4 {
        let app = App::start().await;
        let client = app.client().await;
        let mut generations = vec![client.tokens().await];
        for _ in 0..4 {
            let next = pair(&client.refresh(&generations.last().unwrap().refresh).await);
            generations.push(next);
            app.clock.advance(Duration::from_hours(24 * 10));
            app.tokens.sweep(None).await.unwrap();
        }
        let (other, last) = (client.tokens().await, generations.last().unwrap());
        assert_eq!(error(&client.refresh(&generations[presented].refresh).await), told(400, "invalid_grant"));
        assert_eq!(error(&client.refresh(&last.refresh).await), told(400, "invalid_grant"), "generation {presented}");
        assert_eq!(error(&app.call(&last.access).await), told(401, "invalid_token"));
        let grants = app.tokens.grants(GrantFilter::default(), None, 100).await.unwrap();
        let ends: Vec<_> = grants.iter().filter_map(|grant| grant.revoked.map(|(_, end)| end)).collect();
        assert_eq!(ends, [GrantRevocationReason::RefreshTokenReplayed]);
        assert_eq!(app.call(&other.access).await.status, 200);
        pair(&client.refresh(&other.refresh).await);
    }
}

#[tokio::test]
async fn the_scope_never_grows_and_a_narrower_one_is_for_the_access_token_alone() {
    let app = App::start().await;
    let client = app.client().await;
    let read = client.code_for(&client.query(&[("scope", "notes:read")])).await;
    let read = pair(&client.redeem(&read).await);
    for scope in ["notes:write", "notes:read notes:write", "admin"] {
        assert_eq!(error(&client.refresh_with(&read.refresh, &[("scope", scope)]).await), told(400, "invalid_scope"));
    }
    let both = client.tokens().await;
    let narrow = client.refresh_with(&both.refresh, &[("scope", "notes:read")]).await;
    assert_eq!(json(&narrow)["scope"], "notes:read");
    assert!(app.call(&pair(&narrow).access).await.body.ends_with("may notes:read"));
    let again = client.refresh(&pair(&narrow).refresh).await;
    assert_eq!(json(&again)["scope"], "notes:read notes:write");
    // As rmcp repeats what it has asked for at first.
    let offline = client.refresh_with(&read.refresh, &[("scope", "notes:read offline_access")]).await;
    assert_eq!(json(&offline)["scope"], "notes:read");
}

#[tokio::test]
async fn a_refresh_is_for_the_resource_of_the_grant() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    for resource in ["https://as.example/other", "https://as.example/mcp/", "x"] {
        let answer = client.refresh_with(&tokens.refresh, &[("resource", resource)]).await;
        assert_eq!(error(&answer), told(400, "invalid_target"), "{resource}");
    }
    let next = pair(&client.refresh_with(&tokens.refresh, &[("resource", RESOURCE)]).await);
    assert_eq!(app.call(&next.access).await.status, 200);
    let authorization = format!("Bearer {}", next.access);
    assert_eq!(app.get("/other", &[("Authorization", &authorization)]).await.status, 401);
}

#[tokio::test]
async fn a_refresh_token_ends_when_it_is_idle_and_no_rotation_puts_off_the_end_of_a_grant() {
    let month = Duration::from_hours(30 * 24);
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let end = app.tokens.store().refresh_token(&TokenDigest::of(&tokens.refresh)).await.unwrap().unwrap().expires_at;
    app.clock.set(end.saturating_sub(Duration::from_micros(1)));
    let next = pair(&client.refresh(&tokens.refresh).await);
    app.clock.advance(month);
    assert_eq!(error(&client.refresh(&next.refresh).await), told(400, "invalid_grant"));

    let tokens = Box::new(|builder: TokensBuilder| builder.grant_lifetime(Duration::from_hours(1)));
    let app = App::with(Setup { tokens, ..Setup::default() }).await;
    let client = app.client().await;
    let mut last = client.tokens().await;
    for minute in [20, 40, 55] {
        app.clock.set(crate::support::START.saturating_add(Duration::from_mins(minute)));
        let answer = client.refresh(&last.refresh).await;
        assert!(json(&answer)["expires_in"].as_u64() <= Some((60 - minute) * 60), "{}", answer.body);
        last = pair(&answer);
    }
    app.clock.set(crate::support::START.saturating_add(Duration::from_hours(1)));
    assert_eq!(error(&client.refresh(&last.refresh).await), told(400, "invalid_grant"));
    assert_eq!(error(&app.call(&last.access).await), told(401, "invalid_token"));
}

#[tokio::test]
async fn codes_access_tokens_and_refresh_tokens_do_not_pass_for_each_other() {
    let app = App::start().await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let code = client.code().await;
    for not_access in [&code, &tokens.refresh, VERIFIER] {
        assert_eq!(error(&app.call(not_access).await), told(401, "invalid_token"));
        assert_eq!(app.introspect(not_access).await, json!({"active": false}));
    }
    for not_refresh in [&code, &tokens.access] {
        assert_eq!(error(&client.refresh(not_refresh).await), told(400, "invalid_grant"));
    }
    for not_code in [&tokens.access, &tokens.refresh] {
        assert_eq!(error(&client.redeem(not_code).await), told(400, "invalid_grant"));
    }
    assert_eq!(app.call(&tokens.access).await.status, 200);
    pair(&client.redeem(&code).await);
    pair(&client.refresh(&tokens.refresh).await);
}

#[tokio::test]
async fn all_grants_of_a_person_or_a_client_end_at_once() {
    let app = App::start().await;
    let (one, two) = (app.client().await, app.client().await);
    let (first, second) = (one.tokens().await, two.tokens().await);
    let pending = one.code().await;
    let filter = GrantFilter::of_client(ClientId::new(&*one.id).unwrap());
    assert_eq!(app.tokens.revoke_grants(filter).await.unwrap(), 2);
    assert_eq!(app.call(&first.access).await.status, 401);
    assert_eq!(error(&one.redeem(&pending).await), told(400, "invalid_grant"));
    assert_eq!(app.call(&second.access).await.status, 200);
    let person = GrantFilter::of_subject(SubjectId::new("42").unwrap());
    assert_eq!(app.tokens.revoke_grants(person).await.unwrap(), 1);
    assert_eq!(app.call(&second.access).await.status, 401);
    assert_eq!(error(&two.refresh(&second.refresh).await), told(400, "invalid_grant"));
}

/// A client that is idle for longer than an access token lives need not sign in again.
#[tokio::test]
async fn a_sweep_takes_what_nobody_can_use_and_no_refresh_token_that_is_good() {
    let app = App::start().await;
    let client = app.client().await;
    let never_redeemed = client.code().await;
    let first = client.tokens().await;
    app.clock.advance(Duration::from_hours(24 * 29));
    let swept = app.tokens.sweep(None).await.unwrap();
    assert_eq!((swept.refresh_tokens, swept.codes), (0, 1), "{swept:?}");
    assert_eq!(error(&client.redeem(&never_redeemed).await), told(400, "invalid_grant"));
    let second = pair(&client.refresh(&first.refresh).await);
    app.clock.advance(Duration::from_hours(24 * 29));
    app.tokens.sweep(None).await.unwrap();
    assert_eq!(error(&client.refresh(&first.refresh).await), told(400, "invalid_grant"), "it is known as a replay");
    assert_eq!(error(&client.refresh(&second.refresh).await), told(400, "invalid_grant"), "which has ended the family");
    app.clock.advance(Duration::from_hours(24 * 365));
    app.tokens.sweep(None).await.unwrap();
    assert!(app.tokens.grants(GrantFilter::default(), None, 10).await.unwrap().is_empty(), "all is gone in the end");
}
