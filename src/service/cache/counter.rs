//! The numbers of the fence, in memory that threads share.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::service::cache::fence::Counter;

// `tests/models` checks the fence with these orders.
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
