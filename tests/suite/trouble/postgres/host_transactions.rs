//! Trouble inside the host's own transaction.

use keyward::store::{RevokeRequest, StoreError};
use keyward::{Postgres, SqlKeyStore};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use super::{SHORT, count, refusal, run, session, small_pool, table};
use crate::support::concurrency::{Abandon, abandon};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![
    on_postgres:
    a_lock_is_waited_for_within_the_limit_and_the_hosts_own_setting_comes_back,
    a_call_that_is_dropped_never_takes_the_host_out_of_its_transaction,
    a_transaction_that_has_failed_stays_failed,
    a_transaction_that_changes_the_table_goes_on,
];

async fn store<S: TestSchema>(fixture: &Fixture<S>) -> SqlKeyStore<S> {
    let pool = small_pool(fixture, 2).await;
    SqlKeyStore::open(Postgres::new(pool).lock_timeout(SHORT), S::schema()).await.unwrap()
}

async fn lock_timeout(connection: &mut PgConnection) -> String {
    connection.fetch_one("SHOW lock_timeout").await.unwrap().get(0)
}

async fn a_lock_is_waited_for_within_the_limit_and_the_hosts_own_setting_comes_back<S: TestSchema>(
    fixture: Fixture<S>,
) {
    fixture.add_owner("did:example:acme").await;
    let issued = fixture.issue("did:example:acme").await;
    let id = &issued.record.head.id;
    let (store, mut shell, mut host) = (store(&fixture).await, session(&fixture).await, session(&fixture).await);
    for (hosts, shown) in [("0", "0"), ("1h", "1h"), ("50ms", "50ms")] {
        run(&mut shell, format!("BEGIN; LOCK TABLE {}", table::<S>().0)).await;
        let mut transaction = host.begin().await.unwrap();
        run(&mut transaction, format!("SET LOCAL lock_timeout = '{hosts}'")).await;
        let revocation = RevokeRequest::new(id.clone(), fixture.keys.now());
        let refused = store.within(&mut transaction).revoke(&revocation).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        assert_eq!(lock_timeout(&mut transaction).await, shown);
        run(&mut shell, "ROLLBACK").await;
        store.within(&mut transaction).revoke(&revocation).await.unwrap();
        assert_eq!(lock_timeout(&mut transaction).await, shown);
        transaction.rollback().await.unwrap();
    }
    assert_eq!(refusal(&fixture.keys, &issued).await, None);
}

/// Everything of the host's or nothing: it must not go on outside of its transaction, where each statement is committed
/// by itself and its rollback undoes nothing.
async fn a_call_that_is_dropped_never_takes_the_host_out_of_its_transaction<S: TestSchema>(fixture: Fixture<S>) {
    let (store, mut shell) = (store(&fixture).await, session(&fixture).await);
    run(&mut shell, "CREATE TABLE customers (id integer)").await;
    let (mut polls, mut is_done) = (0, false);
    while !is_done {
        polls += 1;
        for when in Abandon::at(polls) {
            let owner = format!("did:example:owner-{polls}-{}", matches!(when, Abandon::After(_)));
            fixture.add_owner(&owner).await;
            let prepared = fixture.keys.prepare(S::draft(&owner)).unwrap();
            let id = prepared.record().head.id.clone();
            let mut host = session(&fixture).await;
            run(&mut shell, "TRUNCATE customers").await;
            let mut transaction = host.begin().await.unwrap();
            run(&mut transaction, "INSERT INTO customers VALUES (1)").await;
            let outcome = abandon(store.within(&mut transaction).issue(prepared), when).await;
            is_done = outcome.is_some();
            let second = transaction.execute("INSERT INTO customers VALUES (2)").await;
            let committed = transaction.commit().await;
            let rows = count(&mut shell, "SELECT count(*) FROM customers").await;
            let is_issued = fixture.keys.get(&id).await.unwrap().is_some_and(|key| key.head.digest.is_some());
            if second.is_ok() && committed.is_ok() {
                assert_eq!(rows, 2, "the host's work is gone, given up {when:?}");
            } else {
                assert_eq!(rows, 0, "part of the host's work is there, given up {when:?}");
            }
            assert_eq!(is_issued, outcome.is_some_and(|done| done.is_ok()), "given up {when:?}");
        }
    }
}

async fn a_transaction_that_has_failed_stays_failed<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner("did:example:acme").await;
    let (store, mut host, mut shell) = (store(&fixture).await, session(&fixture).await, session(&fixture).await);
    run(&mut shell, "CREATE TABLE customers (id integer)").await;
    let mut transaction = host.begin().await.unwrap();
    assert!(transaction.execute("SELEKT").await.is_err());
    let refused =
        store.within(&mut transaction).issue(fixture.keys.prepare(S::draft("did:example:acme")).unwrap()).await;
    assert!(matches!(refused, Err(StoreError::Unsupported(_))), "{refused:?}");
    assert!(transaction.execute("INSERT INTO customers VALUES (1)").await.is_err(), "it is out of its transaction");
    transaction.rollback().await.unwrap();
    assert_eq!(count(&mut shell, "SELECT count(*) FROM customers").await, 0);
}

/// Also to a type that the connection has not met, which makes sqlx forget the statement that it has just prepared.
async fn a_transaction_that_changes_the_table_goes_on<S: TestSchema>(fixture: Fixture<S>) {
    fixture.database().run("CREATE EXTENSION citext").await;
    let (store, mut host) = (store(&fixture).await, session(&fixture).await);
    let (table, column) = table::<S>();
    for kind in ["varchar(300)", "citext"] {
        let owner = format!("did:example:before-{}", &kind[..4]);
        fixture.add_owner(&owner).await;
        let issued = fixture.issue(&owner).await;
        let mut transaction = host.begin().await.unwrap();
        let revocation = RevokeRequest::new(issued.record.head.id.clone(), fixture.keys.now());
        assert!(store.within(&mut transaction).revoke(&revocation).await.unwrap().is_some());
        run(&mut transaction, format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")).await;
        assert!(store.within(&mut transaction).revoke(&revocation).await.unwrap().is_some());
        transaction.commit().await.unwrap();
        assert_eq!(refusal(&fixture.keys, &issued).await, Some("revoked"));
    }
}
