//! The authorization server, attacked: over TCP with requests as they are on the wire, and at its service.
//!
//! The number in front of a test is that of the requirement which it proves, from the project's list of 77 that the
//! standards have for a server of this kind: 1 to 8 metadata, 9 to 19 registration, 20 to 31 the authorization endpoint, 32 to
//! 40 codes, 41 to 50 the token endpoint, 51 to 62 tokens, 63 to 68 revocation, 69 to 72 introspection, 73 to 77 protected
//! resources. Tokens that are bound to a key (78 to 82) are not issued.

mod app;
mod authorization;
mod client;
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
