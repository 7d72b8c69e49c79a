//! Why there are no keys of secrets at rest.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::seal::{InvalidSealKeys, SealKeyId};
use crate::visible::Visible;

/// Where a key ring was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealKeysOrigin {
    /// An environment variable.
    Variable(String),
    /// A file.
    File(PathBuf),
    /// A key management service of the host.
    Provider,
}

impl fmt::Display for SealKeysOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(variable) => write!(f, "the environment variable {}", Visible(variable)),
            Self::File(path) => write!(f, "the file {}", Visible(&path.to_string_lossy())),
            Self::Provider => f.write_str("the provider"),
        }
    }
}

/// Why there is no key ring. It shows names and places, and nothing of any key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealKeysError {
    /// There is no such environment variable.
    #[error("the environment variable {} is not set", Visible(variable))]
    NotSet {
        /// Its name.
        variable: String,
    },
    /// The file could not be read.
    #[error("the file {} cannot be read", Visible(&path.to_string_lossy()))]
    File {
        /// Where it was looked for.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The path leads to something else than a file.
    #[error("{} is no file", Visible(&path.to_string_lossy()))]
    NotAFile {
        /// Where it leads.
        path: PathBuf,
    },
    /// Others than the owner of the file have access to it.
    #[error("others than its owner have access to the file {} (mode {mode:04o}): chmod 600", Visible(&path.to_string_lossy()))]
    Exposed {
        /// Which file it is.
        path: PathBuf,
        /// Its permissions, such as `0o644`.
        mode: u32,
    },
    /// The file is larger than any file of keys.
    #[error("the file {} has more than {limit} bytes", Visible(&path.to_string_lossy()))]
    TooLong {
        /// Which file it is.
        path: PathBuf,
        /// The most bytes that are read.
        limit: usize,
    },
    /// There are bytes that are not UTF-8.
    #[error("{origin} holds something else than text")]
    NotText {
        /// Where they are.
        origin: SealKeysOrigin,
    },
    /// What is there makes no key ring.
    #[error("{origin} holds no keys: {source}")]
    Invalid {
        /// Where it is.
        origin: SealKeysOrigin,
        /// What is wrong with it.
        source: InvalidSealKeys,
    },
    /// The provider did not unwrap a key.
    #[error("the provider did not unwrap the key {id}")]
    Provider {
        /// The name of the key.
        id: SealKeyId,
        /// What the provider says.
        source: Box<dyn Error + Send + Sync>,
    },
}
