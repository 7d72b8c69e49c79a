//! Refreshes and calls by real clients.

mod layer;
mod send;
mod server;
mod transport;
