//! The one error of every store.

use std::error::Error;
use std::fmt;

pub use crate::unfit::Unfit;

/// A store could not do what it was asked. It never means that a key is invalid.
///
/// No variant carries a plaintext or a digest, nor does any source behind it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The place is taken, or somebody else made a change first: nothing was changed.
    #[error("the key conflicts with one that exists or was changed at the same time")]
    Conflict,
    /// The key refers to something that does not exist: nothing was changed.
    #[error("no such {0}")]
    Missing(Reference),
    /// What the key belongs to is shut down, such as an archived mesh or a revoked member, and the schema was asked to
    /// look: nothing was changed.
    #[error("the {0} is shut down")]
    TenantDisabled(Reference),
    /// The page starts behind a key that its owner does not have.
    #[error("the page starts behind a key that does not exist")]
    UnknownCursor,
    /// This store has no place for what it was asked to keep: nothing was changed.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The database is out of reach or too busy; the same call may succeed later.
    #[error("{backend} is unavailable")]
    Unavailable {
        /// Which engine.
        backend: &'static str,
        /// What it reported.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// No replica knows the key, and the store itself is asked for no more such keys at the moment: it cannot be told whether
    /// this one is new. The same call may succeed later.
    #[error("too many keys that no replica knows at the moment")]
    Throttled,
    /// All keys of an owner were to be revoked, and the store failed after it had revoked some: the others may be
    /// accepted still. The same call may revoke them later.
    #[error("interrupted after {revoked} keys had been revoked")]
    Interrupted {
        /// How many keys were revoked before, and stay so.
        revoked: u64,
        /// What ended it.
        #[source]
        source: Box<Self>,
    },
    /// The database kept the key as it was, as a trigger of the host's can: it is still accepted by whoever reads the
    /// table.
    #[error("a trigger or a rule of the database kept a row of {table} as it was")]
    Suppressed {
        /// The table.
        table: &'static str,
    },
    /// The database role lacks a right that this takes.
    #[error("{backend} denied the statement")]
    Denied {
        /// Which engine.
        backend: &'static str,
        /// What it reported.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The tables are not such that the store could keep its promises on them: it was not opened.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The database answered with an error that the same call will meet again, such as a missing table.
    #[error("{backend} refused the statement")]
    Backend {
        /// Which engine.
        backend: &'static str,
        /// What it reported.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the fault is the store's and not the caller's: 503 rather than 4xx. Its [source](Error::source) says what
    /// the database reported.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. }
                | Self::Throttled
                | Self::Interrupted { .. }
                | Self::Suppressed { .. }
                | Self::Denied { .. }
                | Self::Unfit(_)
                | Self::Backend { .. }
        )
    }
}

/// What a key can refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reference {
    /// The owner, such as an aggregator or a mesh.
    Owner,
    /// The member who issues the key.
    Issuer,
    /// The OAuth client that a code or a token is for.
    Client,
    /// The upstream credential that the key is to stand on: there is none, or it has ended.
    Credential,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => "owner",
            Self::Issuer => "issuer",
            Self::Client => "client",
            Self::Credential => "credential that is good",
        })
    }
}
