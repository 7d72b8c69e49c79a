//! What happened to credentials in this process.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($( $(#[$doc:meta])* $name:ident ),+ $(,)?) => {
        /// What happened to credentials since the process began. All of them only grow.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct CredentialCounters {
            $( $(#[$doc])* pub $name: u64, )+
        }

        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $( pub(super) $name: Counter, )+
        }

        impl Counters {
            pub(super) fn read(&self) -> CredentialCounters {
                CredentialCounters { $( $name: self.$name.0.load(Ordering::Relaxed), )+ }
            }
        }
    };
}

counters! {
    /// Refreshes that gave a new pair, which was stored.
    refreshed,
    /// Refreshes after which the session was over.
    ended,
    /// Refreshes of which nobody knows what became.
    uncertain,
    /// Refreshes that failed, and spent nothing.
    failed,
    /// Times that another caller's lease had passed without an end, and was taken over.
    leases_taken_over,
    /// Leases that were lost to another process before anything was sent.
    leases_lost,
    /// Times that a new pair could not be stored at once.
    failed_saves,
    /// Times that a nonce could not be stored, which is no failure of the call that learnt it.
    failed_nonce_updates,
    /// Sessions that were reported as ending soon, once in each report.
    ending_soon,
}

/// One of them.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
