//! Upstream OAuth credentials: what is sent and understood, what their stores promise, and what the service makes of it,
//! against a server that is as strict as the atproto PDS.

#[cfg(feature = "testkit")]
mod conformance;
pub(crate) mod double;
pub(crate) mod exchange;
#[cfg(feature = "testkit")]
mod faulty;
#[cfg(all(feature = "reqwest", feature = "testkit"))]
mod http;
mod refresh;
mod resource;
#[cfg(feature = "testkit")]
pub(crate) mod service;
