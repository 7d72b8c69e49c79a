//! The command line as its users have it: the real binary, over a fresh database of every engine, in both forms of
//! output.
//!
//! A test is a script of commands for a [`Terminal`](terminal::Terminal). It runs once over each engine, and what was
//! printed has to be the same, see [`over_both_engines`](terminal::over_both_engines).

// Always so; it tells clippy that what only helps tests may panic and print as they do.
#![cfg(test)]

mod aggregator;
#[cfg(feature = "broker")]
mod broker;
#[cfg(feature = "reqwest")]
mod credentials;
mod lifecycle;
mod mesh;
mod outage;
mod presented;
mod program;
mod scraper;
mod standard;
mod tables;
mod terminal;
mod transcript;
mod trouble;
mod usage;
