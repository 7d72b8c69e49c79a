//! Thousands of random interleavings of verifications, lookups whose answers come late, and changes: what was reported
//! of a change holds for every verification that begins afterwards.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyward::Keys;
use keyward::key::{Description, Issued};
use keyward::schemas::standard::{Standard, StandardUpdate};
use keyward::service::CachePolicy;
use keyward::store::faulty::Fault;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tracing::subscriber::{NoSubscriber, with_default};

use super::{MINUTE, World, draft};

const RUNS: u64 = 10_000;
const KEYS: usize = 2;
const TASKS: usize = 6;
const CALLS: usize = 5;

const FAULTS: &[Fault] = &[
    Fault::Delayed(Duration::ZERO),
    Fault::AnswerDelayed(Duration::ZERO),
    Fault::AnswerDelayed(Duration::ZERO),
    Fault::AnswerLost,
    Fault::Unavailable,
    Fault::Repeated,
];

/// What was reported of a key so far.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    /// It is revoked, or was replaced at once.
    dead: bool,
    /// Somebody has begun to end it, whatever became of that.
    may_be_dead: bool,
    /// The newest version that was reported.
    version: u64,
    /// Whether it was on in that version; unknown while changes are under way, or where one was not answered.
    on: Option<bool>,
    changing: u32,
}

struct Run {
    keys: Keys<Standard>,
    issued: Vec<Issued<Standard>>,
    reported: Mutex<Vec<Reported>>,
}

impl Run {
    fn reported(&self) -> MutexGuard<'_, Vec<Reported>> {
        self.reported.lock().unwrap()
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[test]
fn no_interleaving_brings_back_what_was_reported_gone() {
    for seed in 0..RUNS {
        with_default(NoSubscriber::new(), || interleave(seed));
    }
}

fn interleave(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    // Few places, so that entries are driven out as well.
    let policy = CachePolicy::new().unwatched_max_age(MINUTE).capacity(8).refusals(8, MINUTE);
    let world = World::new(policy);
    let issued = (0..KEYS).map(|_| now(world.keys.issue(draft())).unwrap()).collect();
    let reported = vec![Reported { version: 1, on: Some(true), ..Reported::default() }; KEYS];
    let run = Arc::new(Run { keys: world.keys.clone(), issued, reported: Mutex::new(reported) });
    world.store.fail_by_chance(seed, 2, FAULTS);
    let task = |lane: usize| Box::pin(calls(Arc::clone(&run), seed, seed * 100 + lane as u64)) as Task;
    let mut tasks: Vec<_> = (0..TASKS).map(task).collect();
    while !tasks.is_empty() {
        let next = random.random_range(0..tasks.len());
        let is_over = tasks[next].as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        // Now and then a call is given up wherever it stands.
        if is_over || random.random_range(0..40) == 0 {
            drop(tasks.swap_remove(next));
        }
        if random.random_range(0..200) == 0 {
            world.clock.advance(Duration::from_secs(20));
        }
    }
    world.store.heal();
    for key in 0..KEYS {
        now(verify(&run, key, seed));
    }
    assert!(Arc::strong_count(&world.store) > 0);
}

async fn calls(run: Arc<Run>, seed: u64, own: u64) {
    let mut random = StdRng::seed_from_u64(own);
    for _ in 0..CALLS {
        let key = random.random_range(0..KEYS);
        let id = &run.issued[key].record.head.id;
        match random.random_range(0..20) {
            0 => {
                let ending = Ending::begin(&run, key);
                ending.report(run.keys.revoke(id, None).await.is_ok());
            }
            1 => {
                let ending = Ending::begin(&run, key);
                ending.report(run.keys.rotate(id, Duration::ZERO, None).await.is_ok());
            }
            2 | 3 => change(&run, key, false).await,
            4 | 5 => change(&run, key, true).await,
            6 => {
                let update = StandardUpdate::new().description(Some(Description::new(own.to_string()).unwrap()));
                let version = run.reported()[key].version;
                if let Ok(changed) = run.keys.update(id, version, update).await {
                    let mut reported = run.reported();
                    reported[key].version = reported[key].version.max(changed.key.head.version);
                }
            }
            _ => verify(&run, key, seed).await,
        }
    }
}

/// Ends a key; that it may be dead is known before.
struct Ending<'r> {
    run: &'r Run,
    key: usize,
}

impl<'r> Ending<'r> {
    fn begin(run: &'r Run, key: usize) -> Self {
        run.reported()[key].may_be_dead = true;
        Self { run, key }
    }

    fn report(self, is_dead: bool) {
        self.run.reported()[self.key].dead |= is_dead;
    }
}

/// Switches a key on or off.
async fn change(run: &Run, key: usize, on: bool) {
    let id = &run.issued[key].record.head.id;
    {
        let reported = &mut run.reported()[key];
        (reported.on, reported.changing) = (None, reported.changing + 1);
    }
    let outcome = if on { run.keys.enable(id, None).await } else { run.keys.disable(id, None).await };
    let reported = &mut run.reported()[key];
    // One that was given up, or that says anything else, may have been made: it is open from then on.
    if let Ok(changed) = outcome {
        reported.changing -= 1;
        if changed.key.head.version >= reported.version && reported.changing == 0 {
            reported.on = Some(on);
        }
        reported.version = reported.version.max(changed.key.head.version);
    }
}

async fn verify(run: &Run, key: usize, seed: u64) {
    let before = run.reported()[key];
    let verdict = run.keys.verify(run.issued[key].secret.expose_secret()).await;
    let after = run.reported()[key];
    match verdict {
        Ok(accepted) => {
            assert!(!before.dead, "seed {seed}: a dead key is accepted: {:?}", accepted.evidence());
            let version = accepted.head().version;
            assert!(version >= before.version, "seed {seed}: {version} is older than what was reported: {before:?}");
            let stayed_off = (before.on, after.on) == (Some(false), Some(false)) && before.version == after.version;
            assert!(!stayed_off, "seed {seed}: a key that is off is accepted");
        }
        Err(refusal) if refusal.is_outage() => {}
        Err(refusal) => {
            let is_on = (before.on, after.on) == (Some(true), Some(true)) && before.version == after.version;
            assert!(after.may_be_dead || !is_on, "seed {seed}: a live key is refused: {refusal:?}");
        }
    }
}

/// What is there at the first looks.
fn now<F: Future>(call: F) -> F::Output {
    let mut call = Box::pin(call);
    for _ in 0..64 {
        if let Poll::Ready(output) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
    panic!("it never ends");
}
