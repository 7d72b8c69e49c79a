//! How much is written, and that it never goes back.

use std::time::Duration;

use keyward::key::Issued;
use keyward::service::DEFAULT_INTERVAL;
use keyward::{Clock as _, Keys};
use tokio::task::{JoinSet, LocalSet};

use super::counting::Counting;
use super::{builder, issue, last_used, metrics, use_once};
use crate::support::concurrency::race;
use crate::support::{Fixture, TestSchema, over_every_schema};

over_every_schema![
    every_store:
    a_thousand_verifications_of_ten_keys_are_one_statement_and_ten_rows,
    an_older_flush_never_moves_last_use_back,
    a_full_map_drops_further_keys_and_counts_them,
];

/// Verifies each key a hundred times, all at once.
pub(super) async fn use_a_hundred_times<S: TestSchema>(keys: &Keys<S>, issued: &[Issued<S>]) {
    let presented: Vec<_> = issued.iter().map(|key| key.secret.expose_secret().to_owned()).collect();
    let verifiers = (0..10).map(|_| {
        let (keys, presented) = (keys.clone(), presented.clone());
        move || async move {
            let mut running = JoinSet::new();
            let tasks = LocalSet::new();
            for key in presented.iter().cycle().take(presented.len() * 10) {
                let (keys, key) = (keys.clone(), key.clone());
                running.spawn_local_on(async move { keys.verify(&key).await.map(|_| ()) }, &tasks);
            }
            tasks.run_until(async { running.join_all().await }).await
        }
    });
    for outcome in race(verifiers).await.into_iter().flatten() {
        outcome.unwrap();
    }
}

async fn a_thousand_verifications_of_ten_keys_are_one_statement_and_ten_rows<S: TestSchema>(fixture: Fixture<S>) {
    let store = Counting::over(fixture.store());
    let keys = builder(&fixture, store.clone()).build();
    let issued = issue(&fixture, 10).await;

    for interval in 1..=3 {
        use_a_hundred_times(&keys, &issued).await;
        assert_eq!(metrics(&keys), (10, 0, 0));
        // Several flushes at once are one all the same, and one more finds nothing to do.
        let flushes = (0..4).map(|_| {
            let keys = keys.clone();
            move || async move { keys.flush_last_used().await.unwrap() }
        });
        assert_eq!(race(flushes).await.into_iter().sum::<u64>(), 10);
        assert_eq!(keys.flush_last_used().await.unwrap(), 0);
        assert_eq!(store.written(), (interval, interval * 10));
        assert_eq!(metrics(&keys), (0, 0, 0));
        for key in &issued {
            assert_eq!(last_used(&fixture, key).await, Some(fixture.clock.now()));
        }
        fixture.clock.advance(DEFAULT_INTERVAL);
    }
}

async fn an_older_flush_never_moves_last_use_back<S: TestSchema>(fixture: Fixture<S>) {
    let [slow, fast] = [(); 2].map(|()| fixture.another_process());
    let (slow, fast) = (slow.await, fast.await);
    let issued = issue(&fixture, 3).await;
    let begin = fixture.clock.now();

    use_once(&slow, &issued[0]).await;
    use_once(&slow, &issued[1]).await;
    // Less than a millisecond later, which an engine might round away.
    fixture.clock.advance(Duration::from_micros(1));
    let later = fixture.clock.now();
    use_once(&fast, &issued[0]).await;
    assert_eq!(fast.flush_last_used().await.unwrap(), 1);
    assert_eq!(slow.flush_last_used().await.unwrap(), 1, "only the key that nobody used later is written");
    assert_eq!(last_used(&fixture, &issued[0]).await, Some(later));
    assert_eq!(last_used(&fixture, &issued[1]).await, Some(begin));
    assert_eq!(last_used(&fixture, &issued[2]).await, None);

    // The clock itself may go back between two uses, too.
    fixture.clock.set(later);
    use_once(&slow, &issued[2]).await;
    fixture.clock.set(begin);
    use_once(&slow, &issued[2]).await;
    slow.flush_last_used().await.unwrap();
    assert_eq!(last_used(&fixture, &issued[2]).await, Some(later));
}

async fn a_full_map_drops_further_keys_and_counts_them<S: TestSchema>(fixture: Fixture<S>) {
    let keys = builder(&fixture, fixture.store().clone()).last_used_capacity(3).build();
    let issued = issue(&fixture, 5).await;
    for key in issued.iter().chain(&issued) {
        use_once(&keys, key).await;
    }
    assert_eq!(metrics(&keys), (3, 4, 0), "two keys had no place, and each was used twice");
    assert_eq!(keys.flush_last_used().await.unwrap(), 3);
    for (place, key) in issued.iter().enumerate() {
        assert_eq!(last_used(&fixture, key).await.is_some(), place < 3);
    }
    use_once(&keys, &issued[4]).await;
    assert_eq!(metrics(&keys), (1, 4, 0), "there is place again");
}
