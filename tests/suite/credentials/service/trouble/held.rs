//! Somebody else holds a row, a file or the whole server.

use keyward::service::CredentialsError;
use tokio::time::Instant;

use super::{LONG, Meanwhile, another, expired, is_live, is_outage, open, service, spent};
use crate::support::Database;

#[cfg(feature = "postgres")]
mod on_postgres {
    use std::sync::Arc;
    use std::time::Duration;

    use keyward::Postgres;
    use keyward::store::StoreError;
    use keyward::store::credentials::{CredentialStore, Over};
    use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

    use super::*;
    use crate::credentials::exchange::key;
    use crate::credentials::service::trouble::{DID, SHORT};
    use crate::support::postgres::Pooler;

    async fn shell(database: &Database) -> PgConnection {
        PgConnection::connect(&database.as_postgres().url()).await.unwrap()
    }

    async fn run(shell: &mut PgConnection, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(shell).await.unwrap();
    }

    /// A transaction that was forgotten in some shell.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_locked_row_holds_up_its_own_refresh_for_a_while_and_no_other() {
        let database = Database::postgres().await;
        let (world, [locked, free]) = expired(&database).await;
        let mut forgotten = shell(&database).await;
        let lock = format!("BEGIN; SELECT FROM keyward.credentials WHERE owner = '{DID}' FOR UPDATE");
        run(&mut forgotten, &lock).await;

        let began = Instant::now();
        let error = world.credentials.access_token(&locked).await.unwrap_err();
        assert!(is_outage(&error), "{error:?}");
        assert!(began.elapsed() < LONG);
        assert_eq!(spent(&world), (0, 0), "nothing is sent that could not be written down");
        assert!(is_live(&world, &world.credentials, &free).await);
        assert!(another(&world).get(&locked).await.unwrap().is_some(), "it can be read all the time");

        run(&mut forgotten, "ROLLBACK").await;
        assert!(is_live(&world, &world.credentials, &locked).await);
        assert_eq!(spent(&world), (2, 0));
    }

    /// The row is locked by somebody just when the server has answered.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pair_whose_row_is_locked_is_kept_and_stored_when_it_is_free() {
        let database = Database::postgres().await;
        let (world, [owner, _]) = expired(&database).await;
        let url = database.as_postgres().url();
        let lock = Meanwhile::new(move || {
            let url = url.clone();
            async move {
                let mut forgotten = PgConnection::connect(&url).await.unwrap();
                let lock = format!("BEGIN; SELECT FROM keyward.credentials WHERE owner = '{DID}' FOR UPDATE");
                run(&mut forgotten, &lock).await;
                tokio::runtime::Handle::current().spawn(async move {
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    run(&mut forgotten, "ROLLBACK").await;
                });
            }
        });
        let credentials = service(&world.store, &world.clock, lock);
        let error = credentials.access_token(&owner).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Unsaved), "{error:?}");
        assert!(error.is_outage());
        // Its own process knows better than that nobody knows, also when the lease is over.
        world.clock.pass(100);
        let error = credentials.access_token(&owner).await;
        assert!(matches!(error, Err(CredentialsError::Unsaved) | Ok(_)), "{error:?}");
        assert_eq!(credentials.settle(LONG).await, 0);
        assert!(is_live(&world, &another(&world), &owner).await, "it is in the store");
        assert_eq!(spent(&world), (1, 0));
    }

    /// Somebody ends a session just when its owner signs in anew over what was there.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_session_over_one_that_is_being_wiped_is_a_conflict_and_brings_nothing_back() {
        let database = Database::postgres().await;
        let (world, [owner, _]) = expired(&database).await;
        let generation = world.credentials.get(&owner).await.unwrap().unwrap().generation;
        let mut wiping = shell(&database).await;
        run(&mut wiping, &format!("BEGIN; DELETE FROM keyward.credentials WHERE owner = '{DID}'")).await;

        let session = world.session(DID, &key());
        let put = world.credentials.put(&owner, session, Over::Generation(generation));
        let commit = async {
            tokio::time::sleep(SHORT / 4).await;
            run(&mut wiping, "COMMIT").await;
        };
        let (put, ()) = tokio::join!(put, commit);
        let error = put.unwrap_err();
        assert!(matches!(error, CredentialsError::Store(StoreError::Conflict)), "{error:?}");
        assert!(world.store.get(&owner).await.unwrap().is_none(), "what was wiped stays away");
    }

    async fn through(pooler: &Pooler) -> Arc<dyn CredentialStore> {
        open(Postgres::new(pooler.pool(2).await).lock_timeout(SHORT).read_timeout(SHORT).into()).await.unwrap()
    }

    /// What stands still is a pooler, with all connections open: nothing tells it from a server that does.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_stands_still_is_an_outage_before_the_request_and_a_delay_after_it() {
        let database = Database::postgres().await;
        let (world, [owner, other]) = expired(&database).await;
        let pooler = Arc::new(Pooler::start(database.as_postgres(), 3));
        let store = through(&pooler).await;
        let stops = Arc::clone(&pooler);
        let credentials = service(
            &store,
            &world.clock,
            Meanwhile::new(move || {
                stops.signal("-STOP");
                async {}
            }),
        );
        assert!(credentials.get(&owner).await.unwrap().is_some());
        pooler.signal("-STOP");
        let began = Instant::now();
        let error = credentials.access_token(&owner).await.unwrap_err();
        assert!(is_outage(&error), "{error:?}");
        assert!(began.elapsed() < LONG);
        assert_eq!(spent(&world), (0, 0));
        pooler.signal("-CONT");

        // It stops just when the server has answered.
        let error = credentials.access_token(&other).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Unsaved), "{error:?}");
        assert_eq!(spent(&world), (1, 0));
        tokio::time::sleep(Duration::from_secs(1)).await;
        pooler.signal("-CONT");
        assert_eq!(credentials.settle(LONG).await, 0);
        assert!(is_live(&world, &another(&world), &other).await, "it was stored in the end");
        assert_eq!(spent(&world), (1, 0));
        let restored = service(&through(&pooler).await, &world.clock, super::super::Tcp);
        assert!(is_live(&world, &restored, &owner).await);
    }

    /// A session of the server's is another client's with the next transaction.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn two_processes_behind_a_transaction_pooler_make_one_refresh() {
        let database = Database::postgres().await;
        let (world, [owner, other]) = expired(&database).await;
        let mut pooler = Pooler::start(database.as_postgres(), 3);
        let mut processes = Vec::new();
        for seed in 0..2 {
            let engine = Postgres::new(pooler.pool(3).await).read_timeout(LONG).lock_timeout(LONG);
            processes.push(world.another_process(&open(engine.into()).await.unwrap(), seed));
        }
        for (round, owner) in [owner, other].into_iter().enumerate() {
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..32 {
                let (credentials, owner) = (processes[number % 2].clone(), owner.clone());
                tasks.spawn(async move {
                    let token = credentials.access_token(&owner).await;
                    // Where a connection was closed under the pool's hands there is no answer, once.
                    let token = match token {
                        Err(error) if is_outage(&error) => credentials.access_token(&owner).await,
                        token => token,
                    };
                    token.map(|token| token.expose_secret().to_owned())
                });
            }
            while let Some(token) = tasks.join_next().await {
                assert!(world.is_live(owner.as_str(), &token.unwrap().unwrap()));
            }
            assert_eq!(spent(&world), (round as u64 + 1, 0));
            pooler.restart();
        }
    }
}

