//! Two threads that verify at the same time, beside two that only hash.

use std::error::Error;
use std::hint::black_box;

use keyward::Secret;
use sha2::{Digest as _, Sha256};
use tokio::runtime::{self, Runtime};

use crate::batch::threads;
use crate::keys::in_turn;
use crate::suite::Suite;

/// What the verifications in a process are set against.
pub const HASH: &str = "SHA-256 of the same key";

/// A runtime that stays on the thread which asks it.
///
/// # Errors
/// The system has no room for one.
pub fn on_this_thread() -> Result<Runtime, Box<dyn Error>> {
    Ok(runtime::Builder::new_current_thread().build()?)
}

/// Each thread presents the keys in another order.
///
/// # Errors
/// As of [`on_this_thread`].
pub fn verify_on_two_threads(
    suite: &mut Suite,
    load: &str,
    secrets: &[Secret],
    is_accepted: impl AsyncFn(&str) -> bool + Sync,
) -> Result<(), Box<dyn Error>> {
    let runtimes = [on_this_thread()?, on_this_thread()?];
    let presented = |thread: usize| in_turn(secrets).skip(thread * secrets.len() / 2);
    suite.compare(
        format!("verify, {load}, 2 threads"),
        threads(2, |thread, steps| {
            runtimes[thread].block_on(async {
                for (_, key) in (0..steps).zip(presented(thread)) {
                    black_box(is_accepted(key).await);
                }
            });
        }),
        HASH,
        threads(2, |thread, steps| {
            for (_, key) in (0..steps).zip(presented(thread).skip(secrets.len() / 4)) {
                black_box(Sha256::digest(key.as_bytes()));
            }
        }),
    );
    Ok(())
}
