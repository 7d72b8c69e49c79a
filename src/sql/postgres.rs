//! The PostgreSQL driver: the host's pool through sqlx, and the host's own transaction.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgDatabaseError, PgPool, PgRow, PgTypeInfo};
use sqlx::query::Query;
use sqlx::{Connection, Encode, Row as _, Type, TypeInfo, ValueRef};

use crate::key::{Issued, Prepared, PreparedRotation, Rotated};
use crate::key::{OwnerId, RevocationReason};
use crate::sql::{Cell, Driver, Rows, Script, Sql, SqlKeyStore, SqlProfile, Statement, Step, Value, lifecycle};
use crate::store::{Reference, RevokeOutcome, RevokeRequest, StoreError};
use crate::time::Timestamp;

/// PostgreSQL, reached through the host's pool.
#[derive(Clone)]
pub struct Postgres {
    pool: PgPool,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pool's own form shows how it connects, password and all.
        f.write_str("Postgres")
    }
}

impl<P: SqlProfile> SqlKeyStore<Postgres, P> {
    /// The keys of `P` in the database of the host's `pool`, in whichever schema its `search_path` names.
    ///
    /// Whether the optional side tables are there is looked up once, here and in [`migrate`](Self::migrate).
    ///
    /// # Errors
    /// [`StoreError`] when the database could not answer.
    pub async fn open(pool: PgPool) -> Result<Self, StoreError> {
        Self::with_driver(Postgres { pool }).await
    }

    /// Issues a prepared key inside the host's own transaction: it exists once the host commits.
    ///
    /// `connection` must be in a transaction begun through sqlx. When this fails, the transaction is as it was before,
    /// and the host may go on with it.
    ///
    /// # Errors
    /// As [`KeyStore::insert`](crate::store::KeyStore::insert), and [`StoreError::Unsupported`] outside of a transaction.
    pub async fn issue_in(
        &self,
        connection: &mut PgConnection,
        prepared: Prepared<P::Details>,
    ) -> Result<Issued<P::Details>, StoreError> {
        run_inside(connection, lifecycle::insert::<P>(prepared.record())).await?;
        Ok(prepared.stored())
    }

    /// Rotates a key inside the host's own transaction, see [`issue_in`](Self::issue_in).
    ///
    /// # Errors
    /// As [`KeyStore::rotate`](crate::store::KeyStore::rotate), and [`StoreError::Unsupported`] outside of a transaction.
    pub async fn rotate_in(
        &self,
        connection: &mut PgConnection,
        prepared: PreparedRotation<P::Details>,
    ) -> Result<Rotated<P::Details>, StoreError> {
        run_inside(connection, P::rotate(prepared.rotation(), self.has_side_tables())).await?;
        Ok(prepared.stored())
    }

    /// Revokes a key inside the host's own transaction, see [`issue_in`](Self::issue_in).
    ///
    /// # Errors
    /// As [`KeyStore::revoke`](crate::store::KeyStore::revoke), and [`StoreError::Unsupported`] outside of a transaction
    /// with the isolation level `READ COMMITTED`, the server's default: in another one, a key that was issued since the
    /// transaction began would be missed.
    pub async fn revoke_in(
        &self,
        connection: &mut PgConnection,
        request: &RevokeRequest,
    ) -> Result<RevokeOutcome, StoreError> {
        self.accept_reason(request.reason.as_ref())?;
        let script = lifecycle::revoke::<P>(request, self.has_side_tables());
        require_read_committed(connection).await?;
        let rows = run_inside(connection, script).await?;
        Ok(Self::read_revoke(request, rows))
    }

    /// Revokes all keys of `owner` inside the host's own transaction, so that deleting a customer and killing its keys
    /// is one commit. See [`issue_in`](Self::issue_in).
    ///
    /// # Errors
    /// As [`KeyStore::revoke_all`](crate::store::KeyStore::revoke_all), and [`StoreError::Unsupported`] outside of a transaction.
    pub async fn revoke_all_in(
        &self,
        connection: &mut PgConnection,
        owner: &OwnerId,
        at: Timestamp,
        reason: Option<&RevocationReason>,
    ) -> Result<u64, StoreError> {
        self.accept_reason(reason)?;
        let script = lifecycle::revoke_all::<P>(owner, at, reason, self.has_side_tables());
        require_read_committed(connection).await?;
        let rows = run_inside(connection, script).await?;
        Ok(Self::read_revoke_all(&rows))
    }
}

