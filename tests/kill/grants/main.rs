//! Processes of an authorization server are killed while clients redeem codes and exchange refresh tokens:
//! `keyward-kill-grants COMMAND [ENGINE]`.
//!
//! - `kills [TIMES] [SEED]`: two processes serve a few clients, and one of them is killed at any moment, again and again. No
//!   token that was handed out is lost, none is good twice, no grant has two live refresh tokens, and an exchange whose answer
//!   was lost is answered the same again.
//! - `load [CLIENTS] [SECONDS]`: 1,000 clients refresh and introspect for a minute, unless said otherwise, while what nobody
//!   can use is swept, and the process is killed twice. No grant is lost, and none is there twice.
//!
//! ENGINE is `sqlite` or `postgres`, both unless said. PostgreSQL is the server that `KEYWARD_TEST_POSTGRES_URL` names.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a program, and its output is how it is watched"
)]

mod child;
mod family;
mod inspection;
mod kills;
mod load;
#[expect(dead_code, reason = "it is shared with the program that kills processes that change keys")]
#[path = "../src/place.rs"]
mod place;
mod process;
mod world;

use std::hash::{BuildHasher as _, RandomState};
use std::process::ExitCode;
use std::time::Duration;

use place::Engine;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--child", order)) = arguments.split_first().map(|(first, order)| (first.as_str(), order)) {
        return child::child(order);
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
            ("kills", [] | [_] | [_, _]) => {
                let times = numbers.first().copied().unwrap_or(100);
                let seed = numbers.get(1).copied().unwrap_or_else(random_seed);
                println!("seed {seed}");
                println!("{engine:?}: {}", kills::kills(engine, times, seed));
            }
            ("load", [] | [_] | [_, _]) => {
                let clients = numbers.first().copied().unwrap_or(1_000);
                let length = Duration::from_secs(numbers.get(1).copied().unwrap_or(60));
                println!("{engine:?}: {}", load::load(engine, clients, length));
            }
            _ => return usage(),
        }
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("keyward-kill-grants kills [TIMES] [SEED] | load [CLIENTS] [SECONDS]   [sqlite | postgres]");
    ExitCode::from(2)
}

/// A new one at every run, which is printed.
fn random_seed() -> u64 {
    RandomState::new().hash_one(())
}
