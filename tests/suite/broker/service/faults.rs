//! A store that fails at every step: an outage is never `invalid_grant`, and nothing is half done.

use std::sync::Arc;

use keyward::broker::GrantEnd;
use keyward::service::Approval;
use keyward::store::faulty::{Fault, FaultyGrantStore, GrantCall};
use keyward::store::grants::MemoryGrantStore;
use serde_json::json;

use super::{World, is_invalid_grant, person};
use crate::broker::app::{App, Setup, error, told};
use crate::broker::client::{REDIRECT_URI, pair};

/// Those after which nothing has happened.
const NOT_MADE: [Fault; 3] = [Fault::Unavailable, Fault::Backend, Fault::Denied];

#[tokio::test]
async fn a_code_that_could_not_be_redeemed_can_be_redeemed_later() {
    for call in [GrantCall::Client, GrantCall::Code, GrantCall::Redeem] {
        for fault in NOT_MADE {
            let world = World::new();
            let client = world.client().await;
            let code = world.code(&client).await;
            world.store.fail_next(call, fault);
            let answer = world.redeem(&client, &code).await;
            assert!(answer.as_ref().is_err_and(keyward::service::TokensError::is_outage), "{call:?} {fault:?}");
            assert_eq!(world.stored(), (0, 0), "{call:?} {fault:?}");
            let given = world.redeem(&client, &code).await.unwrap();
            assert!(world.is_live(&given).await);
        }
    }
}

#[tokio::test]
async fn a_refresh_token_that_could_not_be_exchanged_can_be_exchanged_later() {
    for call in [GrantCall::Client, GrantCall::RefreshToken, GrantCall::Exchange] {
        for fault in NOT_MADE {
            let world = World::new();
            let client = world.client().await;
            let first = world.given(&client).await;
            world.store.fail_next(call, fault);
            let answer = world.refresh(&client, &first.refresh).await;
            assert!(answer.as_ref().is_err_and(keyward::service::TokensError::is_outage), "{call:?} {fault:?}");
            assert!(world.is_live(&first).await, "{call:?} {fault:?}");
            let second = world.refresh(&client, &first.refresh).await.unwrap();
            assert!(world.is_live(&second).await && world.ends().await.is_empty());
        }
    }
}

/// The change was made, and the answer of the database was lost.
#[tokio::test]
async fn after_a_lost_answer_a_client_has_its_tokens_or_is_told_to_begin_again() {
    let world = World::new();
    let client = world.client().await;
    let first = world.given(&client).await;
    world.store.fail_next(GrantCall::Exchange, Fault::AnswerLost);
    assert!(world.refresh(&client, &first.refresh).await.unwrap_err().is_outage());
    let second = world.refresh(&client, &first.refresh).await.unwrap();
    assert!(world.is_live(&second).await);
    assert_eq!(world.stored(), (2, 2), "it is the pair that was made at first");

    let code = world.code(&client).await;
    world.store.fail_next(GrantCall::Redeem, Fault::AnswerLost);
    assert!(world.redeem(&client, &code).await.unwrap_err().is_outage());
    is_invalid_grant(&world.redeem(&client, &code).await);
    assert_eq!(world.ends().await, [GrantEnd::CodeReplayed], "and nobody has the tokens that nobody got");
    let again = world.given(&client).await;
    assert!(world.is_live(&again).await);
}

/// Somebody between service and database has tried twice.
#[tokio::test]
async fn a_write_that_is_made_twice_is_no_replay() {
    let world = World::new();
    let client = world.client().await;
    let first = world.given(&client).await;
    world.store.fail_next(GrantCall::Exchange, Fault::Repeated);
    // What stands there after the second attempt is the answer of the first one.
    if let Ok(second) = world.refresh(&client, &first.refresh).await {
        assert!(world.is_live(&second).await);
    } else {
        let second = world.refresh(&client, &first.refresh).await.unwrap();
        assert!(world.is_live(&second).await);
    }
    assert!(world.ends().await.is_empty());
}

