//! Calls to other servers on behalf of an owner: each carries an access token.

mod call_error;
mod layer;
#[cfg(feature = "reqwest")]
mod reqwest;
mod sign;

pub use call_error::CallError;
pub use layer::{CloneBody, OnBehalfOf, RepeatBody, SignCalls, SignedCalls};
#[cfg(feature = "reqwest")]
pub use reqwest::{ReqwestTransport, client_builder};
