//! System A over every store: one key in the row of each aggregator, a row that belongs to the host.

mod faults;
mod host;
mod host_transactions;
mod last_used;
mod lifecycle;
mod odd_rows;
mod races;
mod rows;
