//! Each way in which the host's own service loses sessions, or tells wrong things of them, and that it does not happen here.
//! The names say which fault of that service a test is about.

use std::sync::Arc;
use std::time::Duration;

use keyward::credential::{CredentialState, EndReason};
use keyward::service::CredentialsError;

use super::place::{Place, over_every_form};
#[cfg(feature = "postgres")]
use crate::credentials::service::builder;
use crate::credentials::service::{World, owner};
use crate::support::concurrency::race;

const DID: &str = "did:plc:one";

over_every_form![
    fault_a1_one_refresh_token_is_sent_once_by_all_tasks_of_all_processes,
    fault_a2_a_session_that_was_ended_elsewhere_is_shown_as_what_it_is,
    fault_a4_what_is_due_is_refreshed_and_what_is_not_is_not_counted,
    fault_a5_a_deadline_is_an_instant_however_far_ahead,
    fault_a16_a_token_lives_as_long_as_its_server_says,
    fault_a18_instants_are_the_same_in_the_row_and_in_what_is_reported,
];

async fn world(place: &Place) -> World {
    World::over(Arc::new(place.another().await))
}

async fn sign_in(place: &Place, world: &World, did: &str) {
    place.add(did).await;
    world.sign_in(did).await;
}

async fn fault_a1_one_refresh_token_is_sent_once_by_all_tasks_of_all_processes(place: Place) {
    let world = world(&place).await;
    sign_in(&place, &world, DID).await;
    world.clock.pass(7_200);
    let mut racers = Vec::new();
    for seed in 0..2_u64 {
        let process = world.another_process(&(Arc::new(place.another().await) as _), seed + 1);
        for _ in 0..8 {
            let process = process.clone();
            racers.push(move || async move {
                process.access_token(&owner(DID)).await.map(|token| token.expose_secret().to_owned())
            });
        }
    }
    for token in race(racers).await {
        assert!(world.is_live(DID, &token.unwrap()));
    }
    let seen = world.double.seen();
    assert_eq!((seen.refreshes, seen.replays), (1, 0));
}

async fn fault_a2_a_session_that_was_ended_elsewhere_is_shown_as_what_it_is(place: Place) {
    let world = world(&place).await;
    sign_in(&place, &world, DID).await;
    // Another device signs in, which takes the place of the session at the server, as a sign-out does.
    world.session(DID, &crate::credentials::exchange::key());
    world.clock.pass(7_200);
    let outcome = world.credentials.access_token(&owner(DID)).await;
    let Err(CredentialsError::NeedsAuthorization(EndReason::InvalidGrant)) = outcome else { panic!("{outcome:?}") };
    let head = world.credentials.get(&owner(DID)).await.unwrap().unwrap();
    assert!(matches!(head.state, CredentialState::Ended { .. }));
    let asked = world.double.seen().token_requests;
    assert!(world.credentials.access_token(&owner(DID)).await.is_err());
    assert_eq!(world.double.seen().token_requests, asked, "nobody asks again");
}

async fn fault_a4_what_is_due_is_refreshed_and_what_is_not_is_not_counted(place: Place) {
    let world = world(&place).await;
    sign_in(&place, &world, DID).await;
    world.clock.pass(1_800);
    sign_in(&place, &world, "did:plc:two").await;
    // Half an hour is left of the first, an hour of the second.
    let deadline = world.now().saturating_add(Duration::from_mins(45));
    let report = world.credentials.refresh_expiring(deadline).await.unwrap();
    assert_eq!((report.refreshed, report.still_valid, report.failed.len()), (1, 0, 0), "{report:?}");
    let report = world.credentials.refresh_expiring(deadline).await.unwrap();
    assert_eq!((report.refreshed, report.still_valid), (0, 0), "what was refreshed is not due");
    assert_eq!(world.double.seen().refreshes, 1);
}

