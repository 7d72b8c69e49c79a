//! Trouble at the command line: odd text in the tables, output that reaches nobody, and databases that keep it waiting.

#[cfg(all(feature = "sqlite", feature = "postgres"))]
pub(super) mod locked;
pub(super) mod lost;
mod notes;
pub(super) mod odd_text;
mod revocations;
#[cfg(feature = "postgres")]
mod silent;
