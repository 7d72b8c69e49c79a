//! What is sent and what is understood, against a server that is as strict as the atproto PDS.

pub(crate) mod double;
mod exchange;
mod refresh;
mod resource;
