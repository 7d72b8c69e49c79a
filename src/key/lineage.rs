//! What keys have in common that were rotated one into the other.

use crate::key::{KeyId, KeyRecord, Schema};

/// The keys that were rotated one into the other: what counts for one of them counts for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Lineage<'k> {
    /// The [name](Schema::NAME) of the schema: identities of different schemas have nothing to do with each other.
    pub schema: &'static str,
    /// The identity that stands for all of them.
    pub id: &'k KeyId,
}

impl<'k> Lineage<'k> {
    /// Of this key.
    #[must_use]
    pub fn of<S: Schema>(key: &'k KeyRecord<S>) -> Self {
        Self { schema: S::NAME, id: S::lineage(key) }
    }
}
