//! Upstream OAuth credentials: what their stores promise, and what the service makes of it.

mod conformance;
