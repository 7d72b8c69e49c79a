//! Where randomness comes from: [`RandomSource`] and the operating system's generator.

use std::fmt;

/// A source of bytes that nobody can predict. Production takes [`OsRandom`].
pub trait RandomSource: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when the source cannot supply them; `bytes` must then not be used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable>;
}

/// The random source could not supply bytes, so no key was made: a missing key is better than a weak one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the random source is unavailable")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct RandomUnavailable;

/// The operating system's cryptographically secure generator (`getrandom(2)` and its relatives).
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to grow")]
pub struct OsRandom;

impl RandomSource for OsRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system's generator")]
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        getrandom::fill(bytes).map_err(|_| RandomUnavailable)
    }
}

/// A repeatable generator for tests: SHA-256 over a seed and a counter. **Never use it for real keys.**
#[cfg(feature = "testkit")]
#[derive(Debug)]
pub struct SeededRandom {
    seed: u64,
    drawn: std::sync::atomic::AtomicU64,
}

#[cfg(feature = "testkit")]
impl SeededRandom {
    /// The generator whose whole output follows from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, drawn: std::sync::atomic::AtomicU64::new(0) }
    }
}

#[cfg(feature = "testkit")]
impl RandomSource for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        use sha2::{Digest, Sha256};
        use std::sync::atomic::Ordering;

        for chunk in bytes.chunks_mut(32) {
            let block = self.drawn.fetch_add(1, Ordering::Relaxed);
            let output =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(block.to_be_bytes()).finalize();
            chunk.copy_from_slice(&output[..chunk.len()]);
        }
        Ok(())
    }
}