#[async_trait]
impl Driver for Postgres {
    fn dialect(sql: Sql) -> &'static str {
        sql.postgres
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<Vec<Cell>>, StoreError> {
        let rows = query(statement).fetch_all(&self.pool).await.map_err(report)?;
        Ok(rows.iter().map(cells).collect())
    }

    async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        Ok(query(statement).execute(&self.pool).await.map_err(report)?.rows_affected())
    }

    async fn script(&self, script: Script) -> Result<Rows, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(report)?;
        run(&mut connection, script).await
    }
}

const BACKEND: &str = "PostgreSQL";

async fn run_inside(connection: &mut PgConnection, script: Script) -> Result<Rows, StoreError> {
    // Outside of a transaction, what follows would begin one of its own, and the host's rollback would not undo it.
    if !connection.is_in_transaction() {
        return Err(StoreError::Unsupported("the connection is not in a transaction begun through sqlx"));
    }
    run(connection, script).await
}

/// In a transaction that keeps one snapshot, a key that was committed since is not seen, and so not revoked.
async fn require_read_committed(connection: &mut PgConnection) -> Result<(), StoreError> {
    const ISOLATION: Sql = Sql { postgres: "SELECT current_setting('transaction_isolation')", sqlite: "" };

    let isolation = query(Statement::new(ISOLATION, [])).fetch_one(connection).await.map_err(report)?;
    if cells(&isolation) == [Cell::Text("read committed".to_owned())] {
        return Ok(());
    }
    Err(StoreError::Unsupported("keys are revoked only in transactions with the isolation level READ COMMITTED"))
}

/// Runs a script in a transaction, or in a savepoint where the connection already is in one. Dropping the future
/// rolls back.
async fn run(connection: &mut PgConnection, script: Script) -> Result<Rows, StoreError> {
    const LOCK: Sql =
        Sql { postgres: "SELECT pg_advisory_xact_lock(hashtextextended('keyward:' || $1, 0))::text", sqlite: "" };

    // In a transaction of our own, every statement sees what was committed before it, whatever the database's default:
    // a lock that was waited for would be worth nothing otherwise.
    let begun = if connection.is_in_transaction() {
        connection.begin().await
    } else {
        connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await
    };
    let mut transaction = begun.map_err(report)?;
    if let Some(lock) = script.lock {
        query(Statement::new(LOCK, [lock.into()])).execute(&mut *transaction).await.map_err(report)?;
    }
    let mut brought = Vec::with_capacity(script.steps.len());
    for step in script.steps {
        match step {
            Step::Batch(sql) => {
                sqlx::raw_sql(sql.postgres).execute(&mut *transaction).await.map_err(report)?;
            }
            Step::Rows { statement, otherwise } => {
                let rows = query(statement).fetch_all(&mut *transaction).await.map_err(report)?;
                if rows.is_empty()
                    && let Some(otherwise) = otherwise
                {
                    transaction.rollback().await.map_err(report)?;
                    return Err(otherwise.into());
                }
                brought.push(rows.iter().map(cells).collect());
            }
        }
    }
    transaction.commit().await.map_err(report)?;
    Ok(brought)
}

fn query(statement: Statement) -> Query<'static, sqlx::Postgres, PgArguments> {
    statement.arguments.into_iter().fold(sqlx::query(statement.sql.postgres), |query, argument| match argument {
        Value::Integer(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Timestamp(value) => query.bind(value.map(Zoneless)),
    })
}

/// An instant as PostgreSQL's `timestamp`, in UTC. Never bound as `timestamptz`, which the server would shift into its
/// session's zone on the way to a column without one.
struct Zoneless(Timestamp);

