//! The schema `aggregator` over every store: one key in the row of each aggregator, a row that belongs to the host.

#[cfg(feature = "credentials")]
pub(crate) mod credentials;
mod host;
mod host_transactions;
mod instants;
mod last_used;
mod lifecycle;
mod odd_rows;
mod outages;
mod races;
mod rows;
