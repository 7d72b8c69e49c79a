//! What a person says yes to.

use std::time::Duration;

use keyward::broker::OAuthErrorCode;
use keyward::key::Scopes;
use keyward::service::Approval;
use keyward::store::faulty::{Fault, GrantCall};
use keyward::store::grants::GrantFilter;

use super::{World, code_of, is_invalid_grant, person};
use crate::broker::app::scopes;

#[tokio::test]
async fn a_person_can_allow_less_than_was_asked_for_and_never_more() {
    let world = World::new();
    let client = world.client().await;
    for more in ["admin", "notes:read admin"] {
        let refused = world.approve(&client, Approval::new(person()).with_scopes(scopes(more))).await;
        assert_eq!(code_of(&refused), Some(OAuthErrorCode::InvalidScope));
    }
    assert!(world.tokens.grants(GrantFilter::default(), None, 10).await.unwrap().is_empty());
    for (allowed, refused) in [(scopes("notes:read"), "notes:write"), (Scopes::default(), "notes:read")] {
        let code = world.approve(&client, Approval::new(person()).with_scopes(allowed.clone())).await.unwrap();
        let given = world.redeem(&client, &code).await.unwrap();
        let excess = world.refresh_for(&client, &given.refresh, Some(refused)).await;
        assert_eq!(code_of(&excess), Some(OAuthErrorCode::InvalidScope));
        let next = world.refresh(&client, &given.refresh).await.unwrap();
        assert_eq!(*world.tokens.authenticate(&next.access).await.unwrap().scopes(), allowed);
    }
}

/// A client that was removed while the person was asked has no code, whatever the store has said before.
#[tokio::test]
async fn a_client_that_goes_in_the_moment_of_the_approval_has_no_code() {
    let world = World::new();
    let client = world.client().await;
    world.store.fail_next(GrantCall::AddCode, Fault::Delayed(Duration::from_millis(20)));
    let id = keyward::broker::ClientId::new(&*client).unwrap();
    let removal = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        world.tokens.remove_client(&id).await.unwrap()
    };
    let (refused, removed) = tokio::join!(world.approve(&client, Approval::new(person())), removal);
    assert!(removed);
    assert_eq!(code_of(&refused), Some(OAuthErrorCode::InvalidRequest));
    assert!(world.tokens.grants(GrantFilter::default(), None, 10).await.unwrap().is_empty());
}

/// A clock that was set back lengthens no life that has ended for the grant's sake, and one that jumps ends all.
#[tokio::test]
async fn a_clock_that_jumps_ends_codes_and_tokens_and_harms_no_later_ones() {
    let world = World::new();
    let client = world.client().await;
    let (code, given) = (world.code(&client).await, world.given(&client).await);
    world.clock.advance(Duration::from_hours(24 * 365));
    is_invalid_grant(&world.redeem(&client, &code).await);
    is_invalid_grant(&world.refresh(&client, &given.refresh).await);
    assert!(!world.is_live(&given).await);
    let later = world.given(&client).await;
    assert!(world.is_live(&later).await);
}
