//! By reqwest: refreshes, and calls.

mod calls;
mod transport;

pub use transport::{ReqwestTransport, client_builder};
