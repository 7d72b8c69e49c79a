//! What a copy of a store says, which may be behind.

use std::sync::Arc;
use std::time::Duration;

use crate::key::{KeyRecord, Schema};

/// What a replica of a store knows of a key that was presented. From
/// [`KeyStore::find_on_replica`](crate::store::KeyStore::find_on_replica).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoundOnReplica<S: Schema> {
    /// Every row that could be the presented key, as from [`KeyStore::find`](crate::store::KeyStore::find).
    pub candidates: Vec<Arc<KeyRecord<S>>>,
    /// The replica had everything that was committed longer than this before the call.
    pub age: Duration,
}

impl<S: Schema> FoundOnReplica<S> {
    /// These rows, from a replica that had everything that was committed longer than `age` before the call.
    #[must_use]
    pub const fn new(candidates: Vec<Arc<KeyRecord<S>>>, age: Duration) -> Self {
        Self { candidates, age }
    }
}
