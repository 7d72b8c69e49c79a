//! What follows from a read that was given up.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many reads in a row have to go well until they are made in the usual way again.
const READS: u32 = 64;

/// How many reads in a row may be given up early.
const EARLY: u32 = 3;

/// Whether reads are made with caution, which is in a transaction with a lock timeout.
///
/// A server does not notice that nobody waits any more for a statement which waits for a lock, such as that of an
/// `ALTER TABLE` behind a forgotten transaction. Each read that is given up thus leaves a busy server process behind, and
/// its closed connection makes room for the next. With caution, the server ends the statement itself. It costs three
/// round trips, and is therefore kept up only as long as there is a reason.
#[derive(Debug, Default)]
pub(super) struct Caution {
    /// How many reads still have to go well.
    reads: AtomicU32,
    /// How many reads in a row were given up early.
    early: AtomicU32,
}

impl Caution {
    pub(super) fn is_raised(&self) -> bool {
        self.reads.load(Ordering::Relaxed) > 0
    }

    pub(super) fn raise(&self) {
        self.reads.store(READS, Ordering::Relaxed);
    }

    /// A read was given up when it had hardly begun, as when its caller hangs up. That says little, unless none goes well
    /// in between.
    pub(super) fn raise_if_repeated(&self) {
        if self.early.fetch_add(1, Ordering::Relaxed) >= EARLY {
            self.raise();
        }
    }

    /// A read went well.
    pub(super) fn went_well(&self) {
        self.early.store(0, Ordering::Relaxed);
    }

    /// A read with caution went well.
    pub(super) fn lower(&self) {
        // Zero stays zero.
        let _ = self.reads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reads| reads.checked_sub(1));
    }
}
