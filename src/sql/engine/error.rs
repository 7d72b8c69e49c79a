//! What can go wrong between a caller and its database.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use crate::visible::Visible;

/// The database did not do what it was asked. Nothing in it repeats a stored value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// Out of reach or too busy; the same call may succeed later.
    #[error("{backend} is unavailable")]
    Unavailable {
        backend: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A constraint forbids the change.
    #[error(transparent)]
    Violation(Violation),
    /// The caller's own connection or transaction is not one in which this can be done.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The role lacks a right.
    #[error("{backend} denied the statement")]
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite has no rights to lack"))]
    Denied {
        backend: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What a function of the database was given cannot be decrypted.
    #[error("{backend} cannot decrypt a value")]
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite decrypts nothing"))]
    Undecryptable {
        backend: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// An error that the same call will meet again, such as a missing table.
    #[error("{backend} refused the statement")]
    Failed {
        backend: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A constraint that forbids a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a constraint forbids the change: {kind}{}", named(.constraint.as_deref()))]
pub(crate) struct Violation {
    pub(crate) backend: &'static str,
    pub(crate) kind: ViolationKind,
    /// What the engine calls it: the constraint's name on PostgreSQL, `table.column` of its columns on SQLite, which
    /// says nothing for a foreign key. A `NOT NULL` has `table.column` on both.
    pub(crate) constraint: Option<String>,
}

fn named(constraint: Option<&str>) -> String {
    constraint.map(|name| format!(" ({})", Visible(name))).unwrap_or_default()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ViolationKind {
    Unique,
    ForeignKey,
    NotNull,
    Check,
}

impl fmt::Display for ViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unique => "UNIQUE",
            Self::ForeignKey => "FOREIGN KEY",
            Self::NotNull => "NOT NULL",
            Self::Check => "CHECK",
        })
    }
}

/// A script did not run to its end, and nothing of it stays.
#[derive(Debug)]
pub(crate) enum ScriptError<E> {
    /// One of its steps ended it, with the error that the caller gave to that step.
    Refused(E),
    Engine(EngineError),
}

impl<E> From<EngineError> for ScriptError<E> {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// A database could not be reached. No error repeats the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL names no engine that keyward knows.
    #[error("a database's URL starts with postgres://, postgresql:// or sqlite:")]
    UnknownScheme,
    /// The URL names an engine that was not compiled in.
    #[error("this program was built without the feature `{feature}` of keyward")]
    NotCompiledIn {
        /// The feature that adds the engine.
        feature: &'static str,
    },
    /// The URL is none of the forms that its engine has.
    #[error("the URL is not valid: {expected}")]
    InvalidUrl {
        /// The form that is right.
        expected: &'static str,
    },
    /// The SQLite URL has a parameter, or a value of `mode`, that keyward does not have.
    #[error("the URL's parameter `{parameter}` is not supported: {expected}")]
    UnsupportedParameter {
        /// The parameter's name.
        parameter: String,
        /// The form that is right.
        expected: &'static str,
    },
    /// There is no such SQLite file.
    #[error("there is no database {}: add ?mode=rwc to a sqlite: URL to create it", path.display())]
    MissingFile {
        /// The file.
        path: PathBuf,
    },
    /// The path of a SQLite database no longer leads to the file that is open: it was replaced since, or meanwhile.
    #[error("{} was replaced while it was being opened, or since: open it again", path.display())]
    ReplacedFile {
        /// The file.
        path: PathBuf,
    },
    /// The database did not let keyward in, or foreign keys cannot be enforced in it.
    #[error("{backend} is unavailable")]
    Unavailable {
        /// Which engine.
        backend: &'static str,
        /// What it reported.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}
