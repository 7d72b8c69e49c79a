//! Calls that are given up, by the hundred.

use std::time::Duration;

use keyward::service::CredentialsError;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{LONG, expired, is_live, on_both_engines};
use crate::support::Database;

on_both_engines![calls_that_are_given_up_leave_nothing_behind];

const CALLS: u32 = 600;
const OWNERS: usize = 12;

async fn calls_that_are_given_up_leave_nothing_behind(database: Database) {
    let (world, _) = expired(&database).await;
    let mut random = StdRng::seed_from_u64(4);
    let mut owners = Vec::new();
    for number in 0..OWNERS {
        owners.push(world.sign_in(&format!("did:plc:many-{number}")).await);
    }
    // So short that every call but the next few has to refresh.
    world.double.set_lifetime(30);
    world.clock.pass(3_600);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let owner = owners[random.random_range(0..OWNERS)].clone();
        let credentials = world.credentials.clone();
        let patience = Duration::from_micros(random.random_range(0..40_000));
        tasks.spawn(async move {
            match tokio::time::timeout(patience, credentials.access_token(&owner)).await {
                // A crowd like this may wait for the database longer than it is patient.
                Err(_) | Ok(Ok(_) | Err(CredentialsError::Store(_) | CredentialsError::Busy { .. })) => {}
                Ok(Err(error)) => panic!("{error:?}"),
            }
        });
        if tasks.len() > 30 {
            tasks.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(call) = tasks.join_next().await {
        call.unwrap();
    }
    assert_eq!(world.credentials.settle(LONG).await, 0);
    if database.is_postgres() {
        // No session is in a transaction, and none waits for anything.
        let busy = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database()
            AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'";
        let began = tokio::time::Instant::now();
        while database.text(busy).await.as_deref() != Some("0") {
            assert!(began.elapsed() < LONG, "a transaction is still open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    // A lease whose claim was given up is over after a while, and nothing else is in the way.
    world.clock.pass(60);
    for owner in &owners {
        assert!(is_live(&world, &world.credentials, owner).await);
    }
    assert_eq!((world.double.seen().replays, world.double.seen().other_keys), (0, 0));
}
