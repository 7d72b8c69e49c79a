//! A flush that is given up loses nothing.

use std::time::Duration;

use keyward::service::DEFAULT_INTERVAL;
use keyward::{Clock as _, Keys};

use super::counting::Counting;
use super::{builder, issue, last_used, metrics, use_once};
use crate::support::concurrency::{Abandon, abandon};
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![
    every_store:
    a_flush_that_is_given_up_loses_nothing,
    a_flush_that_is_given_up_anywhere_is_written_by_the_next,
];

/// Longer than a statement that was given up can hold its rows.
const LIMIT: Duration = Duration::from_secs(30);

/// Flushes until nothing is left: what was given up may hold its rows for a moment.
async fn flush_all<S: TestSchema>(keys: &Keys<S>) {
    while metrics(keys).0 > 0 {
        keys.flush_last_used().await.unwrap();
    }
}

async fn a_flush_that_is_given_up_loses_nothing<S: TestSchema>(fixture: Fixture<S>) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, store.clone()).build();
    let issued = issue(&fixture, 2).await;
    for key in &issued {
        use_once(&keys, key).await;
    }
    store.block();
    assert!(abandon(keys.flush_last_used(), Abandon::After(1)).await.is_none());
    assert_eq!(store.written(), (1, 0), "it was given up on its way to the store");
    assert_eq!(metrics(&keys), (2, 0, 1), "to the operator it is a write that failed");

    store.unblock();
    assert_eq!(keys.flush_last_used().await.unwrap(), 2);
    for key in &issued {
        assert!(last_used(&fixture, key).await.is_some());
    }
}

/// A flush is given up at every point where it waits for the real store, until it is no longer given up at all.
async fn a_flush_that_is_given_up_anywhere_is_written_by_the_next<S: TestSchema>(fixture: Fixture<S>) {
    let keys = builder(&fixture, fixture.store().clone()).build();
    let issued = issue(&fixture, 3).await;
    let (mut never_abandoned, mut polls) = (false, 0);
    while !never_abandoned {
        polls += 1;
        assert!(polls < 1_000, "the flush never ends");
        for when in Abandon::at(polls) {
            fixture.clock.advance(DEFAULT_INTERVAL);
            for key in &issued {
                use_once(&keys, key).await;
            }
            never_abandoned = abandon(keys.flush_last_used(), when).await.is_some();
            let (pending, dropped, _) = metrics(&keys);
            assert_eq!((pending, dropped), (if never_abandoned { 0 } else { 3 }, 0), "given up {when:?}");
            tokio::time::timeout(LIMIT, flush_all(&keys)).await.expect("the rows become free");
            assert_eq!(metrics(&keys).1, 0);
            for key in &issued {
                assert_eq!(last_used(&fixture, key).await, Some(fixture.clock.now()), "given up {when:?}");
            }
        }
    }
}
