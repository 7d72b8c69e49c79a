//! What is done with a PostgreSQL connection: scripts, in a transaction of their own or a savepoint of the host's.

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query as Bound;
use sqlx::{Connection, Executor, Row as _};

use crate::sql::engine::postgres::Postgres;
use crate::sql::engine::postgres::error::classify;
use crate::sql::engine::postgres::value::{bound, cell};
use crate::sql::engine::script::End;
use crate::sql::engine::{Cell, EngineError, Query, Reading, Row, Script, ScriptError, Statement, Step};

const LOCK: &str = "
    SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('keyward:' || $1::text, 0::bigint))::text";

const ISOLATION: &str = "SELECT pg_catalog.current_setting('transaction_isolation')";

/// In a transaction that keeps one snapshot, a key that was committed since is not seen, and so not revoked.
pub(super) async fn require_read_committed(connection: &mut PgConnection) -> Result<(), EngineError> {
    let isolation = sqlx::query(ISOLATION).fetch_one(connection).await.map_err(classify)?;
    if cell(&isolation, 0) == Cell::Text("read committed") {
        return Ok(());
    }
    Err(EngineError::Unsupported("the transaction has to have the isolation level READ COMMITTED"))
}

/// Outside of a transaction, a script would begin one of its own, and the host's rollback would not undo it.
pub(super) fn require_transaction(connection: &PgConnection) -> Result<(), EngineError> {
    if connection.is_in_transaction() {
        return Ok(());
    }
    Err(EngineError::Unsupported("the connection is not in a transaction begun through sqlx"))
}

/// Runs a script in a transaction, or in a savepoint where the connection already is in one. A connection on which the
/// future was dropped must not be used again: sqlx loses count of what is open while it begins or ends a transaction.
pub(super) async fn run<E: Send, T: Send>(
    postgres: &Postgres,
    connection: &mut PgConnection,
    script: Script<E>,
    reading: Option<Reading<T>>,
) -> Result<(Vec<u64>, Vec<T>), ScriptError<E>> {
    // In a transaction of our own, every statement sees what was committed before it, whatever the database's default:
    // a lock that was waited for would be worth nothing otherwise.
    let begun = if connection.is_in_transaction() {
        connection.begin().await
    } else {
        connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await
    };
    let mut transaction = begun.map_err(classify)?;
    if let Some(lock) = script.lock {
        sqlx::query(LOCK).bind(lock).execute(&mut *transaction).await.map_err(classify)?;
    }
    let mut returned = Vec::with_capacity(script.steps.len());
    for step in script.steps {
        match step {
            Step::Batch(sql) => {
                let batch = sqlx::raw_sql(postgres.text(sql.postgres));
                batch.execute(&mut *transaction).await.map_err(classify)?;
            }
            Step::Statement { statement, end } => match step_in(postgres, &mut transaction, &statement, end).await? {
                Ok(rows) => returned.push(rows),
                Err(refusal) => {
                    transaction.rollback().await.map_err(classify)?;
                    return Err(ScriptError::Refused(refusal));
                }
            },
        }
    }
    let rows = match reading {
        Some(Reading { query, arguments, decode }) => {
            let statement = bound(postgres.text(query.sql().postgres), &arguments);
            rows(&mut *transaction, statement, query, decode).await?
        }
        None => Vec::new(),
    };
    transaction.commit().await.map_err(classify)?;
    Ok((returned, rows))
}

/// How many rows the statement returned, or the error with which it ends its script.
async fn step_in<E: Send>(
    postgres: &Postgres,
    connection: &mut PgConnection,
    statement: &Statement,
    end: End<E>,
) -> Result<Result<u64, E>, EngineError> {
    let bound = bound(postgres.text(statement.sql.postgres), &statement.arguments);
    // A vector of nothing takes no memory: only its length matters.
    let rows = bound.try_map(|_| Ok(())).fetch_all(connection).await.map_err(classify)?;
    let returned = rows.len() as u64;
    Ok(end.after(returned).map(|()| returned))
}

/// The rows of a statement, each read in place.
pub(super) async fn rows<'c, T: Send>(
    executor: impl Executor<'c, Database = sqlx::Postgres>,
    statement: Bound<'static, sqlx::Postgres, PgArguments>,
    query: &'static Query,
    mut decode: impl FnMut(&Row<'_>) -> T + Send,
) -> Result<Vec<T>, EngineError> {
    let mut found = Vec::new();
    let read = |row: PgRow| {
        let place = |name: &str| row.columns().iter().position(|column| sqlx::Column::name(column) == name);
        let positions = query.on_postgres(place).map_err(|error| sqlx::Error::Decode(error.into()))?;
        found.push(decode(&Row::postgres(&row, positions)));
        Ok(())
    };
    statement.try_map(read).fetch_all(executor).await.map_err(classify)?;
    Ok(found)
}