#[cfg(feature = "sqlite")]
mod on_sqlite {
    use std::time::Duration;

    use super::*;

    /// Another process writes for a long time.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_busy_file_holds_up_no_read_and_a_refresh_for_a_while() {
        let database = Database::sqlite();
        let (world, [owner, other]) = expired(&database).await;
        assert!(is_live(&world, &world.credentials, &other).await);
        let writer = database.as_sqlite().connection();
        writer.execute_batch("BEGIN IMMEDIATE").unwrap();
        let began = Instant::now();
        let error = world.credentials.access_token(&owner).await.unwrap_err();
        assert!(is_outage(&error), "{error:?}");
        assert!(is_live(&world, &another(&world), &other).await, "what is stored is read");
        assert!(began.elapsed() < LONG);
        assert_eq!(spent(&world), (1, 0), "nothing is sent that could not be written down");
        writer.execute_batch("ROLLBACK").unwrap();
        assert!(is_live(&world, &world.credentials, &owner).await);
        assert_eq!(spent(&world), (2, 0));
    }

    /// It begins to write just when the server has answered.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pair_for_a_busy_file_is_kept_and_stored_when_it_is_free() {
        let database = Database::sqlite();
        let (world, [owner, _]) = expired(&database).await;
        let path = database.as_sqlite().path().to_owned();
        let write = Meanwhile::new(move || {
            let writer = rusqlite::Connection::open(&path).unwrap();
            writer.execute_batch("BEGIN IMMEDIATE").unwrap();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_secs(3));
                writer.execute_batch("ROLLBACK").unwrap();
            });
            async {}
        });
        let store = open(super::super::impatient(&database).await).await.unwrap();
        let credentials = service(&store, &world.clock, write);
        let error = credentials.access_token(&owner).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Unsaved), "{error:?}");
        assert_eq!(credentials.settle(LONG).await, 0);
        assert!(credentials.counters().failed_saves > 0);
        assert!(is_live(&world, &another(&world), &owner).await, "it is in the store");
        assert_eq!(spent(&world), (1, 0));
    }
}
