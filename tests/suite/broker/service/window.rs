//! The window in which an answer that was lost can be had again.

use std::time::Duration;

use keyward::Timestamp;
use keyward::broker::OAuthErrorCode;

use super::{Given, World, code_of, is_invalid_grant};

const A_SECOND: Duration = Duration::from_secs(1);

/// A world, a client, a spent refresh token and what it was exchanged for.
async fn refreshed(world: &World) -> (String, Given, Given) {
    let client = world.client().await;
    let first = world.given(&client).await;
    let second = world.refresh(&client, &first.refresh).await.unwrap();
    (client, first, second)
}

/// `first` is a replay that ends the family of `second`, and no other one.
async fn is_replay(world: &World, client: &str, first: &Given, second: &Given) {
    let bystander = world.given(client).await;
    is_invalid_grant(&world.refresh(client, &first.refresh).await);
    assert!(!world.is_live(second).await);
    is_invalid_grant(&world.refresh(client, &second.refresh).await);
    assert!(world.is_live(&bystander).await, "another grant of the same client and person");
    world.refresh(client, &bystander.refresh).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_was_lost_can_be_had_again_byte_for_byte() {
    let world = World::new();
    let (client, first, second) = refreshed(&world).await;
    for seconds in 1..9 {
        world.clock.advance(A_SECOND);
        let again = world.refresh(&client, &first.refresh).await.unwrap();
        assert_eq!((&again.access, &again.refresh), (&second.access, &second.refresh));
        assert_eq!(again.expires_in, second.expires_in - seconds, "it says how long it is good for from now on");
    }
    assert_eq!(world.stored(), (2, 2));
    assert!(world.is_live(&second).await && !world.is_live(&first).await);
}

#[tokio::test]
async fn after_the_window_a_spent_token_ends_the_family() {
    let world = World::new();
    let (client, first, second) = refreshed(&world).await;
    // Ten seconds behind the whole second in which the exchange was.
    let end = Timestamp::from_micros(1_893_456_010_000_000);
    world.clock.set(end.saturating_sub(Duration::from_micros(1)));
    assert_eq!(world.refresh(&client, &first.refresh).await.unwrap().refresh, second.refresh);
    world.clock.set(end);
    is_replay(&world, &client, &first, &second).await;
}

#[tokio::test]
async fn after_the_first_use_of_what_was_answered_a_spent_token_ends_the_family() {
    let world = World::new();
    let (client, first, second) = refreshed(&world).await;
    assert!(world.is_live(&second).await);
    is_replay(&world, &client, &first, &second).await;
}

#[tokio::test]
async fn after_the_next_refresh_a_spent_token_ends_the_family() {
    let world = World::new();
    let (client, first, second) = refreshed(&world).await;
    let third = world.refresh(&client, &second.refresh).await.unwrap();
    is_replay(&world, &client, &first, &third).await;
}

#[tokio::test]
async fn a_repetition_that_asks_for_other_scopes_is_a_replay() {
    let world = World::new();
    let (client, first, second) = refreshed(&world).await;
    let answer = world.refresh_for(&client, &first.refresh, Some("notes:read")).await;
    is_invalid_grant(&answer);
    assert!(!world.is_live(&second).await);
    // Nobody is told what was granted by a token that is spent.
    let (client, first, second) = refreshed(&world).await;
    is_invalid_grant(&world.refresh_for(&client, &first.refresh, Some("admin")).await);
    assert!(!world.is_live(&second).await);

    // More than was granted ends nothing where the token is good, and neither does another client.
    let client = world.client().await;
    let given = world.given(&client).await;
    let answer = world.refresh_for(&client, &given.refresh, Some("admin")).await;
    assert_eq!(code_of(&answer), Some(OAuthErrorCode::InvalidScope));
    assert!(world.refresh(&client, &given.refresh).await.is_ok());
    let (client, first, second) = refreshed(&world).await;
    let other = world.client().await;
    is_invalid_grant(&world.refresh(&other, &first.refresh).await);
    assert_eq!(world.refresh(&client, &first.refresh).await.unwrap(), second);
}

#[tokio::test]
async fn a_narrower_answer_is_repeated_to_the_same_question_alone() {
    let world = World::new();
    let client = world.client().await;
    let first = world.given(&client).await;
    let narrow = world.refresh_for(&client, &first.refresh, Some("notes:read")).await.unwrap();
    assert_eq!(world.refresh_for(&client, &first.refresh, Some("notes:read")).await.unwrap(), narrow);
    is_invalid_grant(&world.refresh(&client, &first.refresh).await);
}

/// A clock that was set back never makes a second pair, what was used stays used, and no window is open for longer than
/// it is.
#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_second_pair() {
    let world = World::new();
    let (client, first, second) = refreshed(&world).await;
    world.clock.set(crate::support::START.saturating_sub(Duration::from_secs(5)));
    let again = world.refresh(&client, &first.refresh).await.unwrap();
    assert_eq!((&again.access, &again.refresh), (&second.access, &second.refresh));
    world.clock.set(crate::support::START.saturating_sub(Duration::from_hours(1)));
    is_replay(&world, &client, &first, &second).await;

    let (client, first, second) = refreshed(&world).await;
    world.clock.advance(Duration::from_mins(1));
    let third = world.refresh(&client, &second.refresh).await.unwrap();
    world.clock.set(crate::support::START.saturating_sub(Duration::from_hours(1)));
    is_replay(&world, &client, &first, &third).await;
}

#[tokio::test]
async fn without_a_window_nothing_is_kept_that_could_be_given_again() {
    let world = World::with(|builder| builder.refresh_grace(Duration::ZERO));
    let (client, first, second) = refreshed(&world).await;
    assert!(!format!("{:?}", world.memory).contains("keyward.1.response"));
    is_replay(&world, &client, &first, &second).await;
}

/// A thief who is faster than the owner: within the window both have the same pair, and the first use of it, or the next
/// refresh, shows that there are two.
#[tokio::test]
async fn a_thief_and_the_owner_do_not_both_go_on() {
    let world = World::new();
    let client = world.client().await;
    let first = world.given(&client).await;
    let of_thief = world.refresh(&client, &first.refresh).await.unwrap();
    let of_owner = world.refresh(&client, &first.refresh).await.unwrap();
    assert_eq!(of_thief, of_owner);
    let next = world.refresh(&client, &of_thief.refresh).await.unwrap();
    assert!(world.is_live(&next).await);
    is_invalid_grant(&world.refresh(&client, &of_owner.refresh).await);
    assert!(!world.is_live(&next).await);
}
