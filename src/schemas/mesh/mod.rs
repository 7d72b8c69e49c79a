//! The schema `mesh`: keys of a mesh's members, with capabilities, topics, an optional expiry, and a lookup by display
//! prefix.
//!
//! The table is `mesh.api_key` (on SQLite `api_key`), unmodified, beside its parents `mesh.mesh` and `mesh.member`.

mod permissions;
mod record;
mod schema;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

pub use permissions::{Access, AccessDenied};
pub use record::{Capabilities, Capability, Label, MemberId, MeshDetails, MeshKey, MeshKeyError, TopicName, Topics};
pub use schema::Mesh;
