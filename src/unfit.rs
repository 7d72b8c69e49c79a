//! Why tables will not do: what a store says that does not open on them, and a migration that does not touch them.

use crate::visible::Visible;

/// Why a store does not open on the tables that it finds, and no migration changes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// A table of the name that the store's own have, or a table that hides the host's own, was made by somebody else,
    /// whose triggers and rows it may hold.
    #[error("{} belongs to {}, who is not trusted: drop it, or say that this role is trusted", Visible(.object), Visible(.owner))]
    Untrusted {
        /// The table, or the schema of the store's own tables.
        object: String,
        /// The role.
        owner: String,
    },
    /// The database role lacks a right without which no key can be verified, listed or shown.
    #[error("the database role has no right to {right} on {}", Visible(.object))]
    Denied {
        /// The table, the table and its columns, or the schema.
        object: String,
        /// The right, as it is granted: `SELECT` or `USAGE`.
        right: &'static str,
    },
    /// The database is to encrypt secrets with its own means, and cannot. Nothing is stored in clear instead, nor lost.
    #[error("the database cannot encrypt secrets: {lacking}")]
    CannotEncrypt {
        /// What it lacks.
        lacking: &'static str,
    },
    /// A newer version of keyward has changed the tables.
    #[error("the tables of {schema} are at version {found}, and this version of keyward knows {known}")]
    Newer {
        /// Whose tables.
        schema: &'static str,
        /// The version that was recorded.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
    /// Another version of keyward has made the tables in another form.
    #[error("the migration {schema} {version} {name} was applied in another form before")]
    Changed {
        /// Whose tables.
        schema: &'static str,
        /// The migration's place in the order.
        version: u32,
        /// What it is called.
        name: &'static str,
    },
}
