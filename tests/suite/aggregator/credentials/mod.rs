//! The upstream OAuth credential of an aggregator, in the host's own columns and beside the host's own service.

mod conformance;
mod faults;
mod key_races;
mod keys;
pub(crate) mod place;
mod taking_over;
#[cfg(feature = "postgres")]
mod trouble;
#[cfg(feature = "postgres")]
mod upstream;
