//! Two processes that look keys up on replicas, of which one stands still now and then: nothing is accepted in either later
//! than the bound after it was reported gone in the other.

use keyward::service::CachePolicy;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::cache::across::interleaved;

const BOUND: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cache_the_bound_is_the_longest_lag() {
    over::<Standard>(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_cache_the_bound_is_the_longer_of_its_own_and_the_longest_lag() {
    over::<Scraper>(Some(CachePolicy::new().bound(BOUND))).await;
}

async fn over<S: TestSchema>(cache: Option<CachePolicy>) {
    let cluster = Cluster::get().await;
    let fixture = Fixture::<S>::on_primary(&cluster).await;
    fixture.watch_for_changes().await;
    let policy = policy().max_lag(BOUND).misses_per_second(10_000);
    let mut processes: Vec<Keys<S>> = Vec::new();
    for _ in 0..2 {
        let store = SqlKeyStore::open(engine(&cluster, &fixture, policy).await, S::schema()).await.unwrap();
        let builder = Keys::builder(store);
        processes.push(if let Some(cache) = cache { builder.cache(cache).build() } else { builder.build() });
    }
    tokio::select! {
        answered = interleaved(&processes, BOUND) => assert!(answered > 200, "{answered} without the primary"),
        () = standing_still_now_and_then(&cluster) => unreachable!("it does so for ever"),
    }
}

async fn standing_still_now_and_then(cluster: &Cluster) {
    let mut random = StdRng::seed_from_u64(7);
    loop {
        let replica = &cluster.replicas[random.random_range(0..cluster.replicas.len())];
        sleep(Duration::from_millis(random.random_range(0..800))).await;
        replica.pause().await;
        sleep(Duration::from_millis(random.random_range(0..800))).await;
        replica.resume().await;
    }
}
