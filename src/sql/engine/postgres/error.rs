//! What an error of PostgreSQL means to a caller.

use std::error::Error;
use std::fmt;

use sqlx::postgres::PgDatabaseError;

use crate::sql::engine::{EngineError, Violation, ViolationKind};
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
            return if is_transient(code) {
                EngineError::Unavailable { backend: BACKEND, source }
            } else {
                EngineError::Failed { backend: BACKEND, source }
            };
        }
    };
    let column = || Some(format!("{}.{}", error.table()?, error.column()?));
    let constraint = error.constraint().map(str::to_owned).or_else(column);
    EngineError::Violation(Violation { backend: BACKEND, kind, constraint })
}

/// Connection failure, serialization failure or deadlock, lack of resources, lock not available, shutdown, I/O error,
/// a server that only reads after a failover, and authentication, which an operator can repair without touching the
/// caller.
fn is_transient(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "28" | "40" | "53" | "57" | "58"))
        || matches!(code, "55P03" | "3D000" | "25006")
}

/// Whether the server refused because the role lacks a right.
pub(in crate::sql::engine) fn is_denied(source: &(dyn Error + Send + Sync + 'static)) -> bool {
    source.downcast_ref::<ServerError>().is_some_and(|error| error.code == "42501")
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
