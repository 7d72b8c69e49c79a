//! How far long work has come, for people who wait for it.

use std::io::{self, IsTerminal as _, Write as _};

/// A count on standard error that is written over again. Where that is no terminal, nothing is shown.
pub(crate) struct Progress {
    what: &'static str,
    is_shown: bool,
}

impl Progress {
    /// `what` was done to so many keys, such as `imported`.
    pub(crate) fn of(what: &'static str) -> Self {
        Self { what, is_shown: io::stderr().is_terminal() }
    }

    pub(crate) fn show(&self, count: u64) {
        if self.is_shown {
            // Whoever closed standard error does not want to know.
            let _ = write!(io::stderr(), "\r{} {count}", self.what);
        }
    }

    /// Takes the count away, so that a line may follow.
    pub(crate) fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
