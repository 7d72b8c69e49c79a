//! Who encrypts secrets that a store keeps.

/// Who encrypts the secrets of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sealing {
    /// The service, before they reach the store: the store holds envelopes and opens none.
    Service,
    /// Not the service: the store is given plaintext and gives plaintext back. It encrypts by means of its own, such as
    /// PostgreSQL's `pgcrypto`, or it shares its tables with a program that reads them in clear.
    Store,
}
