//! What is done with a PostgreSQL connection: reads, and scripts in a transaction of their own.

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Column as _, Connection as _, Row as _};

use crate::sql::engine::postgres::Postgres;
use crate::sql::engine::postgres::error::classify;
use crate::sql::engine::postgres::limits::Limits;
use crate::sql::engine::postgres::text::Prepared;
use crate::sql::engine::script::Go;
use crate::sql::engine::{Counts, EngineError, Query, Reading, Row, Script, ScriptError, Statement, Step, Value};

const LOCK: &str = "
    SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('keyward:' || $1::text, 0::bigint))::text";

/// Reads without a transaction around it: one round trip.
pub(super) async fn read<T: Send>(
    postgres: &Postgres,
    connection: &mut PgConnection,
    prepared: Prepared,
    query: &'static Query,
    arguments: &[Value<'_>],
    decode: impl FnMut(&Row<'_>) -> T + Send,
) -> Result<Vec<T>, EngineError> {
    let statement = postgres.texts.bound(query.sql().postgres, arguments, prepared);
    fetch(statement, connection, query, decode).await
}

/// Reads by a statement that returns the columns of `query`.
pub(super) async fn fetch<T: Send>(
    statement: sqlx::query::Query<'static, sqlx::Postgres, PgArguments>,
    connection: &mut PgConnection,
    query: &'static Query,
    mut decode: impl FnMut(&Row<'_>) -> T + Send,
) -> Result<Vec<T>, EngineError> {
    let mut found = Vec::new();
    let read = |row: PgRow| {
        let place = |name: &str| row.columns().iter().position(|column| column.name() == name);
        let positions = query.on_postgres(place).map_err(|error| sqlx::Error::Decode(error.into()))?;
        found.push(decode(&Row::postgres(&row, positions)));
        Ok(())
    };
    statement.try_map(read).fetch_all(connection).await.map_err(classify)?;
    Ok(found)
}

/// Reads in a transaction with a lock timeout, which also holds on to the session of a pooler, and to the tables as they
/// are, while an unnamed statement is prepared and run.
pub(super) async fn read_in_transaction<T: Send>(
    postgres: &Postgres,
    connection: &mut PgConnection,
    query: &'static Query,
    arguments: &[Value<'_>],
    decode: impl FnMut(&Row<'_>) -> T + Send,
) -> Result<Vec<T>, EngineError> {
    let mut transaction = connection.begin_with(postgres.limits.begin_read()).await.map_err(classify)?;
    let found = read(postgres, &mut transaction, Prepared::Unnamed, query, arguments, decode).await;
    // What was read is read, however this ends.
    let _ = transaction.rollback().await;
    found
}

/// Runs one statement in a transaction. How many rows it wrote.
pub(super) async fn execute(
    postgres: &Postgres,
    connection: &mut PgConnection,
    prepared: Prepared,
    statement: &Statement,
) -> Result<u64, EngineError> {
    let mut transaction = connection.begin_with(postgres.limits.begin_change()).await.map_err(classify)?;
    let bound = postgres.texts.bound(statement.sql.postgres, &statement.arguments, prepared);
    match bound.execute(&mut *transaction).await.map_err(classify) {
        Ok(done) => transaction.commit().await.map(|()| done.rows_affected()).map_err(classify),
        Err(error) => {
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// Runs a script in a transaction. When this fails, nothing of it stays, and the script can be run again.
pub(super) async fn run<E: Send, T: Send>(
    postgres: &Postgres,
    connection: &mut PgConnection,
    prepared: Prepared,
    script: &mut Script<E>,
    reading: Option<&mut Reading<T>>,
) -> Result<(Counts, Vec<T>), ScriptError<E>> {
    let mut transaction = connection.begin_with(postgres.limits.begin_change()).await.map_err(classify)?;
    match steps(postgres, &mut transaction, prepared, script, reading).await {
        Ok(done) => transaction.commit().await.map(|()| done).map_err(|error| classify(error).into()),
        Err(error) => {
            // The error that came first is the one that counts; a connection that is lost rolls back as well.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// The steps of a script, and what is read after them, in the transaction that is open.
pub(super) async fn steps<E: Send, T: Send>(
    postgres: &Postgres,
    connection: &mut PgConnection,
    prepared: Prepared,
    script: &mut Script<E>,
    mut reading: Option<&mut Reading<T>>,
) -> Result<(Counts, Vec<T>), ScriptError<E>> {
    let texts = &postgres.texts;
    if let Some(lock) = &script.lock {
        let limits = postgres.limits;
        let makes_tables = script.makes_tables();
        if makes_tables {
            let patient = Limits::set_lock(limits.other_migrations_millis());
            sqlx::raw_sql(patient).execute(&mut *connection).await.map_err(classify)?;
        }
        let lock = texts.bound(LOCK, &[lock.as_str().into()], prepared);
        lock.execute(&mut *connection).await.map_err(classify)?;
        if makes_tables {
            // Nobody else is to wait for long behind what this waits for.
            let impatient = Limits::set_lock(limits.lock_millis());
            sqlx::raw_sql(impatient).execute(&mut *connection).await.map_err(classify)?;
        }
    }
    let mut counts = Counts::default();
    for step in &mut script.steps {
        match step {
            Step::Batch(sql) => {
                let batch = sqlx::raw_sql(texts.get(sql.postgres, prepared));
                batch.execute(&mut *connection).await.map_err(classify)?;
            }
            Step::Statement { statement, end, name } => {
                let bound = texts.bound(statement.sql.postgres, &statement.arguments, prepared);
                // A vector of nothing takes no memory: only its length matters.
                let rows = bound.try_map(|_| Ok(())).fetch_all(&mut *connection).await.map_err(classify)?;
                if end.after(rows.len() as u64).map_err(ScriptError::Refused)? == Go::NoFurther {
                    counts.cut_short();
                    break;
                }
                counts.add(*name, rows.len() as u64);
            }
        }
    }
    let rows = match &mut reading {
        Some(Reading { query, arguments, decode, .. }) => {
            read(postgres, connection, prepared, query, arguments, decode).await?
        }
        None => Vec::new(),
    };
    script.confirm(reading, &counts, &rows)?;
    Ok((counts, rows))
}
