//! Processes that refresh one credential are killed, and stopped past their lease and continued:
//! `keyward-kill-credentials COMMAND [ENGINE]`.
//!
//! - `crowd`: 16 tasks in each of 2 processes want a token of one session that has expired.
//! - `points`: a process is killed, or stopped and continued, at each point of a refresh.
//! - `kills [TIMES] [SEED]`: at any moment of one, again and again.
//! - `reseal [ROWS]`: so many credentials are sealed under a new key while they are read and refreshed, by a process that
//!   is killed in the middle.
//!
//! ENGINE is `sqlite` or `postgres`, both unless said. PostgreSQL is the server that `KEYWARD_TEST_POSTGRES_URL` names. The
//! authorization server is as strict as the atproto PDS: a refresh token that it sees twice ends the session.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a program, and its output is how it is watched"
)]

mod chance;
mod child;
mod crowd;
#[expect(dead_code, reason = "it is the suite's, and this program does less with it")]
#[path = "../../suite/credentials/double/mod.rs"]
mod double;
mod held;
#[expect(dead_code, reason = "it is shared with the program that kills processes that change keys")]
#[path = "../src/place.rs"]
mod place;
mod points;
mod reseal;
mod world;

use std::hash::{BuildHasher as _, RandomState};
use std::process::ExitCode;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use place::Engine;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first().map(|(first, order)| (first.as_str(), order)) {
        Some(("--child", order)) => return child::child(order),
        Some(("--reseal", order)) => return reseal::child(order),
        _ => {}
    }
    let engines = match arguments.last().map(String::as_str) {
        Some("sqlite") => vec![Engine::Sqlite],
        Some("postgres") => vec![Engine::Postgres],
        _ => vec![Engine::Sqlite, Engine::Postgres],
    };
    if engines.len() == 1 {
        arguments.pop();
    }
    let mut words = arguments.iter().map(String::as_str);
    let command = words.next().unwrap_or_default();
    let Ok(numbers) = words.map(str::parse::<u64>).collect::<Result<Vec<_>, _>>() else { return usage() };
    for engine in engines {
        match (command, &numbers[..]) {
            ("crowd", []) => crowd::one_refresh(engine),
            ("points", []) => held::everywhere(engine),
            ("kills", [] | [_] | [_, _]) => {
                let times = numbers.first().map_or(Ok(100), |times| u32::try_from(*times));
                let (Ok(times), seed) = (times, numbers.get(1).copied().unwrap_or_else(random_seed)) else {
                    return usage();
                };
                println!("seed {seed}");
                println!("{engine:?}: {}", chance::kills(engine, times, &mut StdRng::seed_from_u64(seed)));
            }
            ("reseal", [] | [_]) => reseal::while_it_runs(engine, numbers.first().copied().unwrap_or(100_000)),
            _ => return usage(),
        }
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("keyward-kill-credentials crowd | points | kills [TIMES] [SEED] | reseal [ROWS]   [sqlite | postgres]");
    ExitCode::from(2)
}

/// A new one at every run, which is printed.
fn random_seed() -> u64 {
    RandomState::new().hash_one(())
}
