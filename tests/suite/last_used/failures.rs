//! Writes that fail or hang: counted, tried again, and in nobody's way.

use std::time::Duration;

use keyward::Clock as _;
use keyward::store::StoreError;

use super::counting::Counting;
use super::{builder, issue, last_used, metrics, use_once};
use crate::support::concurrency::{Abandon, abandon};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![
    every_store:
    a_failed_flush_is_counted_and_its_keys_are_written_later,
    what_comes_back_from_a_failed_flush_stays_within_bounds,
    a_hanging_flush_delays_no_verification,
];

async fn a_failed_flush_is_counted_and_its_keys_are_written_later<S: TestSchema>(fixture: Fixture<S>) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, store.clone()).build();
    let issued = issue(&fixture, 3).await;
    let begin = fixture.clock.now();
    store.fail(true);

    for key in &issued {
        use_once(&keys, key).await;
    }
    for failures in 1..=3 {
        assert!(matches!(keys.flush_last_used().await, Err(StoreError::Unavailable { .. })));
        assert_eq!(metrics(&keys), (3, 0, failures));
    }
    fixture.clock.advance(Duration::from_secs(1));
    use_once(&keys, &issued[0]).await;

    store.fail(false);
    assert_eq!(keys.flush_last_used().await.unwrap(), 3);
    assert_eq!(metrics(&keys), (0, 0, 3));
    assert_eq!(last_used(&fixture, &issued[0]).await, Some(fixture.clock.now()));
    for key in &issued[1..] {
        assert_eq!(last_used(&fixture, key).await, Some(begin), "the time of the use, not of the flush");
    }
}

async fn what_comes_back_from_a_failed_flush_stays_within_bounds<S: TestSchema>(fixture: Fixture<S>) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, store.clone()).last_used_capacity(3).build();
    let issued = issue(&fixture, 5).await;
    for key in &issued[..3] {
        use_once(&keys, key).await;
    }
    store.fail(true);
    store.block();
    let flush = keys.flush_last_used();
    let meanwhile = async {
        // While three keys are on their way, one of them is used again, and so are two others.
        for key in &issued[2..] {
            use_once(&keys, key).await;
        }
        store.unblock();
    };
    let (flushed, ()) = tokio::join!(flush, meanwhile);
    assert!(flushed.is_err());
    assert_eq!(metrics(&keys), (3, 2, 1), "the two that find their places taken are dropped and counted");

    store.fail(false);
    assert_eq!(keys.flush_last_used().await.unwrap(), 3);
    for (place, key) in issued.iter().enumerate() {
        assert_eq!(last_used(&fixture, key).await.is_some(), place >= 2);
    }
}

async fn a_hanging_flush_delays_no_verification<S: TestSchema>(fixture: Fixture<S>) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, store.clone()).build();
    let issued = issue(&fixture, 2).await;
    use_once(&keys, &issued[0]).await;
    store.block();
    let verified_meanwhile = async {
        for key in &issued {
            use_once(&keys, key).await;
        }
        assert!(abandon(keys.flush_last_used(), Abandon::After(1)).await.is_none());
        assert_eq!(store.written(), (2, 0), "the flush hangs in its one statement, and so does a flush of later uses");
        store.unblock();
    };
    let (flushed, ()) = tokio::join!(keys.flush_last_used(), verified_meanwhile);
    assert_eq!(flushed.unwrap(), 1);
    assert_eq!(keys.flush_last_used().await.unwrap(), 1, "the use during the flush waited for the next one");
}
