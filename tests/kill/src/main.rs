//! Kills a process while it changes keys, and looks at what is left: `keyward-kill [KILLS] [SEED] [ENGINE]`.
//!
//! KILLS is how often for each engine, 500 unless said; the schemas take turns. ENGINE is `sqlite` or `postgres`, both
//! unless said. A seed repeats what a process did and after how many of its changes it was killed, though not the very
//! instant. PostgreSQL is the server that `KEYWARD_TEST_POSTGRES_URL` names.
//!
//! The process migrates, issues, rotates, disables and revokes keys and writes their last use, one after the other, and
//! says so each time the library has said that it is done. It is killed with `SIGKILL`. Then the database is opened
//! anew: whatever was said to be done is done, and of the one change that was under way, all or nothing.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a program, and its output is how it is watched"
)]

mod changes;
mod inspection;
mod journal;
mod life;
mod model;
mod place;
mod subject;

use std::hash::{BuildHasher as _, RandomState};
use std::process::ExitCode;

use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use life::Life;
use model::Tally;
use place::Engine;

/// At most as many kills in a row happen to one database, so that what is left is also gone on with.
const KILLS_OF_A_DATABASE: u32 = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--child", order)) = arguments.split_first().map(|(first, order)| (first.as_str(), order)) {
        return changes::child(order);
    }
    let kills = arguments.first().map_or(Ok(500), |kills| kills.parse());
    let seed = arguments.get(1).map_or_else(|| Ok(random_seed()), |seed| seed.parse());
    let engines = match arguments.get(2).map(String::as_str) {
        None => vec![Engine::Sqlite, Engine::Postgres],
        Some("sqlite") => vec![Engine::Sqlite],
        Some("postgres") => vec![Engine::Postgres],
        Some(_) => Vec::new(),
    };
    let (Ok(kills), Ok(seed), false) = (kills, seed, engines.is_empty()) else {
        eprintln!("keyward-kill [KILLS] [SEED] [ENGINE]");
        return ExitCode::from(2);
    };
    println!("seed {seed}");
    for engine in engines {
        let tally = kill(engine, kills, &mut StdRng::seed_from_u64(seed));
        println!("{engine:?}: {kills} kills, {tally}");
    }
    ExitCode::SUCCESS
}

fn kill(engine: Engine, kills: u32, random: &mut StdRng) -> Tally {
    let mut tally = Tally::default();
    let mut left = kills;
    // Few kills go to all three schemas too.
    let at_once = kills.div_ceil(3).clamp(1, KILLS_OF_A_DATABASE);
    for turn in 0.. {
        let now = left.min(at_once);
        if now == 0 {
            break;
        }
        left -= now;
        tally += match turn % 3 {
            0 => Life::<Standard>::new(engine).kill(now, random),
            1 => Life::<Scraper>::new(engine).kill(now, random),
            _ => Life::<Mesh>::new(engine).kill(now, random),
        };
    }
    tally
}

/// A new one at every run, which is printed.
fn random_seed() -> u64 {
    RandomState::new().hash_one(())
}
