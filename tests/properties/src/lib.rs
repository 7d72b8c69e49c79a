//! What holds for every key, text, digest, instant and set of records, and not only for the examples that somebody
//! thought of.
//!
//! | module | proves |
//! |---|---|
//! | `formats` | generated keys parse, differ, and are found by their scanner; nothing else parses |
//! | `foreign` | a foreign format accepts exactly what it declares |
//! | `credentials` | answers of servers are sorted whatever they are, and never shown with a token |
//! | `digests` | digests survive hexadecimal, and nothing else is one |
//! | `scopes` | a key permits exactly the scopes that it holds |
//! | `grants` | what is accepted of codes and tokens is what a simple model says, whatever was done before |
//! | `limits` | a limit admits exactly what no stretch of time has too much of, whatever the clock does |
//! | `quotas` | a quota is never exceeded, and nothing of it is lost but with a process that is killed |
//! | `redirects` | only a loopback port may differ from a redirect URI; only its own verifier meets a challenge |
//! | `instants` | instants print and parse back, and saturate at the ends of the calendar |
//! | `decisions` | a key is accepted exactly when a live record has its digest |
//! | `randomness` | a generator that fails makes no key and leaves nothing behind |
//! | `sealing` | what is sealed opens, unless anything about it was changed; rings are read as they were written |
//! | `urls` | every path of a SQLite file can be written as a URL, and no URL panics |
//!
//! It is a package of its own, so that the tests of the library need not build proptest:
//! `cargo test -p keyward-properties`. Cases that failed once are repeated from `proptest-regressions`.

#![cfg(test)]

mod credentials;
mod decisions;
mod digests;
mod foreign;
mod formats;
mod grants;
mod instants;
mod limits;
mod quotas;
mod randomness;
mod redirects;
mod scopes;
mod sealing;
mod support;
mod urls;
