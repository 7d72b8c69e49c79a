//! A server that stands still, or never answers.

use std::net::TcpListener;

use keyward::store::StoreError;
use keyward::{Postgres, SqlKeyStore};
use sqlx::postgres::PgPoolOptions;
use tokio::time::Instant;

use super::{LONG, SHORT, UNAVAILABLE, all_connections, impatient, is_unavailable, refusal};
use crate::support::postgres::Pooler;
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![
    on_postgres:
    a_server_that_stands_still_makes_the_store_unavailable_in_time,
    a_server_that_never_answers_makes_the_store_unavailable_in_time,
];

/// What stands still is a pooler, with all connections open: nothing tells it from a server that does.
async fn a_server_that_stands_still_makes_the_store_unavailable_in_time<S: TestSchema>(fixture: Fixture<S>) {
    fixture.add_owner("did:example:acme").await;
    let issued = fixture.issue("did:example:acme").await;
    let pooler = Pooler::start(fixture.database().as_postgres(), 2);
    let pool = pooler.pool(2).await;
    let keys = impatient(&fixture, &pool).await;
    assert_eq!(refusal(&keys, &issued).await, None);

    pooler.signal("-STOP");
    let began = Instant::now();
    for _ in 0..3 {
        let three = tokio::join!(refusal(&keys, &issued), refusal(&keys, &issued), refusal(&keys, &issued));
        assert_eq!(three, (UNAVAILABLE, UNAVAILABLE, UNAVAILABLE));
    }
    let revoked = keys.revoke(&issued.record.head.id, None).await;
    assert!(is_unavailable(&revoked), "{revoked:?}");
    assert!(began.elapsed() < LONG, "the pool's own timeout is 30 seconds");

    pooler.signal("-CONT");
    let again = Instant::now();
    while refusal(&keys, &issued).await.is_some() {
        assert!(again.elapsed() < LONG);
    }
    all_connections(&pool, 2).await;
}

async fn a_server_that_never_answers_makes_the_store_unavailable_in_time<S: TestSchema>(_fixture: Fixture<S>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://ada:secret@127.0.0.1:{}/keys", listener.local_addr().unwrap().port());
    let pool = PgPoolOptions::new().max_connections(2).connect_lazy(&url).unwrap();
    let began = Instant::now();
    let opened = SqlKeyStore::open(Postgres::new(pool).read_timeout(SHORT), S::schema()).await;
    assert!(matches!(opened, Err(StoreError::Unavailable { .. })), "{opened:?}");
    assert!(began.elapsed() < LONG, "the pool's own timeout is 30 seconds");
}
