//! One exchange at a time, run to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward::credential::{CredentialState, EndReason, SessionError};
use keyward::service::{Credentials, CredentialsError};
use keyward::store::credentials::{CredentialStore, MemoryCredentialStore, Over};

use super::store::FaultyCredentialStore;
use super::{World, owner};
use crate::credentials::double::Fault;

const DID: &str = "did:plc:one";

#[tokio::test]
async fn a_good_token_is_handed_out_without_a_look_into_the_store() {
    let store = FaultyCredentialStore::default();
    let world = World::over(Arc::new(store.clone()));
    let owner = world.sign_in(DID).await;
    let first = world.credentials.access_token(&owner).await.unwrap();
    assert!(world.is_live(DID, first.expose_secret()));
    let looks = store.faults.calls.load(Ordering::SeqCst);
    for _ in 0..100 {
        let token = world.credentials.access_token(&owner).await.unwrap();
        assert_eq!(token.expose_secret(), first.expose_secret());
    }
    assert_eq!(store.faults.calls.load(Ordering::SeqCst), looks);
    assert_eq!(world.double.seen().token_requests, 0, "nothing had to be refreshed");
}

#[tokio::test]
async fn a_token_that_is_about_to_expire_is_refreshed_and_the_new_one_is_stored() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    world.clock.pass(3_541);
    let token = world.credentials.access_token(&owner).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
    assert_eq!(world.double.seen().refreshes, 1);
    // As the server said it, from when the request was sent.
    let expires_at = world.now().saturating_add(Duration::from_hours(1));
    assert_eq!(token.expires_at(), Some(expires_at));

    let other = world.another_process(&world.store, 1);
    let again = other.access_token(&owner).await.unwrap();
    assert_eq!(again.expose_secret(), token.expose_secret());
    assert_eq!(world.double.seen().refreshes, 1);
}

#[tokio::test]
async fn a_hundred_refreshes_with_nonces_rotated_under_them_leave_the_session_alive() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    for round in 0..100 {
        world.double.rotate_nonces();
        if round % 3 == 0 {
            world.double.rotate_nonces();
        }
        let token = world.credentials.refresh(&owner).await.unwrap();
        assert!(world.is_live(DID, token.expose_secret()), "round {round}");
    }
    assert_eq!(world.double.seen().refreshes, 100);
    assert_eq!((world.double.seen().replays, world.double.seen().other_keys), (0, 0));
}

/// Everybody wants a token of one session that has expired: of two processes, 16 tasks each.
async fn everybody_wants_one(world: &World, processes: [Credentials; 2]) {
    let owner = world.sign_in(DID).await;
    world.clock.pass(3_600);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..32 {
        let (credentials, owner) = (processes[number % 2].clone(), owner.clone());
        tasks
            .spawn(async move { credentials.access_token(&owner).await.map(|token| token.expose_secret().to_owned()) });
    }
    while let Some(token) = tasks.join_next().await {
        assert!(world.is_live(DID, &token.unwrap().unwrap()));
    }
    assert_eq!(world.double.seen().refreshes, 1, "the server sees exactly one refresh");
    assert_eq!(world.double.seen().replays, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_in_two_processes_make_one_refresh_in_memory() {
    let store: Arc<dyn CredentialStore> = Arc::new(MemoryCredentialStore::new());
    let world = World::over(Arc::clone(&store));
    let processes = [1, 2].map(|seed| world.another_process(&store, seed));
    everybody_wants_one(&world, processes).await;
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod in_a_database {
    use std::sync::Arc;

    use keyward::sql::{OwnCredentials, SqlCredentialStore};
    use keyward::store::credentials::CredentialStore;

    use super::{World, everybody_wants_one};
    use crate::support::{Database, START};

    async fn opened(database: &Database) -> Arc<dyn CredentialStore> {
        let store = SqlCredentialStore::open(database.engine().await, OwnCredentials::new()).await.unwrap();
        store.migrate(START).await.unwrap();
        Arc::new(store)
    }

    async fn many_callers_make_one_refresh(database: Database) {
        let (first, second) = (opened(&database).await, opened(&database).await);
        let world = World::over(Arc::clone(&first));
        let processes = [world.another_process(&first, 1), world.another_process(&second, 2)];
        everybody_wants_one(&world, processes).await;
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_callers_with_two_engines_make_one_refresh_on_sqlite() {
        many_callers_make_one_refresh(Database::sqlite()).await;
    }

    #[cfg(feature = "postgres")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_callers_with_two_engines_make_one_refresh_on_postgres() {
        many_callers_make_one_refresh(Database::postgres().await).await;
    }
}

#[tokio::test]
async fn dropping_the_caller_ends_no_exchange() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    world.clock.pass(3_600);
    world.double.plan([Fault::Delay(Duration::from_millis(300))]);
    let call = world.credentials.access_token(&owner);
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err(), "the caller has gone");
    assert_eq!(world.credentials.settle(Duration::from_secs(10)).await, 0);
    let token = world.credentials.access_token(&owner).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
    assert_eq!(world.double.seen().refreshes, 1);
}

#[tokio::test]
async fn a_caller_whose_patience_is_over_ends_no_exchange() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let impatient = super::builder(&world.store, &world.clock, 3).exchange_timeout(Duration::from_millis(100)).build();
    world.clock.pass(3_600);
    world.double.plan([Fault::Delay(Duration::from_millis(400))]);
    let error = impatient.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Busy { .. }), "{error}");
    assert!(error.is_outage());
    assert_eq!(impatient.settle(Duration::from_secs(10)).await, 0);
    let token = impatient.access_token(&owner).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
    assert_eq!(world.double.seen().refreshes, 1);
}

