//! Why a key was not issued, changed, rotated, revoked or listed.

use crate::key::{ChangeError, KeyId, PrepareError};
use crate::store::StoreError;

/// Why a key was not issued, changed, rotated, revoked or listed.
///
/// Nothing was changed, with one exception that nobody can rule out: a database that goes away while it commits
/// ([`StoreError::Unavailable`]) may have done it. The plaintext is lost then; list the owner's keys and revoke the
/// newest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// There is no such key, or it belongs to another owner than the caller is bound to.
    #[error("no such key")]
    NotFound,
    /// Several keys start like this, so that none was chosen.
    #[error("several keys start like this")]
    NotUnique,
    /// The start of a key's identity or display prefix is too short to name it.
    #[error("the start of a key must have at least {least} characters")]
    PrefixTooShort {
        /// The fewest characters that are taken.
        least: usize,
    },
    /// A key is rotated once; after that, its successor is.
    #[error("the key was rotated already: its successor is {successor}")]
    AlreadyRotated {
        /// The key that replaced it.
        successor: KeyId,
    },
    /// The key is another than the caller saw: somebody changed it first.
    #[error("the key was changed meanwhile: it is at version {version}")]
    Changed {
        /// The version that it has now.
        version: u64,
    },
    /// The change would not be sound.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The key could not be made.
    #[error(transparent)]
    Prepare(PrepareError),
    /// The store failed, or somebody else made a conflicting change first.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KeysError {
    /// Whether the fault is the store's and not the caller's: 503 rather than 4xx.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_outage())
    }
}

impl From<PrepareError> for KeysError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::AlreadyRotated { successor } => Self::AlreadyRotated { successor },
            error => Self::Prepare(error),
        }
    }
}
