//! Where randomness comes from: any cryptographically secure generator of the crate [`rand`].

use std::fmt;
use std::sync::{Mutex, PoisonError};

#[expect(clippy::disallowed_types, reason = "the one place that asks the operating system's generator")]
use rand::rngs::SysRng;
use rand::{TryCryptoRng, TryRng};

/// The generator could not supply bytes, so no key was made: a missing key is better than a weak one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the random generator is unavailable")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct RandomUnavailable;

/// A generator that several tasks draw from.
pub(crate) struct SharedGenerator(Mutex<Box<dyn TryCryptoRng<Error = RandomUnavailable> + Send>>);

impl SharedGenerator {
    pub(crate) fn new(generator: impl TryCryptoRng + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(Uniform(generator))))
    }

    /// The operating system's generator (`getrandom(2)` and its relatives).
    pub(crate) fn system() -> Self {
        Self::new(SysRng)
    }

    /// Runs `work` with the generator. A panic while the lock was held does not weaken it.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut (dyn TryCryptoRng<Error = RandomUnavailable> + Send)) -> T,
    ) -> T {
        work(&mut **self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for SharedGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedGenerator")
    }
}

/// A generator whose own error type is hidden, so that all generators are of one type.
struct Uniform<R>(R);

impl<R: TryCryptoRng> TryRng for Uniform<R> {
    type Error = RandomUnavailable;

    fn try_next_u32(&mut self) -> Result<u32, RandomUnavailable> {
        self.0.try_next_u32().map_err(|_| RandomUnavailable)
    }

    fn try_next_u64(&mut self) -> Result<u64, RandomUnavailable> {
        self.0.try_next_u64().map_err(|_| RandomUnavailable)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        self.0.try_fill_bytes(bytes).map_err(|_| RandomUnavailable)
    }
}

impl<R: TryCryptoRng> TryCryptoRng for Uniform<R> {}
