//! What each schema needs in a test: the host's tables that stand beside its own, an owner, a typical key, and details
//! that a store must return as they were. A new schema is a file and a line here.

pub(crate) mod aggregator;
mod mesh;
pub(crate) mod scraper;
mod standard;

use keyward::key::{Draft, Schema};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use keyward::sql::SqlSchema;

/// A schema that can be tested wherever the features let it be kept.
pub(crate) trait TestSchema: Kept {
    /// The schema as a service sets it up.
    fn schema() -> Self;

    /// What the host has before keyward comes.
    fn parents(_postgres: bool) -> &'static str {
        ""
    }

    /// What adds the owner `owner`; empty where owners are plain names.
    fn owner(_owner: &str, _postgres: bool) -> String {
        String::new()
    }

    /// A typical key of `owner`.
    fn draft(owner: &str) -> Draft<Self>;

    /// Details that a store must return as they were.
    fn samples() -> Vec<Self::Details>;
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) trait Kept: SqlSchema {}
#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl<S: SqlSchema> Kept for S {}

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
pub(crate) trait Kept: Schema {}
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
impl<S: Schema> Kept for S {}