async fn fault_a5_a_deadline_is_an_instant_however_far_ahead(place: Place) {
    let world = world(&place).await;
    sign_in(&place, &world, DID).await;
    for (hours, due) in [(0, 0), (1, 1), (3, 1), (87_600, 1)] {
        let before = world.double.seen().refreshes;
        let deadline = world.now().saturating_add(Duration::from_hours(hours));
        let report = world.credentials.refresh_expiring(deadline).await.unwrap();
        assert_eq!(report.refreshed, due, "{hours} hours ahead: {report:?}");
        assert_eq!(world.double.seen().refreshes - before, due);
    }
}

async fn fault_a16_a_token_lives_as_long_as_its_server_says(place: Place) {
    let world = world(&place).await;
    sign_in(&place, &world, DID).await;
    world.double.set_lifetime(600);
    world.credentials.refresh(&owner(DID)).await.unwrap();
    let head = world.credentials.get(&owner(DID)).await.unwrap().unwrap();
    assert_eq!(head.expires_at, Some(world.now().saturating_add(Duration::from_mins(10))));
    world.clock.pass(900);
    let token = world.credentials.access_token(&owner(DID)).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
    assert_eq!(world.double.seen().refreshes, 2);
}

async fn fault_a18_instants_are_the_same_in_the_row_and_in_what_is_reported(place: Place) {
    let world = world(&place).await;
    sign_in(&place, &world, DID).await;
    let head = world.credentials.get(&owner(DID)).await.unwrap().unwrap();
    let column = place.database.dialect(
        "to_char(oauth_token_expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')",
        "oauth_token_expires_at",
    );
    let stored = place.column(DID, column).await.unwrap();
    assert_eq!(stored, "2030-01-01 01:00:00");
    assert_eq!(head.expires_at.unwrap().to_string(), "2030-01-01T01:00:00Z");
}

/// A row that is held while a new pair is stored: the pair waits, and is not lost.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn fault_a3_a_pair_that_could_not_be_stored_at_first_is_not_lost() {
    use super::place::Form;
    use crate::support::Database;

    for form in [Form::Text, Form::Bytes, Form::BesideUpstream] {
        let place = Place::on(Database::postgres().await, form).await;
        let pool = place.database.as_postgres().pool().await;
        let impatient = keyward::Postgres::new(pool).lock_timeout(Duration::from_millis(50));
        let store = keyward::sql::SqlCredentialStore::open(impatient, form.layout()).await.unwrap();
        let world = World::over(Arc::new(store));
        sign_in(&place, &world, DID).await;
        world.clock.pass(7_200);
        let held = place.database.as_postgres().pool().await;
        let mut transaction = held.begin().await.unwrap();
        sqlx::query("UPDATE aggregators SET display_name = 'x'").execute(&mut *transaction).await.unwrap();
        let refreshing = tokio::runtime::Handle::current().spawn({
            let credentials = world.credentials.clone();
            async move { credentials.access_token(&owner(DID)).await }
        });
        while world.credentials.counters().failed_saves == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        transaction.rollback().await.unwrap();
        let token = refreshing.await.unwrap().unwrap();
        assert!(world.is_live(DID, token.expose_secret()));
        let another = builder(&(Arc::new(place.another().await) as _), &world.clock, 9).build();
        assert_eq!(another.access_token(&owner(DID)).await.unwrap().expose_secret(), token.expose_secret());
        assert_eq!(world.double.seen().replays, 0);
    }
}

/// The copy for the host's service is kept for as long as the session itself goes, not for a week.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn fault_a17_a_session_is_kept_for_as_long_as_it_goes() {
    use super::place::Form;
    use crate::support::Database;

    let place = Place::on(Database::postgres().await, Form::BesideUpstream).await;
    let world = world(&place).await;
    sign_in(&place, &world, DID).await;
    let kept = "SELECT to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM oauth_sessions";
    assert_eq!(place.database.text(kept).await.as_deref(), Some("2030-01-15"), "14 days, of a public client");
    world.credentials.refresh(&owner(DID)).await.unwrap();
    assert_eq!(place.database.text(kept).await.as_deref(), Some("2030-01-15"));
}
