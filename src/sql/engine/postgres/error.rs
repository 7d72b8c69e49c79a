//! What an error of PostgreSQL means to a caller.

use std::error::Error;
use std::fmt;

use sqlx::postgres::PgDatabaseError;

use crate::sql::engine::{EngineError, ScriptError, Violation, ViolationKind};
use crate::visible::Visible;

pub(super) const BACKEND: &str = "PostgreSQL";

/// Sorts an error by what the caller can do about it, and leaves out what it might give away: the detail of a
/// violated constraint shows the digest.
pub(super) fn classify(error: sqlx::Error) -> EngineError {
    match error {
        sqlx::Error::Database(error) => classify_answer(error.downcast_ref()),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => EngineError::Unavailable { backend: BACKEND, source: error.into() },
        _ => EngineError::Failed { backend: BACKEND, source: error.into() },
    }
}

fn classify_answer(error: &PgDatabaseError) -> EngineError {
    let kind = match error.code() {
        "23505" => ViolationKind::Unique,
        "23503" => ViolationKind::ForeignKey,
        "23502" => ViolationKind::NotNull,
        "23514" => ViolationKind::Check,
        code => {
            let source = ServerError { code: code.to_owned(), message: error.message().to_owned() }.into();
            return match code {
                "42501" => EngineError::Denied { backend: BACKEND, source },
                // What pgcrypto says of another key, and of what is no message of its own.
                "39000" => EngineError::Undecryptable { backend: BACKEND, source },
                // Ours ends with its first error: it can only be the host's.
                "25P02" => EngineError::Unsupported("the transaction has failed before: roll it back"),
                code if is_transient(code) => EngineError::Unavailable { backend: BACKEND, source },
                _ => EngineError::Failed { backend: BACKEND, source },
            };
        }
    };
    let column = || Some(format!("{}.{}", error.table()?, error.column()?));
    let constraint = error.constraint().map(str::to_owned).or_else(column);
    EngineError::Violation(Violation { backend: BACKEND, kind, constraint })
}

/// Connection failure, serialization failure or deadlock, lack of resources, lock not available, a server process that
/// was ended, I/O error, a transaction that was ended for its duration, a server that only reads after a failover, and
/// authentication, which an operator can repair without touching the caller.
fn is_transient(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "28" | "40" | "53" | "57" | "58"))
        || matches!(code, "55P03" | "3D000" | "25006" | "25P03" | "25P04")
}

/// Why a statement that was prepared can no longer be run, although the same text can be prepared anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stale {
    /// Its table has changed: "cached plan must not change result type".
    Outdated,
    /// The session does not know it, or knows another one of its name.
    Lost,
}

impl Stale {
    fn of(error: &EngineError) -> Option<Self> {
        let EngineError::Failed { source, .. } = error else { return None };
        match source.downcast_ref::<ServerError>()?.code.as_str() {
            "0A000" => Some(Self::Outdated),
            "26000" | "42P05" => Some(Self::Lost),
            _ => None,
        }
    }
}

/// An error behind which may be one of the engine's.
pub(super) trait MaybeEngine {
    fn engine(&self) -> Option<&EngineError>;
}

impl MaybeEngine for EngineError {
    fn engine(&self) -> Option<&EngineError> {
        Some(self)
    }
}

impl<E> MaybeEngine for ScriptError<E> {
    fn engine(&self) -> Option<&EngineError> {
        match self {
            Self::Engine(error) => Some(error),
            Self::Refused(_) => None,
        }
    }
}

/// How often a statement or a script may still be begun again with statements that are prepared anew.
#[derive(Debug)]
pub(super) struct Retries(u32);

impl Retries {
    /// The second time is for sqlx, which forgets an unnamed statement while it asks for a type that the connection has
    /// not met.
    pub(super) const fn new() -> Self {
        Self(2)
    }

    /// Why `done` is to be done once more: it failed for no other reason than a statement that can no longer be run.
    pub(super) fn after<T, E: MaybeEngine>(&mut self, done: &Result<T, E>) -> Option<Stale> {
        let stale = Stale::of(done.as_ref().err()?.engine()?)?;
        self.0 = self.0.checked_sub(1)?;
        Some(stale)
    }
}

/// What a PostgreSQL server reported: the code and the message, without the detail that may show stored values.
#[derive(Debug)]
struct ServerError {
    code: String,
    message: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", Visible(&self.message), self.code)
    }
}

impl Error for ServerError {}
