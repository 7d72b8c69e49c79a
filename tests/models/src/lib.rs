//! What holds in every order in which threads can meet, and not only in those that a test happens to see.
//!
//! | module | proves |
//! |---|---|
//! | `fence`, `counter` | the library's own files, compiled over atomics of the model checker |
//! | `cache` | no fill of the verification cache, however late, outlives a change that was reported |
//!
//! It is a package of its own, so that the tests of the library need not build loom: `cargo test -p keyward-models`.

#![cfg(test)]

use loom::sync::atomic;

mod cache;
#[path = "../../../src/service/cache/counter.rs"]
mod counter;
#[path = "../../../src/service/cache/fence.rs"]
mod fence;