const TIMESTAMP_OID: Oid = Oid(1114);
/// 2000-01-01T00:00:00Z, from which PostgreSQL counts, in microseconds after 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl Type<sqlx::Postgres> for Zoneless {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMP_OID)
    }
}

impl Encode<'_, sqlx::Postgres> for Zoneless {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = match self.0 {
            Timestamp::MIN => i64::MIN, // -infinity
            Timestamp::MAX => i64::MAX, // infinity
            at => at.as_micros() - POSTGRES_EPOCH,
        };
        buffer.extend_from_slice(&micros.to_be_bytes());
        Ok(IsNull::No)
    }
}

fn cells(row: &PgRow) -> Vec<Cell> {
    (0..row.len()).map(|index| cell(row, index).unwrap_or(Cell::Unreadable)).collect()
}

/// Reads a cell in PostgreSQL's binary form; `None` when it is of a type that no column of ours has.
fn cell(row: &PgRow, index: usize) -> Option<Cell> {
    let value = row.try_get_raw(index).ok()?;
    if value.is_null() {
        return Some(Cell::Null);
    }
    let bytes = value.as_bytes().ok()?;
    let text = |bytes: &[u8]| Some(Cell::Text(std::str::from_utf8(bytes).ok()?.to_owned()));
    match value.type_info().name() {
        "TEXT" | "VARCHAR" | "NAME" | "JSON" | "citext" => text(bytes),
        // Padded with spaces to its length.
        "CHAR" => text(bytes.trim_ascii_end()),
        "JSONB" => text(bytes.strip_prefix(&[1])?),
        "BOOL" => Some(Cell::Integer(i64::from(*bytes.first()?))),
        "INT4" => Some(Cell::Integer(i32::from_be_bytes(bytes.try_into().ok()?).into())),
        "INT8" => Some(Cell::Integer(i64::from_be_bytes(bytes.try_into().ok()?))),
        "TIMESTAMP" | "TIMESTAMPTZ" => {
            let micros = i64::from_be_bytes(bytes.try_into().ok()?);
            Some(Cell::Timestamp(Timestamp::from_micros(micros.saturating_add(POSTGRES_EPOCH))))
        }
        "UUID" => {
            let hex = hex::encode(bytes);
            let groups = [hex.get(..8)?, hex.get(8..12)?, hex.get(12..16)?, hex.get(16..20)?, hex.get(20..)?];
            Some(Cell::Text(groups.join("-")))
        }
        _ => None,
    }
}

/// Sorts an error by what the caller can do about it, and leaves out what it might give away: the detail of a
/// violated constraint shows the digest.
fn report(error: sqlx::Error) -> StoreError {
    let source = match error {
        sqlx::Error::Database(error) => {
            let error: &PgDatabaseError = error.downcast_ref();
            let told = ServerError { code: error.code().to_owned(), message: error.message().to_owned() };
            return match error.code() {
                "23505" => StoreError::Conflict,
                // Deleted since it was looked for. The server names a foreign key by its column.
                "23503" if error.constraint().is_some_and(|name| name.contains("issued_by")) => {
                    StoreError::Missing(Reference::Issuer)
                }
                "23503" => StoreError::Missing(Reference::Owner),
                code if is_passing(code) => StoreError::Unavailable { backend: BACKEND, source: told.into() },
                _ => StoreError::Backend { backend: BACKEND, source: told.into() },
            };
        }
        other => other,
    };
    match source {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StoreError::Unavailable { backend: BACKEND, source: source.into() },
        _ => StoreError::Backend { backend: BACKEND, source: source.into() },
    }
}

/// Connection failure, serialization failure or deadlock, lack of resources, lock not available, shutdown, I/O error,
/// a server that only reads after a failover, and authentication, which an operator can mend without touching the caller.
fn is_passing(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "28" | "40" | "53" | "57" | "58"))
        || matches!(code, "55P03" | "3D000" | "25006")
}

/// What a PostgreSQL server reported: the code and the message, without the detail that may show stored values.
#[derive(Debug)]
struct ServerError {
    code: String,
    message: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}

impl Error for ServerError {}
