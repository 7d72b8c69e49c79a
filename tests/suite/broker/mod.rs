//! The authorization server, attacked: over TCP with requests as they are on the wire, and at its service.

mod app;
mod authorization;
mod client;
mod client_metadata;
mod codes;
mod consent;
mod hostile;
mod introspection;
mod mcp;
mod metadata;
mod registration;
mod resource;
mod revocation;
mod service;
mod token_endpoint;
mod tokens;
