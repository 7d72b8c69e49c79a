//! The numbers of the fence, in memory that threads share, and in which order they see them.
//!
//! `tests/models` compiles it over the atomics of a model checker, as the fence.

use super::atomic::{AtomicU64, Ordering};
use super::fence::Counter;

impl Counter for AtomicU64 {
    fn zero() -> Self {
        Self::new(0)
    }

    fn get(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn count(&self) -> u64 {
        self.fetch_add(1, Ordering::AcqRel) + 1
    }

    fn raise(&self, to: u64) {
        self.fetch_max(to, Ordering::AcqRel);
    }
}
