//! Two processes, each with a cache of its own, on one database: random verifications, revocations, rotations and changes
//! in both, and nothing is accepted in either later than the bound after it was reported gone in the other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::Keys;
use keyward::key::{Issued, RefusalReason};
use keyward::service::CachePolicy;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::OWNER;
use super::watched::Watching;
use crate::support::{Fixture, TestSchema, over_schemas};

over_schemas![
    every_engine of [standard::Standard, scraper::Scraper]:
    nothing_is_accepted_beyond_the_bound_in_either_of_two_processes,
];

const BOUND: Duration = Duration::from_millis(300);
const LANES: u64 = 3;
const CALLS: usize = 1_700;

/// A key, and since when it is reported gone, or off.
struct Known<S: TestSchema> {
    issued: Issued<S>,
    dead: Option<Instant>,
    off: Option<Instant>,
}

type Book<S> = Arc<Mutex<Vec<Arc<Mutex<Known<S>>>>>>;

async fn nothing_is_accepted_beyond_the_bound_in_either_of_two_processes<S: TestSchema>(fixture: Fixture<S>) {
    fixture.watch_for_changes().await;
    let mut processes = Vec::new();
    for _ in 0..2 {
        let store = Arc::clone(fixture.another_process().await.store());
        processes.push(Keys::builder_over(store).cache(CachePolicy::new().bound(BOUND)).build());
    }
    let hits = interleaved(&processes, BOUND).await;
    assert!(hits > 200, "the caches answered {hits} times alone");
}

/// Random calls in both processes. How many verifications were answered without asking the store itself.
pub(crate) async fn interleaved<S: TestSchema>(processes: &[Keys<S>], bound: Duration) -> usize {
    let watching: Vec<_> = processes.iter().map(Watching::begin).collect();
    let book: Book<S> = Arc::default();
    let mut lanes = JoinSet::new();
    for lane in 0..LANES * 2 {
        let (keys, book) = (processes[usize::try_from(lane % 2).unwrap()].clone(), Arc::clone(&book));
        lanes.spawn(calls(keys, book, bound, lane));
    }
    let hits = lanes.join_all().await.into_iter().sum();
    for watch in watching {
        watch.stop().await;
    }
    hits
}

async fn calls<S: TestSchema>(keys: Keys<S>, book: Book<S>, bound: Duration, seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let mut hits = 0;
    for _ in 0..CALLS {
        let known = {
            let known = book.lock().unwrap();
            // Those that were issued lately are worth looking at.
            let lately = known.len().saturating_sub(6);
            (known.len() > 3).then(|| Arc::clone(&known[random.random_range(lately..known.len())]))
        };
        let choice = random.random_range(0..400);
        match known {
            Some(known) if choice > 12 => hits += usize::from(verify(&keys, &known, bound).await),
            Some(known) => end(&keys, &known, choice).await,
            None => {
                let issued = keys.issue(S::draft(OWNER)).await.unwrap();
                book.lock().unwrap().push(Arc::new(Mutex::new(Known { issued, dead: None, off: None })));
            }
        }
        if choice < 3 {
            let issued = keys.issue(S::draft(OWNER)).await.unwrap();
            book.lock().unwrap().push(Arc::new(Mutex::new(Known { issued, dead: None, off: None })));
        }
        sleep(Duration::from_millis(random.random_range(0..3))).await;
    }
    hits
}

async fn end<S: TestSchema>(keys: &Keys<S>, known: &Mutex<Known<S>>, choice: u32) {
    let id = known.lock().unwrap().issued.record.head.id.clone();
    if choice < 8 {
        let is_ended = match choice {
            0..5 => keys.revoke(&id, None).await.is_ok(),
            _ => keys.rotate(&id, Duration::ZERO, None).await.is_ok(),
        };
        if is_ended {
            known.lock().unwrap().dead.get_or_insert_with(Instant::now);
        }
    } else if keys.store().abilities().changes && keys.disable(&id, None).await.is_ok() {
        known.lock().unwrap().off.get_or_insert_with(Instant::now);
    }
}

async fn verify<S: TestSchema>(keys: &Keys<S>, known: &Mutex<Known<S>>, bound: Duration) -> bool {
    let (presented, ended) = {
        let known = known.lock().unwrap();
        (known.issued.secret.expose_secret().to_owned(), known.dead.or(known.off))
    };
    let begun = Instant::now();
    match keys.verify(&presented).await {
        Ok(accepted) => {
            let late = ended.map(|ended| begun.saturating_duration_since(ended)).unwrap_or_default();
            assert!(late <= bound, "accepted {late:?} after its end was reported: {:?}", accepted.evidence());
            !accepted.evidence().is_fresh()
        }
        Err(refusal) => {
            assert_ne!(refusal.reason(), RefusalReason::Unknown, "it was issued");
            false
        }
    }
}
