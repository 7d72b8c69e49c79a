//! One of two processes is killed at any moment, again and again.

use std::fmt;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::family::{Done, Family};
use crate::inspection::{inspect, live};
use crate::place::Engine;
use crate::process::Process;
use crate::world::World;

/// Clients, each with a grant.
const FAMILIES: u64 = 12;
/// Longer than any of these runs.
const LIFETIME: u64 = 86_400;
/// Much longer than a round takes on a busy machine, and shorter than for ever.
const BOUND: Duration = Duration::from_mins(2);

/// What became of them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    killed: u64,
    done: Done,
}

impl AddAssign for Done {
    fn add_assign(&mut self, more: Self) {
        self.redeemed += more.redeemed;
        self.exchanged += more.exchanged;
        self.replayed += more.replayed;
        self.lost += more.lost;
        self.repeated += more.repeated;
        self.unavailable += more.unavailable;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Done { redeemed, exchanged, replayed, lost, repeated, unavailable } = self.done;
        write!(
            f,
            "{} killed; {redeemed} codes redeemed and {exchanged} refresh tokens exchanged; {lost} requests without an answer, after which \
             {repeated} exchanges were answered again; {replayed} replays ended a grant; {unavailable} answers 503",
            self.killed
        )
    }
}

pub(crate) fn kills(engine: Engine, times: u64, seed: u64) -> Tally {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut random = StdRng::seed_from_u64(seed);
        let world = Arc::new(World::new(engine, LIFETIME).await);
        let start = || Arc::new(Process::start(&world.place.address, LIFETIME, 20));
        let processes = Arc::new(RwLock::new([start(), start()]));
        let mut families = Vec::new();
        for _ in 0..FAMILIES {
            let client = world.client().await;
            families.push(Family::new(&world, &client).await);
        }
        let mut tally = Tally::default();
        for _ in 0..times {
            let stop = Arc::new(AtomicBool::new(false));
            let mut running = JoinSet::new();
            for mut family in families.drain(..) {
                let (world, processes, stop) = (Arc::clone(&world), Arc::clone(&processes), Arc::clone(&stop));
                let mut random = StdRng::seed_from_u64(random.next_u64());
                running.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        family.step(&world, &processes, &mut random).await;
                        sleep(Duration::from_micros(random.random_range(0..3_000))).await;
                    }
                    family
                });
            }
            sleep(Duration::from_millis(random.random_range(5..150))).await;
            let victim = usize::from(random.random_bool(0.5));
            let killed = processes.read().expect("no panic")[victim].clone();
            killed.kill();
            tally.killed += 1;
            if random.random_bool(0.5) {
                // The other one goes on alone for a while.
                sleep(Duration::from_millis(random.random_range(0..50))).await;
            }
            processes.write().expect("no panic")[victim] = start();
            sleep(Duration::from_millis(random.random_range(0..100))).await;
            stop.store(true, Ordering::Relaxed);
            families = timeout(BOUND, running.join_all()).await.expect("every request has an end");
            look(&world, &families).await;
        }
        for family in families {
            tally.done += family.done;
        }
        drop(processes);
        match Arc::into_inner(world) {
            Some(World { place, tokens }) => {
                drop(tokens);
                place.remove().await;
            }
            None => panic!("nobody works any more"),
        }
        tally
    })
}

async fn look(world: &World, families: &[Family]) {
    inspect(world).await;
    let mut expected = 0;
    for family in families {
        expected += i64::from(family.is_live(world).await);
    }
    assert_eq!(live(world).await, expected, "a grant is there that nobody has, or one is gone that somebody has");
}
