//! What is done with a SQLite connection: opening it safely, and running statements and scripts on it.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Null;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, ffi};

use crate::sql::engine::script::Go;
use crate::sql::engine::sqlite::error::{classify, is_busy};
use crate::sql::engine::timestamp::stored_timestamp;
use crate::sql::engine::{Counts, EngineError, Query, Reading, Row, Script, ScriptError, Statement, Step, Value};

pub(super) const BACKEND: &str = "SQLite";

/// How long a busy database is waited for unless the host says otherwise.
pub(super) const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How many prepared statements a connection keeps: more than a service runs again and again.
const STATEMENT_CACHE: usize = 64;

pub(super) fn open(path: &Path, create: bool) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    Ok(connection)
}

/// A connection that cannot write. It does not wait for other processes before a worker lets it.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

/// Sets what every connection needs, and refuses one that will not enforce foreign keys: one such connection would
/// break the promise for all.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(DEFAULT_LOCK_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Otherwise a statement is planned anew for every argument that is compared with a partial index.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A revocation that was reported must survive a power cut. With a rollback journal, that takes one more step than
    // `FULL` has.
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let enforced: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?;
    if enforced { Ok(()) } else { Err(cannot_open("foreign keys cannot be enforced")) }
}

pub(super) fn cannot_open(reason: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), Some(reason.to_owned()))
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
            Err(error) if is_busy(&error) && waited < DEFAULT_LOCK_TIMEOUT => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The file behind a connection, unless it is in memory.
pub(super) fn file_of(connection: &Connection) -> Option<&str> {
    connection.path().filter(|path| !path.is_empty())
}

/// The rows of a statement, each read in place.
pub(super) fn rows<T>(
    connection: &Connection,
    query: &'static Query,
    arguments: &[Value<'_>],
    mut decode: impl FnMut(&Row<'_>) -> T,
) -> Result<Vec<T>, EngineError> {
    let mut statement = connection.prepare_cached(query.sql().sqlite).map_err(classify)?;
    let positions = query
        .on_sqlite(|name| statement.column_index(name).ok())
        .map_err(|error| EngineError::Failed { backend: BACKEND, source: error.into() })?;
    bind(&mut statement, arguments).map_err(classify)?;
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(classify)? {
        found.push(decode(&Row::sqlite(row, positions)));
    }
    Ok(found)
}

pub(super) fn execute(connection: &Connection, statement: &Statement) -> rusqlite::Result<u64> {
    let mut prepared = connection.prepare_cached(statement.sql.sqlite)?;
    bind(&mut prepared, &statement.arguments)?;
    Ok(prepared.raw_execute()? as u64)
}

/// How many rows the statement returned.
fn returned(connection: &Connection, statement: &Statement) -> rusqlite::Result<u64> {
    let mut prepared = connection.prepare_cached(statement.sql.sqlite)?;
    bind(&mut prepared, &statement.arguments)?;
    let mut rows = prepared.raw_query();
    let mut returned = 0;
    while rows.next()?.is_some() {
        returned += 1;
    }
    Ok(returned)
}

/// Binds without a copy of our own; SQLite makes one.
fn bind(statement: &mut rusqlite::Statement<'_>, arguments: &[Value<'_>]) -> rusqlite::Result<()> {
    let expected = statement.parameter_count();
    if arguments.len() != expected {
        return Err(rusqlite::Error::InvalidParameterCount(arguments.len(), expected));
    }
    for (position, argument) in (1..).zip(arguments) {
        match argument {
            Value::Integer(value) => statement.raw_bind_parameter(position, value)?,
            Value::Text(value) => statement.raw_bind_parameter(position, value.as_deref())?,
            Value::Bytes(value) => statement.raw_bind_parameter(position, value.as_deref())?,
            Value::Timestamp(None) => statement.raw_bind_parameter(position, Null)?,
            Value::Timestamp(Some(at)) => statement.raw_bind_parameter(position, &*stored_timestamp(*at))?,
        }
    }
    Ok(())
}

/// Runs a script in a transaction of its own, which takes SQLite's one write lock at its start.
pub(super) fn run<E, T>(
    connection: &mut Connection,
    script: Script<E>,
    reading: Option<Reading<T>>,
) -> Result<(Counts, Vec<T>), ScriptError<E>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    let outcome = steps(&transaction, script, reading)?;
    transaction.commit().map_err(classify)?;
    Ok(outcome)
}

/// Runs a script in a savepoint of the host's transaction, unless `confirm` objects to its outcome.
pub(super) fn run_within<E, T>(
    connection: &Connection,
    script: Script<E>,
    reading: Option<Reading<T>>,
    confirm: impl FnOnce() -> Result<(), EngineError>,
) -> Result<(Counts, Vec<T>), ScriptError<E>> {
    let savepoint = Savepoint::begin(connection).map_err(classify)?;
    let done = steps(connection, script, reading).and_then(|outcome| {
        confirm()?;
        Ok(outcome)
    });
    match done {
        Ok(outcome) => {
            savepoint.release().map_err(classify)?;
            Ok(outcome)
        }
        Err(error) => {
            savepoint.roll_back().map_err(classify)?;
            Err(error)
        }
    }
}

fn steps<E, T>(
    connection: &Connection,
    mut script: Script<E>,
    mut reading: Option<Reading<T>>,
) -> Result<(Counts, Vec<T>), ScriptError<E>> {
    let mut counts = Counts::default();
    for step in std::mem::take(&mut script.steps) {
        match step {
            Step::Batch(sql) => connection.execute_batch(sql.sqlite).map_err(classify)?,
            Step::Statement { statement, mut end, name } => {
                let count = returned(connection, &statement).map_err(classify)?;
                if end.after(count).map_err(ScriptError::Refused)? == Go::NoFurther {
                    counts.cut_short();
                    break;
                }
                counts.add(name, count);
            }
        }
    }
    let rows = match &mut reading {
        Some(Reading { query, arguments, decode, .. }) => rows(connection, query, arguments, decode)?,
        None => Vec::new(),
    };
    script.confirm(reading.as_mut(), &counts, &rows)?;
    Ok((counts, rows))
}

/// A savepoint that a panic undoes, too.
struct Savepoint<'c> {
    connection: &'c Connection,
    is_open: bool,
}

impl<'c> Savepoint<'c> {
    fn begin(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.execute_batch("SAVEPOINT keyward")?;
        Ok(Self { connection, is_open: true })
    }

    fn release(mut self) -> rusqlite::Result<()> {
        self.connection.execute_batch("RELEASE keyward")?;
        self.is_open = false;
        Ok(())
    }

    fn roll_back(mut self) -> rusqlite::Result<()> {
        self.is_open = false;
        // A full disk and the like make SQLite roll back the whole transaction, and the savepoint with it.
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("ROLLBACK TO keyward; RELEASE keyward")
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if self.is_open {
            let _ = self.connection.execute_batch("ROLLBACK TO keyward; RELEASE keyward");
        }
    }
}
