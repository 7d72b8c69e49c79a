//! Many at the same moment.

use std::time::Duration;

use keyward::broker::GrantRevocationReason;
use keyward::store::faulty::{Fault, GrantCall};

use super::{Given, World, code_of, is_invalid_grant};
use crate::support::concurrency::race;
use keyward::broker::OAuthErrorCode;
use keyward::service::TokensError;

const RACERS: usize = 64;
const A_MOMENT: Duration = Duration::from_millis(20);

/// All of them look before the first one writes.
fn make_them_meet(world: &World, call: GrantCall) {
    for _ in 0..RACERS {
        world.store.fail_next(call, Fault::Delayed(A_MOMENT));
    }
}

fn winners(answers: &[Result<Given, TokensError>]) -> Vec<&Given> {
    answers.iter().filter_map(|answer| answer.as_ref().ok()).collect()
}

/// One has tokens, and it does not matter that nobody was later than the others.
#[tokio::test]
async fn of_many_redemptions_of_one_code_one_has_tokens_and_the_others_end_them() {
    let world = World::new();
    let client = world.client().await;
    let bystander = world.given(&client).await;
    let code = world.code(&client).await;
    let before = world.stored();
    make_them_meet(&world, GrantCall::Redeem);
    let racers = (0..RACERS).map(|_| {
        let (world, client, code) = (world.clone(), client.clone(), code.clone());
        move || async move { world.redeem(&client, &code).await }
    });
    let answers = race(racers).await;
    assert_eq!(world.stored(), (before.0 + 1, before.1 + 1), "there is one pair");
    let won = winners(&answers);
    assert_eq!(won.len(), 1);
    answers.iter().filter(|answer| answer.is_err()).for_each(is_invalid_grant);
    assert_eq!(world.ends().await, [GrantRevocationReason::CodeReplayed]);
    assert!(!world.is_live(won[0]).await);
    is_invalid_grant(&world.refresh(&client, &won[0].refresh).await);
    assert!(world.is_live(&bystander).await, "another grant of the same client and person");
}

/// A client that asks many times at once is one client; whoever succeeds has the same pair.
#[tokio::test]
async fn of_many_refreshes_with_one_token_all_that_succeed_have_the_same_pair() {
    let world = World::new();
    let client = world.client().await;
    let first = world.given(&client).await;
    make_them_meet(&world, GrantCall::Exchange);
    let racers = (0..RACERS).map(|_| {
        let (world, client, token) = (world.clone(), client.clone(), first.refresh.clone());
        move || async move { world.refresh(&client, &token).await }
    });
    let answers = race(racers).await;
    let won = winners(&answers);
    assert_eq!(won.len(), RACERS);
    assert!(won.iter().all(|given| *given == won[0]), "{won:?}");
    assert_eq!(world.stored(), (2, 2), "one family, with one successor");
    assert!(world.is_live(won[0]).await && !world.is_live(&first).await);
    let next = world.refresh(&client, &won[0].refresh).await.unwrap();
    assert!(world.is_live(&next).await);
    assert!(world.ends().await.is_empty());
}

/// Without a window, there is one winner, and the others are a replay.
#[tokio::test]
async fn without_a_window_one_of_many_refreshes_wins_and_the_family_ends() {
    let world = World::with(|builder| builder.refresh_grace(Duration::ZERO));
    let client = world.client().await;
    let (first, bystander) = (world.given(&client).await, world.given(&client).await);
    make_them_meet(&world, GrantCall::Exchange);
    let racers = (0..RACERS).map(|_| {
        let (world, client, token) = (world.clone(), client.clone(), first.refresh.clone());
        move || async move { world.refresh(&client, &token).await }
    });
    let answers = race(racers).await;
    assert_eq!(winners(&answers).len(), 1);
    answers.iter().filter(|answer| answer.is_err()).for_each(is_invalid_grant);
    assert_eq!(world.stored(), (3, 3));
    assert_eq!(world.ends().await, [GrantRevocationReason::RefreshTokenReplayed]);
    assert!(!world.is_live(winners(&answers)[0]).await && world.is_live(&bystander).await);
}

/// Whatever a revocation or a removal races with, nothing is good afterwards.
#[tokio::test]
async fn nothing_that_is_issued_in_the_moment_of_a_revocation_outlives_it() {
    for is_removed in [false, true] {
        let world = World::new();
        let client = world.client().await;
        let first = world.given(&client).await;
        let code = world.code(&client).await;
        world.store.fail_next(GrantCall::Exchange, Fault::Delayed(A_MOMENT));
        world.store.fail_next(GrantCall::Redeem, Fault::Delayed(A_MOMENT));
        let racers = (0..3).map(|racer| {
            let (world, client) = (world.clone(), client.clone());
            let (token, code) = (first.refresh.clone(), code.clone());
            move || async move {
                let id = keyward::broker::ClientId::new(&*client).unwrap();
                match racer {
                    0 => world.refresh(&client, &token).await,
                    1 => world.redeem(&client, &code).await,
                    _ => {
                        if is_removed {
                            world.tokens.remove_client(&id).await.unwrap();
                        } else {
                            let filter = keyward::store::grants::GrantFilter::of_client(id);
                            world.tokens.revoke_grants(filter).await.unwrap();
                        }
                        Err(TokensError::InvalidScope)
                    }
                }
            }
        });
        for answer in &race(racers).await[..2] {
            match answer {
                Ok(given) => assert!(!world.is_live(given).await),
                Err(_) => assert!(matches!(
                    code_of(answer),
                    Some(OAuthErrorCode::InvalidGrant | OAuthErrorCode::InvalidClient)
                )),
            }
        }
        assert!(!world.is_live(&first).await);
    }
}
