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
    pub(super) fn of(error: &EngineError) -> Option<Self> {
        let EngineError::Failed { source, .. } = error else { return None };
        match source.downcast_ref::<ServerError>()?.code.as_str() {
            "0A000" => Some(Self::Outdated),
            "26000" | "42P05" => Some(Self::Lost),
            _ => None,
        }
    }
}

/// Whether a script failed for no other reason than a statement that has to be prepared anew.
pub(super) fn is_stale<E>(error: &ScriptError<E>) -> bool {
    matches!(error, ScriptError::Engine(error) if Stale::of(error).is_some())
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
