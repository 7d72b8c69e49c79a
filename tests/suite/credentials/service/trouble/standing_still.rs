//! The database stands still at exactly one moment of a refresh: when the lease is claimed, when the request is marked as
//! sent, or when the new pair is stored; before it, in the middle of it, or when it is done and nobody has heard of it.

use keyward::credential::{CredentialHead, CredentialState};
use keyward::key::OwnerId;
use keyward::service::{Credentials, CredentialsError};
use tokio::time::Instant;

use super::{LONG, another, expired, is_live, is_outage, service, spent};
use crate::credentials::service::World;
use crate::support::Database;

/// The change that the database does not make in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Claim = 1,
    Mark = 2,
    Save = 3,
}

const CHANGES: [Change; 3] = [Change::Claim, Change::Mark, Change::Save];

/// What a caller is told meanwhile, how soon, and what was sent by then.
async fn is_told_in_time(world: &World, credentials: &Credentials, owner: &OwnerId, during: Change) {
    let began = Instant::now();
    let error = credentials.access_token(owner).await.unwrap_err();
    assert!(began.elapsed() < LONG / 6, "{during:?}: the caller's limit is two seconds: {:?}", began.elapsed());
    if during == Change::Save {
        assert!(matches!(error, CredentialsError::Unsaved), "{during:?}: {error:?}");
        assert_eq!(spent(world), (1, 0));
    } else {
        assert!(is_outage(&error), "{during:?}: {error:?}");
        assert_eq!(world.double.seen().token_requests, 0, "{during:?}: nothing is sent that was not marked");
    }
}

/// What stands there once the database is back and nothing is under way any more.
async fn is_as_it_should_be(world: &World, credentials: &Credentials, owner: &OwnerId, during: Change) {
    assert_eq!(credentials.settle(LONG).await, 0, "{during:?}");
    let head: CredentialHead = another(world).get(owner).await.unwrap().unwrap();
    assert_eq!(head.state, CredentialState::Active, "{during:?}");
    if during == Change::Claim {
        // A lease of which nobody has heard is over after a while.
        world.clock.pass(16);
    } else {
        assert_eq!(head.lease_until, None, "{during:?}: it is known that nobody has it");
    }
    assert!(is_live(world, &another(world), owner).await, "{during:?}");
    assert_eq!(spent(world), (1, 0), "{during:?}: no pair is lost, and none is bought twice");
}

#[cfg(feature = "postgres")]
mod on_postgres {
    use std::time::Duration;

    use keyward::Postgres;
    use tokio::task::JoinSet;

    use super::super::{SHORT, Tcp, open};
    use super::*;
    use crate::support::proxy::{Moment, Proxy};

    async fn stands_still(during: Change, moment: Moment, away_for: Duration) {
        let database = Database::postgres().await;
        let (world, [owner, _]) = expired(&database).await;
        let proxy = Proxy::start(database.as_postgres()).await;
        let engine = Postgres::new(proxy.pool(3).await).lock_timeout(SHORT).read_timeout(SHORT * 3);
        let credentials = service(&open(engine.into()).await.unwrap(), &world.clock, Tcp);
        proxy.stand_still_at(moment);
        is_told_in_time(&world, &credentials, &owner, during).await;
        assert!(proxy.is_still(), "{moment:?} came");
        if away_for > Duration::ZERO {
            // The lease is over by then.
            world.clock.pass(60);
        }
        tokio::time::sleep(away_for).await;
        proxy.go_on();
        is_as_it_should_be(&world, &credentials, &owner, during).await;
    }

    async fn at_each_moment_of(during: Change) {
        let number = during as usize;
        let mut places = JoinSet::new();
        for moment in [Moment::Begin(number), Moment::BeforeCommit(number), Moment::AfterCommit(number)] {
            places.spawn(stands_still(during, moment, Duration::ZERO));
        }
        // Longer than the library itself waits for a change.
        places.spawn(stands_still(during, Moment::AfterCommit(number), Duration::from_secs(12)));
        while let Some(done) = places.join_next().await {
            done.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_claim_without_an_answer_is_an_outage_and_nothing_is_sent() {
        at_each_moment_of(Change::Claim).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_mark_without_an_answer_is_an_outage_and_nothing_is_sent() {
        at_each_moment_of(Change::Mark).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pair_whose_storing_has_no_answer_is_kept_until_it_is_stored() {
        at_each_moment_of(Change::Save).await;
    }
}

#[cfg(feature = "sqlite")]
mod on_sqlite {
    use std::sync::{Arc, mpsc};

    use super::super::Tcp;
    use super::*;
    use crate::credentials::service::store::FaultyCredentialStore;

    /// Another process takes the one write lock just before the change, and keeps it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_file_that_another_process_writes_to_holds_up_each_change_and_loses_nothing() {
        for during in CHANGES {
            let database = Database::sqlite();
            let (world, [owner, _]) = expired(&database).await;
            let store = FaultyCredentialStore::over(Arc::clone(&world.store));
            let path = database.as_sqlite().path().to_owned();
            let (hand_over, writers) = mpsc::channel();
            let failing = match during {
                Change::Claim => &store.faults.claims,
                Change::Mark => &store.faults.marks,
                Change::Save => &store.faults.saves,
            };
            failing.before.set(move || {
                let writer = rusqlite::Connection::open(path).unwrap();
                writer.execute_batch("BEGIN IMMEDIATE").unwrap();
                hand_over.send(writer).unwrap();
            });
            let credentials = service(&(Arc::new(store.clone()) as _), &world.clock, Tcp);
            is_told_in_time(&world, &credentials, &owner, during).await;
            if during == Change::Mark {
                // The lease is over by then, and nobody waits any more.
                world.clock.pass(60);
                tokio::time::sleep(super::super::SHORT * 12).await;
            }
            writers.recv().unwrap().execute_batch("ROLLBACK").unwrap();
            is_as_it_should_be(&world, &credentials, &owner, during).await;
        }
    }
}
