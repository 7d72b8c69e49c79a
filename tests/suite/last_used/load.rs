//! Last use at ten thousand verifications a second, with the recorder running beside them.

#![cfg(any(feature = "sqlite", feature = "postgres"))]

use std::time::Duration;

use keyward::Keys;
use keyward::service::CachePolicy;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use super::counting::Counting;
use super::database::{count_writes, counted};
use super::{issue, metrics, use_once};
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![
    every_engine of [standard::Standard, scraper::Scraper]:
    a_thousand_busy_keys_are_one_statement_an_interval,
];

const KEYS: usize = 1_000;
const INTERVAL: Duration = Duration::from_secs(1);
/// How often each key is verified, and after how long the next time.
const TIMES: u64 = 30;
const EACH: Duration = Duration::from_millis(100);

/// On a machine that cannot keep up, it takes longer, and there are more intervals.
async fn a_thousand_busy_keys_are_one_statement_an_interval<S: TestSchema>(fixture: Fixture<S>) {
    let issued = issue(&fixture, KEYS).await;
    count_writes(&fixture).await;
    let store = Counting::over(fixture.store());
    // What comes from the cache is verified so fast, and by the time of the day, as the recorder goes by it too.
    let policy = CachePolicy::new().unwatched_max_age(CachePolicy::DEFAULT_MAX_AGE);
    let keys = Keys::builder_over(store.clone()).cache(policy).last_used_interval(INTERVAL).build();

    let began = Instant::now();
    let (running, shutdown) = oneshot::channel::<()>();
    let mut recorder = JoinSet::new();
    let recording = keys.clone();
    recorder.spawn(async move { recording.record_last_used(async { drop(shutdown.await) }).await });
    let mut ticks = interval(EACH);
    for _ in 0..TIMES {
        ticks.tick().await;
        for key in &issued {
            use_once(&keys, key).await;
        }
    }
    drop(running);
    recorder.join_all().await;

    let (statements, rows) = store.written();
    let intervals = began.elapsed().as_millis() / INTERVAL.as_millis();
    assert!((2..=intervals + 1).contains(&statements.into()), "{statements} statements in {intervals} intervals");
    assert!((KEYS as u64..=statements * KEYS as u64).contains(&rows), "{rows} rows in {statements} statements");
    let seen = if fixture.database().is_postgres() { statements } else { 0 };
    assert_eq!(counted(&fixture).await, (seen, rows), "as the database sees it");
    assert_eq!(metrics(&keys), (0, 0, 0), "nothing was lost");
}
