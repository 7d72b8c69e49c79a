//! Processes are killed or stopped at any moment of a refresh, again and again.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use keyward::credential::CredentialState;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::Instant;

use crate::place::Engine;
use crate::world::{LEASE, Process, Told, World};

/// At most so many to one database, so that what is left is also gone on with.
const ONE_DATABASE: u32 = 20;

/// What became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    killed: u32,
    stopped: u32,
    /// Those after which nobody knew what had become of the refresh token, and of these, where it was good and where not.
    uncertain: u32,
    good: u32,
    ended: u32,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.killed += more.killed;
        self.stopped += more.stopped;
        self.uncertain += more.uncertain;
        self.good += more.good;
        self.ended += more.ended;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { killed, stopped, uncertain, good, ended } = self;
        write!(
            f,
            "{killed} killed and {stopped} stopped; {uncertain} refreshes uncertain, of which {good} were good and {ended} \
             spent; no token was spent twice but by decision"
        )
    }
}

pub(crate) fn kills(engine: Engine, times: u32, random: &mut StdRng) -> Tally {
    let mut tally = Tally::default();
    let mut left = times;
    while left > 0 {
        let now = left.min(ONE_DATABASE);
        left -= now;
        let world = World::new(engine);
        // So short that everybody who asks has to refresh.
        world.double.set_lifetime(30);
        world.sign_in();
        for _ in 0..now {
            if random.random_bool(0.6) {
                tally += kill(&world, random);
            } else {
                tally += stop(&world, random);
            }
        }
        world.remove();
    }
    tally
}

/// A process in the middle of what it does; a moment after its end at the latest.
fn in_the_middle(world: &World, random: &mut StdRng) -> Process {
    let mut process = world.process_with_patience(60_000);
    let began = Instant::now();
    assert!(world.is_live(&process.ask("ask", 1)[0]), "a first one");
    let length = began.elapsed();
    process.order("ask", 1);
    std::thread::sleep(length.mul_f64(random.random_range(0.0..1.2)));
    process
}

fn kill(world: &World, random: &mut StdRng) -> Tally {
    let mut tally = Tally { killed: 1, ..Tally::default() };
    let before = world.double.seen();
    in_the_middle(world, random).kill();
    world.settle();
    world.clock.pass(LEASE);
    let mut process = world.process();
    match &process.ask("ask", 1)[0] {
        told @ Told::Token(_) => assert!(world.is_live(told), "{told}"),
        Told::Uncertain => {
            tally.uncertain += 1;
            assert_eq!(world.double.seen().replays, before.replays, "nothing is sent by itself");
            match &process.ask("retry", 1)[0] {
                told @ Told::Token(_) => {
                    assert!(world.is_live(told), "{told}");
                    tally.good += 1;
                }
                Told::Ended => {
                    assert_eq!(world.double.seen().replays, before.replays + 1, "a good token was lost");
                    assert_eq!(process.ask("ask", 1), [Told::Ended], "and never silently");
                    tally.ended += 1;
                    world.sign_in();
                }
                told => panic!("{told}"),
            }
        }
        told => panic!("{told}"),
    }
    tally
}

fn stop(world: &World, random: &mut StdRng) -> Tally {
    let before = world.double.seen().replays;
    let mut other = world.process();
    let mut process = in_the_middle(world, random);
    process.signal("-STOP");
    std::thread::sleep(Duration::from_millis(20));
    world.clock.pass(LEASE);
    let meanwhile = other.ask("ask", 2);
    // One that stands still in the middle of a statement holds the row, or all of SQLite: that is an outage.
    let is_right = |told: &Told| match told {
        Told::Token(_) | Told::Uncertain | Told::Busy => true,
        Told::Error(error) => error.contains("Unavailable"),
        Told::Ended => false,
    };
    assert!(meanwhile.iter().all(is_right), "{meanwhile:?}");
    process.signal("-CONT");
    let own = process.told();
    assert!(matches!(own[..], [Told::Token(_) | Told::Busy]) || is_right(&own[0]), "{own:?}");
    let told = &other.ask("ask", 1)[0];
    assert!(world.is_live(told), "when it has gone on: {told}; itself {own:?}");
    assert_eq!(world.double.seen().replays, before);
    assert_eq!(world.head().state, CredentialState::Active);
    Tally { stopped: 1, ..Tally::default() }
}
