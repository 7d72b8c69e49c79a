//! The reads of the schema `mesh` in both dialects, each with the side tables and without them.

pub(super) mod plain;
pub(super) mod strict;
