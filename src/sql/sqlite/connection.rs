//! What is done with a SQLite connection: opening it safely, and running statements and scripts on it.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, TransactionBehavior, ffi, params_from_iter};

use crate::sql::store::stored_timestamp;
use crate::sql::{Cell, Rows, Script, Statement, Step, Value};
use crate::store::StoreError;

pub(super) const BACKEND: &str = "SQLite";

/// How long a busy database is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many prepared statements a connection keeps: more than a system has.
const STATEMENT_CACHE: usize = 32;

pub(super) fn open(path: &Path, create: bool) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    // A revocation that was reported must survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Sets what every connection needs, and refuses one that will not enforce foreign keys: one such connection would
/// break the promise for all.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Otherwise a statement is planned anew for every argument that is compared with a partial index.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let enforced: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?;
    if enforced {
        Ok(())
    } else {
        let refused = ffi::Error::new(ffi::SQLITE_CANTOPEN);
        Err(rusqlite::Error::SqliteFailure(refused, Some("foreign keys cannot be enforced".to_owned())))
    }
}

/// Whether the file uses the write-ahead log already.
pub(super) fn uses_write_ahead_log(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    Ok(mode.eq_ignore_ascii_case("wal"))
}

/// Whether the file now uses the write-ahead log; some file systems and databases in memory cannot.
pub(super) fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<bool> {
    const PAUSE: Duration = Duration::from_millis(10);

    let mut waited = Duration::ZERO;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(mode) => return Ok(mode.eq_ignore_ascii_case("wal")),
            // SQLite does not wait by itself while another connection is switching.
            Err(error) if is_busy(&error) && waited < BUSY_TIMEOUT => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

pub(super) fn rows(connection: &Connection, statement: &Statement) -> rusqlite::Result<Vec<Vec<Cell>>> {
    let mut prepared = connection.prepare_cached(statement.sql.sqlite)?;
    let columns = prepared.column_count();
    let mut rows = prepared.query(params_from_iter(&statement.arguments))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(columns);
        for index in 0..columns {
            cells.push(cell(row.get_ref(index)?));
        }
        found.push(cells);
    }
    Ok(found)
}

pub(super) fn execute(connection: &Connection, statement: &Statement) -> rusqlite::Result<u64> {
    let mut prepared = connection.prepare_cached(statement.sql.sqlite)?;
    let written = prepared.execute(params_from_iter(&statement.arguments))?;
    Ok(written as u64)
}

/// Runs a script in a transaction of its own, which takes SQLite's one write lock at its start.
pub(super) fn run(connection: &mut Connection, script: Script) -> Result<Rows, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(report)?;
    let brought = steps(&transaction, script)?;
    transaction.commit().map_err(report)?;
    Ok(brought)
}

/// Runs a script in a savepoint of the host's transaction.
pub(super) fn run_inside(connection: &Connection, script: Script) -> Result<Rows, StoreError> {
    connection.execute_batch("SAVEPOINT keyward").map_err(report)?;
    let brought = steps(connection, script);
    let end = if brought.is_ok() { "RELEASE keyward" } else { "ROLLBACK TO keyward; RELEASE keyward" };
    connection.execute_batch(end).map_err(report)?;
    brought
}

fn steps(connection: &Connection, script: Script) -> Result<Rows, StoreError> {
    let mut brought = Vec::with_capacity(script.steps.len());
    for step in script.steps {
        match step {
            Step::Batch(sql) => connection.execute_batch(sql.sqlite).map_err(report)?,
            Step::Rows { statement, otherwise } => {
                let rows = rows(connection, &statement).map_err(report)?;
                if rows.is_empty()
                    && let Some(otherwise) = otherwise
                {
                    return Err(otherwise.into());
                }
                brought.push(rows);
            }
        }
    }
    Ok(brought)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Integer(value) => value.to_sql(),
            Self::Text(value) => value.to_sql(),
            Self::Timestamp(None) => Ok(ToSqlOutput::from(rusqlite::types::Null)),
            Self::Timestamp(Some(at)) => Ok(ToSqlOutput::from(stored_timestamp(*at))),
        }
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes).map_or(Cell::Unreadable, |text| Cell::Text(text.to_owned()))
        }
        ValueRef::Real(_) | ValueRef::Blob(_) => Cell::Unreadable,
    }
}

/// Sorts an error by what the caller can do about it. SQLite's messages name tables and columns, never values.
pub(super) fn report(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) if is_taken_or_gone(&error) => StoreError::Conflict,
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::NotADatabase
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly,
        ) => StoreError::Unavailable { backend: BACKEND, source: error.into() },
        _ => StoreError::Backend { backend: BACKEND, source: error.into() },
    }
}

/// A unique value is taken, or a row that is referred to is gone.
fn is_taken_or_gone(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    [ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ffi::SQLITE_CONSTRAINT_FOREIGNKEY]
        .map(Some)
        .contains(&extended)
}
