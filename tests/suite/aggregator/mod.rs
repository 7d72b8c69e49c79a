//! The schema `aggregator` over every store: one key in the row of each aggregator, a row that belongs to the host.

mod host;
mod host_transactions;
mod instants;
mod last_used;
mod lifecycle;
mod odd_rows;
mod outages;
mod races;
mod rows;
