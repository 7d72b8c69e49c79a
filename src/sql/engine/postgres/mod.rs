//! The PostgreSQL engine: the host's pool through sqlx, and the host's own transaction.

mod connection;
mod error;
mod held;
mod value;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqlSafeStr as _, SqlStr};

use crate::sql::engine::schema_name::{self, InvalidSchemaName, SchemaName};
use crate::sql::engine::{ConnectError, EngineError, Query, Reading, Row, Script, ScriptError, Statement, Value};
pub(super) use error::is_denied;
use error::{BACKEND, classify};
use held::Held;
pub(super) use value::cell;

/// How long a server may take to answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// PostgreSQL, reached through the host's pool. Clones share it.
#[derive(Clone)]
pub struct Postgres {
    pool: PgPool,
    /// The schema of our own tables where it has another name than the statements in the source say.
    renamed: Option<Arc<Renamed>>,
}

struct Renamed {
    name: SchemaName,
    /// The statements with the name in it, by where their text in the source stands and how long it is.
    texts: RwLock<HashMap<(usize, usize), Arc<str>>>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pool's own form shows how it connects, password and all.
        f.debug_struct("Postgres").field("own_schema", &self.own_schema()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// PostgreSQL through the host's `pool`. Nothing is asked of the server yet.
    ///
    /// keyward's own tables live in the schema `keyward`, see [`own_tables_in`](Self::own_tables_in); the host's are
    /// found by the `search_path` of the pool's connections.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool, renamed: None }
    }

    /// Keeps keyward's own tables in the schema `schema` instead of `keyward`.
    ///
    /// # Errors
    /// [`InvalidSchemaName`] unless it has 1 to 63 of `a-z`, `0-9` and `_`, starts with no digit, and not with `pg_`.
    pub fn own_tables_in(self, schema: &str) -> Result<Self, InvalidSchemaName> {
        let name = SchemaName::parse(schema)?;
        let renamed = (schema != schema_name::DEFAULT).then(|| Arc::new(Renamed { name, texts: RwLock::default() }));
        Ok(Self { renamed, ..self })
    }

    pub(super) async fn connect(url: &str) -> Result<Self, ConnectError> {
        // What sqlx says about it may repeat the URL, and with it the password.
        let expected = "a PostgreSQL database is postgres://USER:PASSWORD@HOST/DATABASE";
        let options: PgConnectOptions = url.parse().map_err(|_| ConnectError::InvalidUrl { expected })?;
        // A pool would retry until its timeout and then report that alone; a first connection reports the cause at once.
        let first = match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
            Ok(Ok(first)) => first,
            Ok(Err(error)) => {
                let source = match classify(error) {
                    EngineError::Unavailable { source, .. } | EngineError::Failed { source, .. } => source,
                    other => other.into(),
                };
                return Err(ConnectError::Unavailable { backend: BACKEND, source });
            }
            Err(elapsed) => return Err(ConnectError::Unavailable { backend: BACKEND, source: elapsed.into() }),
        };
        // It has shown that the server is there; how it ends tells nothing more.
        let _ = first.close().await;
        Ok(Self::new(PgPoolOptions::new().connect_lazy_with(options)))
    }

    /// The pool, in which the host may begin transactions of its own.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The schema of our own tables.
    pub(crate) fn own_schema(&self) -> &str {
        self.renamed.as_ref().map_or(schema_name::DEFAULT, |renamed| renamed.name.as_str())
    }

    /// A statement of the source, with the right schema in it. Each text is rewritten once.
    fn text(&self, text: &'static str) -> SqlStr {
        let Some(renamed) = &self.renamed else { return text.into_sql_str() };
        let place = (text.as_ptr().addr(), text.len());
        let known = renamed.texts.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        let rewritten = known.unwrap_or_else(|| {
            let rewritten = Arc::from(renamed.name.renamed(text));
            let mut texts = renamed.texts.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(texts.entry(place).or_insert(rewritten))
        });
        // The name in it has no character that ends a quoted identifier.
        AssertSqlSafe(rewritten).into_sql_str()
    }

    pub(super) async fn read<T: Send>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: impl FnMut(&Row<'_>) -> T + Send,
    ) -> Result<Vec<T>, EngineError> {
        let statement = value::bound(self.text(query.sql().postgres), arguments);
        connection::rows(&self.pool, statement, query, decode).await
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, EngineError> {
        let bound = value::bound(self.text(statement.sql.postgres), &statement.arguments);
        Ok(bound.execute(&self.pool).await.map_err(classify)?.rows_affected())
    }

    pub(super) async fn run<E: Send, T: Send>(
        &self,
        script: Script<E>,
        reading: Option<Reading<T>>,
    ) -> Result<(Vec<u64>, Vec<T>), ScriptError<E>> {
        let mut held = Held::new(self.pool.acquire().await.map_err(classify)?);
        let done = connection::run(self, &mut held, script, reading).await;
        held.finish();
        done
    }

    /// Runs a script inside the host's own transaction, in a savepoint: when this fails, the transaction is as it was
    /// before. When the future is dropped, nothing is known of the transaction any more. A connection that is not in a transaction begun through sqlx is refused.
    pub(crate) async fn run_within<E: Send, T: Send>(
        &self,
        connection: &mut PgConnection,
        script: Script<E>,
        reading: Option<Reading<T>>,
    ) -> Result<(Vec<u64>, Vec<T>), ScriptError<E>> {
        connection::require_transaction(connection)?;
        connection::run(self, connection, script, reading).await
    }

    /// Refuses a connection whose transaction keeps one snapshot, in which what was committed since is not seen.
    pub(crate) async fn require_read_committed(connection: &mut PgConnection) -> Result<(), EngineError> {
        connection::require_read_committed(connection).await
    }
}