/// What cannot be revoked is not said to be.
#[tokio::test]
async fn a_replay_that_could_not_be_answered_by_a_revocation_is_an_outage_and_found_again() {
    let world = World::with(|builder| builder.reply_window(std::time::Duration::ZERO));
    let client = world.client().await;
    for is_code in [true, false] {
        let code = world.code(&client).await;
        let first = world.redeem(&client, &code).await.unwrap();
        let last = world.refresh(&client, &first.refresh).await.unwrap();
        for _ in 0..2 {
            world.store.fail_next(GrantCall::RevokeGrant, Fault::Unavailable);
            let answer =
                if is_code { world.redeem(&client, &code).await } else { world.refresh(&client, &first.refresh).await };
            assert!(answer.unwrap_err().is_outage());
        }
        assert!(world.is_live(&last).await);
        let answer =
            if is_code { world.redeem(&client, &code).await } else { world.refresh(&client, &first.refresh).await };
        is_invalid_grant(&answer);
        assert!(!world.is_live(&last).await);
    }
}

#[tokio::test]
async fn what_is_only_noted_spoils_nothing_when_it_cannot_be() {
    let world = World::new();
    world.store.fail_by_chance(0, 0, &[]);
    let client = world.client().await;
    for _ in 0..3 {
        world.store.fail_next(GrantCall::NoteClientUse, Fault::Unavailable);
        world.store.fail_next(GrantCall::NoteFirstUse, Fault::Backend);
    }
    let given = world.given(&client).await;
    assert!(world.is_live(&given).await);
    let next = world.refresh(&client, &given.refresh).await.unwrap();
    assert!(world.is_live(&next).await);
}

#[tokio::test]
async fn a_code_that_could_not_be_stored_is_not_sent() {
    for fault in [Fault::Unavailable, Fault::Backend, Fault::AnswerLost] {
        let world = World::new();
        let client = world.client().await;
        world.store.fail_next(GrantCall::AddCode, fault);
        assert!(world.approve(&client, Approval::new(person())).await.unwrap_err().is_outage());
        let given = world.given(&client).await;
        assert!(world.is_live(&given).await);
    }
}

#[tokio::test]
async fn over_http_an_outage_is_503_with_a_time_and_a_person_sees_a_page() {
    let store = Arc::new(FaultyGrantStore::new(MemoryGrantStore::new()));
    let app = App::with(Setup { store: store.clone(), ..Setup::default() }).await;
    let client = app.client().await;
    let tokens = client.tokens().await;
    let code = client.code().await;
    let is_later = |answer: &crate::http::server::Answer, call: GrantCall| {
        assert_eq!(error(answer), told(503, "temporarily_unavailable"), "{call:?}");
        assert_eq!((answer.header("retry-after"), answer.header("www-authenticate")), ("5", ""), "{call:?}");
        assert!(!answer.body.contains("faulty"), "what the database has reported is not told: {}", answer.body);
    };
    for call in [GrantCall::Client, GrantCall::Code, GrantCall::Redeem] {
        store.fail_next(call, Fault::Unavailable);
        is_later(&client.redeem(&code).await, call);
    }
    for call in [GrantCall::Client, GrantCall::RefreshToken, GrantCall::Exchange] {
        store.fail_next(call, Fault::Backend);
        is_later(&client.refresh(&tokens.refresh).await, call);
    }
    for call in [GrantCall::Client, GrantCall::RefreshToken, GrantCall::AccessToken, GrantCall::RevokeToken] {
        store.fail_next(call, Fault::Denied);
        is_later(&client.revoke(&tokens.access).await, call);
    }
    let confidential = app.confidential().await;
    for call in [GrantCall::Client, GrantCall::AccessToken, GrantCall::RefreshToken] {
        store.fail_next(call, Fault::Unavailable);
        is_later(&confidential.send("/introspect", &[("token", "x")]).await, call);
    }
    store.fail_next(GrantCall::Register, Fault::Unavailable);
    is_later(&app.register(&json!({"redirect_uris": [REDIRECT_URI]})).await, GrantCall::Register);

    store.fail_next(GrantCall::Client, Fault::Unavailable);
    let page = client.authorize(&client.query(&[])).await;
    assert_eq!((page.status, page.header("retry-after"), page.header("location")), (503, "5", ""));
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let page = client.page(&client.query(&[])).await;
    store.fail_next(GrantCall::AddCode, Fault::Unavailable);
    let answer = page.submit(&app, &[]).await;
    assert_eq!(answer.status, 303);
    assert!(answer.header("location").contains("error=temporarily_unavailable"), "{answer:?}");

    // All of that has spent nothing.
    pair(&client.redeem(&code).await);
    pair(&client.refresh(&tokens.refresh).await);
}
