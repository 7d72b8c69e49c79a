//! Somebody else holds a row or a table, for as long as he likes.

use keyward::Keys;
use keyward::key::Issued;
use tokio::time::Instant;

use super::{
    LONG, UNAVAILABLE, all_connections, count, impatient, is_unavailable, quiet, refusal, run, session, small_pool,
    table,
};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![
    on_postgres:
    a_locked_row_holds_up_no_verification_and_no_other_key,
    a_locked_table_makes_the_store_unavailable_and_leaves_nothing_behind,
];

const WAITING: &str = "
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

async fn pair<S: TestSchema>(fixture: &Fixture<S>) -> [Issued<S>; 2] {
    fixture.add_owner("did:example:acme").await;
    fixture.add_owner("did:example:other").await;
    [fixture.issue("did:example:acme").await, fixture.issue("did:example:other").await]
}

async fn a_locked_row_holds_up_no_verification_and_no_other_key<S: TestSchema>(fixture: Fixture<S>) {
    let [locked, free] = pair(&fixture).await;
    let pool = small_pool(&fixture, 2).await;
    let keys = impatient(&fixture, &pool).await;
    let mut shell = session(&fixture).await;
    let (table, _) = table::<S>();
    let column = if S::NAME == "aggregator" { "did" } else { "id::text" };
    let id = locked.record.head.id.as_str();
    run(&mut shell, format!("BEGIN; SELECT FROM {table} WHERE {column} = '{id}' FOR UPDATE")).await;

    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!([refusal(&keys, &locked).await, refusal(&keys, &free).await], [None, None]);
    }
    let revoked = keys.revoke(&locked.record.head.id, None).await;
    assert!(is_unavailable(&revoked), "{revoked:?}");
    let all = keys.revoke_all(&locked.record.head.owner, None).await;
    assert!(matches!(all, Err(keyward::store::StoreError::Unavailable { .. })), "{all:?}");
    keys.revoke(&free.record.head.id, None).await.unwrap();
    assert!(began.elapsed() < LONG);
    assert_eq!([refusal(&keys, &locked).await, refusal(&keys, &free).await], [None, Some("revoked")]);

    run(&mut shell, "ROLLBACK").await;
    all_connections(&pool, 2).await;
    quiet(&mut shell).await;
    keys.revoke(&locked.record.head.id, None).await.unwrap();
    assert_eq!(refusal(&keys, &locked).await, Some("revoked"));
}

/// Reads wait for nothing but such a lock, and the server does not notice when they are given up.
async fn a_locked_table_makes_the_store_unavailable_and_leaves_nothing_behind<S: TestSchema>(fixture: Fixture<S>) {
    let [issued, _] = pair(&fixture).await;
    let pool = small_pool(&fixture, 2).await;
    let keys = impatient(&fixture, &pool).await;
    assert_eq!(refusal(&keys, &issued).await, None);
    let mut shell = session(&fixture).await;
    run(&mut shell, format!("BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", table::<S>().0)).await;

    let began = Instant::now();
    let verify = |keys: Keys<S>, secret: String| async move { keys.verify(&secret).await.unwrap_err().reason().code() };
    for _ in 0..6 {
        let secret = || issued.secret.expose_secret().to_owned();
        let both = tokio::join!(verify(keys.clone(), secret()), verify(keys.clone(), secret()));
        assert_eq!(Some(both.0), UNAVAILABLE);
        assert_eq!(Some(both.1), UNAVAILABLE);
    }
    let revoked = keys.revoke(&issued.record.head.id, None).await;
    assert!(is_unavailable(&revoked), "{revoked:?}");
    assert!(began.elapsed() < LONG);
    // The first ones, which were not made with caution, and those that are about to end.
    let waiting = count(&mut shell, WAITING).await;
    assert!(waiting <= 4, "{waiting} statements wait on the server though nobody waits for them");

    run(&mut shell, "ROLLBACK").await;
    all_connections(&pool, 2).await;
    quiet(&mut shell).await;
    assert_eq!(refusal(&keys, &issued).await, None);
}