#[tokio::test]
async fn a_lost_answer_is_uncertain_and_nothing_is_sent_again_by_itself() {
    for (fault, is_alive) in [(Fault::LoseAnswer, false), (Fault::CutAnswer, false), (Fault::LoseRequest, true)] {
        let world = World::in_memory();
        let owner = world.sign_in(DID).await;
        world.clock.pass(3_600);
        world.double.plan([fault.clone()]);
        for _ in 0..3 {
            let error = world.credentials.access_token(&owner).await.unwrap_err();
            assert!(matches!(error, CredentialsError::Uncertain { .. }), "{fault:?}: {error}");
            assert!(!error.is_outage());
            world.clock.pass(100);
        }
        assert_eq!(world.double.seen().replays, 0, "{fault:?}");
        let head = world.credentials.get(&owner).await.unwrap().unwrap();
        assert!(matches!(head.state, CredentialState::Uncertain { .. }), "{fault:?}");
        assert_eq!(world.credentials.counters().uncertain, 1);

        // Somebody decides. What the server has not seen is good; what it has seen is a replay, and it says so.
        let retried = world.credentials.retry_uncertain(&owner).await;
        if is_alive {
            assert!(world.is_live(DID, retried.unwrap().expose_secret()));
        } else {
            let error = retried.unwrap_err();
            assert!(
                matches!(error, CredentialsError::NeedsAuthorization(EndReason::Replayed | EndReason::InvalidGrant)),
                "{fault:?}: {error}"
            );
            assert!(world.double.current(DID).is_none());
        }
    }
}

#[tokio::test]
async fn a_spent_token_is_reported_as_the_end_and_refreshed_no_more() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    // Somebody else has refreshed the same session: what upstream did by copying it.
    let copy = World::over(Arc::new(MemoryCredentialStore::new()));
    drop(copy);
    world.double.sign_in(DID, crate::credentials::exchange::CLIENT, None);
    world.clock.pass(3_600);
    for _ in 0..3 {
        let error = world.credentials.access_token(&owner).await.unwrap_err();
        assert!(
            matches!(error, CredentialsError::NeedsAuthorization(EndReason::Replayed | EndReason::InvalidGrant)),
            "{error}"
        );
    }
    assert_eq!(world.double.seen().token_requests, 2, "one attempt, once more for the nonce, and never again");
    assert_eq!(world.credentials.counters().ended, 1);
    let again = world.sign_in(DID).await;
    assert!(world.credentials.access_token(&again).await.is_ok(), "a new authorization makes it good");
}

#[tokio::test]
async fn a_server_in_trouble_spends_nothing_and_is_not_asked_all_the_time() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    world.clock.pass(3_600);
    let body = r#"{"error":"server_error"}"#.to_owned();
    world.double.plan([Fault::Refuse { status: 500, body: body.clone() }, Fault::Refuse { status: 503, body }]);
    let error = world.credentials.access_token(&owner).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Later { .. }), "{error}");
    assert!(error.is_outage());
    let asked = world.double.seen().token_requests;
    for _ in 0..10 {
        let error = world.credentials.access_token(&owner).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Later { .. }), "{error}");
    }
    assert_eq!(world.double.seen().token_requests, asked, "not before the pause is over");
    world.clock.pass(2);
    assert!(world.credentials.access_token(&owner).await.is_err());
    world.clock.pass(600);
    let token = world.credentials.access_token(&owner).await.unwrap();
    assert!(world.is_live(DID, token.expose_secret()));
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let world = World::in_memory();
    let error = world.credentials.access_token(&owner("did:plc:nobody")).await.unwrap_err();
    assert!(matches!(error, CredentialsError::NotFound), "{error}");
    assert!(!world.credentials.wipe(&owner("did:plc:nobody")).await.unwrap());
}

#[tokio::test]
async fn a_revoked_session_is_over_at_its_server_and_gone_here() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let revoked = world.credentials.revoke(&owner).await.unwrap();
    assert!(revoked.was_there && revoked.server_was_told);
    assert!(world.double.current(DID).is_none());
    assert!(matches!(world.credentials.access_token(&owner).await, Err(CredentialsError::NotFound)));
}

#[tokio::test]
async fn a_session_that_is_stored_already_is_not_stored_once_more() {
    let world = World::in_memory();
    let owner = world.sign_in(DID).await;
    let copy = || {
        let tokens = world.double.current(DID).unwrap();
        let mut session = world.session("did:plc:other", &crate::credentials::exchange::key());
        session.refresh_token = Some(keyward::Secret::new(tokens.refresh_token));
        session
    };
    world.clock.pass(3_600);
    world.double.plan([Fault::LoseRequest]);
    assert!(world.credentials.access_token(&owner).await.is_err());
    let error = world.credentials.put(&owner, copy(), Over::Anything).await.unwrap_err();
    assert!(matches!(error, CredentialsError::Session(SessionError::AlreadyStored)), "{error}");
    let head = world.credentials.get(&owner).await.unwrap().unwrap();
    assert!(matches!(head.state, CredentialState::Uncertain { .. }), "it stays uncertain");
}
