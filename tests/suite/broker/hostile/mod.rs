//! Requests that mean harm: never a 5xx, never a wait without end, never a secret in the log.
//!
//! Every [`App`](super::app::App) listens to all that is logged on its thread, at every level, and looks for each code, token,
//! secret, verifier, cookie and password that it has seen when it is dropped.

mod fuzz;
mod requests;
mod slow;
