//! The task that writes last use at an interval. The time of these tests is tokio's own, which stands still but for
//! whoever waits for it.

#![cfg(feature = "tokio")]

use std::time::Duration;

use keyward::schemas::standard::Standard;
use keyward::service::DEFAULT_INTERVAL;
use keyward::{Clock as _, Keys};
use tokio::sync::oneshot;

use super::counting::Counting;
use super::{builder, issue, last_used, metrics, use_once};
use crate::support::Fixture;

const INTERVAL: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(1);
/// An interval but for a moment.
const ALMOST: Duration = Duration::from_millis(19_999);

/// Runs `host` beside the recording task, which is shut down when `host` has ended.
async fn beside_the_recorder(keys: &Keys<Standard>, host: impl AsyncFnOnce()) {
    let (running, shutdown) = oneshot::channel::<()>();
    let recorder = keys.record_last_used(async {
        let _ = shutdown.await;
    });
    let host = async {
        host().await;
        drop(running);
    };
    tokio::join!(recorder, host);
}

async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

#[test]
fn last_use_is_at_most_a_minute_old_by_default() {
    assert!(DEFAULT_INTERVAL <= Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn the_recorder_writes_once_an_interval_and_once_more_at_shutdown() {
    let fixture = Fixture::memory().await;
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, store.clone()).last_used_interval(INTERVAL).build();
    let issued = issue(&fixture, 2).await;

    beside_the_recorder(&keys, async || {
        for interval in 1..=3 {
            use_once(&keys, &issued[0]).await;
            wait(ALMOST).await;
            assert_eq!(store.written(), (interval - 1, interval - 1), "not before the interval is over");
            fixture.clock.advance(INTERVAL);
            use_once(&keys, &issued[0]).await;
            wait(MOMENT * 2).await;
            assert_eq!(store.written(), (interval, interval), "both uses are one write");
            wait(ALMOST).await;
            assert_eq!(store.written(), (interval, interval), "nothing to write is no statement");
            fixture.clock.advance(INTERVAL);
        }
        use_once(&keys, &issued[1]).await;
        assert_eq!(metrics(&keys).0, 1);
    })
    .await;
    assert_eq!(store.written(), (4, 4), "what was pending is written at shutdown");
    assert_eq!(metrics(&keys), (0, 0, 0));
    assert_eq!(last_used(&fixture, &issued[1]).await, Some(fixture.clock.now()));
}

#[tokio::test(start_paused = true)]
async fn the_recorder_survives_failures_and_keeps_what_it_could_not_write() {
    let fixture = Fixture::memory().await;
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, store.clone()).last_used_interval(INTERVAL).build();
    let issued = issue(&fixture, 1).await;

    beside_the_recorder(&keys, async || {
        use_once(&keys, &issued[0]).await;
        store.fail(true);
        wait(INTERVAL * 3 + MOMENT).await;
        assert_eq!(metrics(&keys), (1, 0, 2), "after a failure it waits for two intervals");
        store.fail(false);
        wait(INTERVAL * 4).await;
        assert_eq!(metrics(&keys), (0, 0, 2));
        fixture.clock.advance(INTERVAL);
        use_once(&keys, &issued[0]).await;
        store.fail(true);
    })
    .await;
    assert_eq!(metrics(&keys), (1, 0, 3), "the use is kept, should somebody flush once more");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stands_still_does_not_keep_the_host_from_shutting_down() {
    let fixture = Fixture::memory().await;
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, store.clone()).last_used_interval(INTERVAL).build();
    let issued = issue(&fixture, 1).await;
    use_once(&keys, &issued[0]).await;
    store.block();

    let ended = tokio::time::timeout(Duration::from_mins(1), beside_the_recorder(&keys, async || {})).await;
    ended.expect("the recorder gives up");
    assert_eq!(metrics(&keys), (1, 0, 1), "the use is kept, should somebody flush once more");
}
