//! What an error of SQLite means to a caller.

use rusqlite::{ErrorCode, ffi};

use crate::sql::engine::sqlite::connection::BACKEND;
use crate::sql::engine::{EngineError, Violation, ViolationKind};

/// Sorts an error by what the caller can do about it. SQLite's messages name tables and columns, never values.
pub(super) fn classify(error: rusqlite::Error) -> EngineError {
    if let Some(violation) = violation(&error) {
        return EngineError::Violation(violation);
    }
    if is_transient(&error) {
        EngineError::Unavailable { backend: BACKEND, source: error.into() }
    } else {
        EngineError::Failed { backend: BACKEND, source: error.into() }
    }
}

/// Locked, full, read-only or damaged: what passes by itself, or what an operator can repair without touching the
/// caller.
fn is_transient(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::NotADatabase
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
        )
    )
}

/// Whether another connection holds the database at the moment.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// As [`is_busy`], of an error that was sorted already.
pub(super) fn was_busy(error: &EngineError) -> bool {
    matches!(error, EngineError::Unavailable { source, .. } if source.downcast_ref().is_some_and(is_busy))
}

fn violation(error: &rusqlite::Error) -> Option<Violation> {
    let rusqlite::Error::SqliteFailure(code, message) = error else { return None };
    let kind = match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            ViolationKind::Unique
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ViolationKind::ForeignKey,
        ffi::SQLITE_CONSTRAINT_NOTNULL => ViolationKind::NotNull,
        ffi::SQLITE_CONSTRAINT_CHECK => ViolationKind::Check,
        _ => return None,
    };
    let constraint = message.as_deref().and_then(|message| message.split_once("constraint failed: "));
    Some(Violation { backend: BACKEND, kind, constraint: constraint.map(|(_, name)| name.to_owned()) })
}
