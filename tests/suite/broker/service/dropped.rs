//! Calls that are given up, because a connection was closed or a time was over: whatever the point, the client can go on.

use keyward::broker::PresentedClient;
use keyward::service::Approval;
use keyward::store::faulty::{Fault, FaultyGrantStore, GrantCall};
use keyward::store::grants::MemoryGrantStore;
use std::time::Duration;

use super::{World, person};
use crate::support::concurrency::{Abandon, abandon};

/// The store gives way before every call, so that there are points to be given up at.
fn hesitant() -> World {
    let memory = MemoryGrantStore::new();
    let world = World::over(memory.clone(), FaultyGrantStore::new(memory), |builder| builder);
    world.store.fail_by_chance(0, 1, &[Fault::Delayed(Duration::ZERO)]);
    world
}

#[tokio::test]
async fn a_refresh_that_is_given_up_at_any_point_can_be_made_again() {
    let mut given_up = 0;
    for polls in 0..8 {
        for when in Abandon::at(polls) {
            let world = hesitant();
            let client = world.client().await;
            let first = world.given(&client).await;
            let answer = abandon(world.refresh(&client, &first.refresh), when).await;
            given_up += usize::from(answer.is_none());
            let again = world.refresh(&client, &first.refresh).await.unwrap();
            assert!(world.is_live(&again).await && world.ends().await.is_empty(), "{when:?}");
            assert!(world.stored().1 == 2, "{when:?}: there is one successor");
            world.refresh(&client, &again.refresh).await.unwrap();
        }
    }
    assert!(given_up >= 6, "{given_up}");
}

#[tokio::test]
async fn a_redemption_that_is_given_up_at_any_point_succeeds_later_or_has_ended() {
    let mut ways = [0, 0];
    for polls in 0..8 {
        for when in Abandon::at(polls) {
            let world = hesitant();
            let client = world.client().await;
            let code = world.code(&client).await;
            let first = abandon(world.redeem(&client, &code), when).await;
            match world.redeem(&client, &code).await {
                Ok(given) => {
                    assert!(first.is_none() && world.is_live(&given).await, "{when:?}");
                    ways[0] += 1;
                }
                Err(refused) => {
                    assert_eq!(refused.error_code(), Some(keyward::broker::OAuthErrorCode::InvalidGrant), "{when:?}");
                    assert_eq!(world.ends().await.len(), 1, "{when:?}: nobody has the tokens that nobody got");
                    let again = world.given(&client).await;
                    assert!(world.is_live(&again).await, "{when:?}");
                    ways[1] += 1;
                }
            }
        }
    }
    assert!(ways[0] > 0 && ways[1] > 0, "{ways:?}");
}

/// The database has made the change and does not say so until the caller has gone.
#[tokio::test]
async fn what_was_made_and_never_answered_is_found_by_the_next_attempt() {
    for fault in [Fault::Unanswered, Fault::MadeAndUnanswered] {
        let world = World::new();
        let client = world.client().await;
        let first = world.given(&client).await;
        world.store.fail_next(GrantCall::Exchange, fault);
        assert!(abandon(world.refresh(&client, &first.refresh), Abandon::After(1)).await.is_none());
        let second = world.refresh(&client, &first.refresh).await.unwrap();
        assert!(world.is_live(&second).await, "{fault:?}");

        world.store.fail_next(GrantCall::AddCode, fault);
        assert!(abandon(world.approve(&client, Approval::new(person())), Abandon::After(1)).await.is_none());
        let third = world.given(&client).await;
        assert!(world.is_live(&third).await, "{fault:?}");

        world.store.fail_next(GrantCall::RevokeGrant, fault);
        let revoke = || world.tokens.revoke(PresentedClient::Named(&client), &third.refresh);
        assert!(abandon(revoke(), Abandon::After(1)).await.is_none());
        revoke().await.unwrap();
        assert!(!world.is_live(&third).await, "{fault:?}");
    }
}

/// A replay whose revocation was given up is a replay still.
#[tokio::test]
async fn a_replay_that_is_given_up_is_found_again() {
    for polls in 0..6 {
        for when in Abandon::at(polls) {
            let world = hesitant();
            let client = world.client().await;
            let code = world.code(&client).await;
            let given = world.redeem(&client, &code).await.unwrap();
            let _given_up = abandon(world.redeem(&client, &code), when).await;
            super::is_invalid_grant(&world.redeem(&client, &code).await);
            assert!(!world.is_live(&given).await, "{when:?}");
        }
    }
}
