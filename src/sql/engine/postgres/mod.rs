//! The PostgreSQL engine: the host's pool through sqlx, and the host's own transaction.

mod caution;
mod connection;
mod error;
mod gathered;
mod held;
mod host;
mod limits;
mod listener;
mod replicas;
mod sessions;
mod text;
mod value;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::sql::engine::schema_name::{self, InvalidSchemaName, SchemaName};
use crate::sql::engine::{
    ConnectError, Counts, EngineError, Query, Reading, Row, Script, ScriptError, Statement, Value,
};
use caution::Caution;
use error::{BACKEND, Retries, Stale, classify};
pub(crate) use gathered::GatheredReader;
use held::Held;
use limits::{Limits, given_up_after};
pub(crate) use listener::Listener;
pub use replicas::ReplicaPolicy;
pub(crate) use replicas::{Positions, Taken};
use sessions::Sessions;
use text::{Prepared, Texts};
pub(super) use value::cell;

/// How long a server may take to answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// PostgreSQL, reached through the host's pool. Clones share it.
///
/// Nothing waits without a limit, see [`lock_timeout`](Self::lock_timeout) and [`read_timeout`](Self::read_timeout), and
/// nothing of keyward's lives in a database session: a transaction pooler such as pgbouncer may stand in between, see
/// [`prepared_statements`](Self::prepared_statements).
#[derive(Clone)]
pub struct Postgres {
    pool: PgPool,
    texts: Arc<Texts>,
    limits: Limits,
    sessions: Arc<Sessions>,
    caution: Arc<Caution>,
    /// The roles whose tables are taken for ours, beside those that are trusted anyway.
    trusted: Arc<[String]>,
    gathered_readers: u8,
    /// After how long the server ends a statement of a reader, where nobody else would.
    reader_timeout: Option<Duration>,
    replicas: Arc<[PgPool]>,
    replica_policy: ReplicaPolicy,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pool's own form shows how it connects, password and all.
        f.debug_struct("Postgres").field("own_schema", &self.own_schema()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// How long a change waits for one lock unless [`lock_timeout`](Self::lock_timeout) says otherwise: 2 seconds.
    pub const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

    /// How long a read may take unless [`read_timeout`](Self::read_timeout) says otherwise: 2 seconds.
    pub const DEFAULT_READ_TIMEOUT: Duration = Duration::from_secs(2);

    /// PostgreSQL through the host's `pool`. Nothing is asked of the server yet.
    ///
    /// keyward's own tables live in the schema `keyward`, see [`own_tables_in`](Self::own_tables_in); the host's are
    /// found by the `search_path` of the pool's connections.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            texts: Arc::default(),
            limits: Limits::new(Self::DEFAULT_LOCK_TIMEOUT, Self::DEFAULT_READ_TIMEOUT),
            sessions: Arc::default(),
            caution: Arc::default(),
            trusted: Arc::default(),
            gathered_readers: 0,
            reader_timeout: None,
            replicas: Arc::default(),
            replica_policy: ReplicaPolicy::new(),
        }
    }

    /// The same database, through the same pool, on a handle that takes tables which the role `role` has made for
    /// keyward's own, or for the host's. It can be called for several.
    ///
    /// A table of our names that somebody else made, with triggers and rows of its own, could let a key in: a store on
    /// it is not opened. Trusted are the role that connects and those whose rights it has, superusers, the owner of the
    /// database, the owner of the host's table, and the roles that are named here, such as one that runs migrations.
    #[must_use]
    pub fn trusting(self, role: impl Into<String>) -> Self {
        let trusted = self.trusted.iter().cloned().chain([role.into()]).collect();
        Self { trusted, ..self }
    }

    pub(in crate::sql::engine) fn trusted(&self) -> &[String] {
        &self.trusted
    }

    /// Keeps keyward's own tables in the schema `schema` instead of `keyward`.
    ///
    /// # Errors
    /// [`InvalidSchemaName`] unless it has 1 to 63 of `a-z`, `0-9` and `_`, starts with no digit, and not with `pg_`.
    pub fn own_tables_in(self, schema: &str) -> Result<Self, InvalidSchemaName> {
        let name = SchemaName::parse(schema)?;
        let name = (schema != schema_name::DEFAULT).then_some(name);
        Ok(Self { texts: Arc::new(Texts::with_schema(name)), ..self })
    }

    /// The same database, through the same pool, with another limit to how long this handle and its clones wait for a
    /// lock that somebody else holds, such as the row lock of a forgotten transaction, when they change something. Then
    /// the server ends the change, and the caller learns that the store is unavailable. Migrations, and what is done in
    /// a transaction of the host's, have the same limit; a lower one that the host has set itself is kept. For another
    /// process that migrates, a migration waits 30 seconds, or this if it is longer.
    ///
    /// A change as a whole is given up 8 seconds after this, a migration 60 seconds after this. One that was given up
    /// while it was being committed may have been made.
    ///
    /// At least 1 millisecond and at most 24 days, as a lock timeout of PostgreSQL's.
    #[must_use]
    pub fn lock_timeout(self, timeout: Duration) -> Self {
        Self { limits: self.limits.with_lock(timeout), ..self }
    }

    /// The same database, through the same pool, with another limit to how long a read of this handle and its clones,
    /// such as that of a verification, may take with its wait for a connection, whatever the acquire timeout of the pool;
    /// and how long a change waits for a connection. Then the store is unavailable.
    ///
    /// At least 1 millisecond and at most 24 days.
    #[must_use]
    pub fn read_timeout(self, timeout: Duration) -> Self {
        Self { limits: self.limits.with_read(timeout), ..self }
    }

    /// The same database, through the same pool, on a handle that is told whether statements may be prepared under a
    /// name, which is right unless a transaction pooler hands the server's sessions around (pgbouncer with `pool_mode = transaction`, also one that knows of prepared statements).
    ///
    /// Without this, the first call finds it out: it opens a second connection for a moment and looks whether both keep
    /// their sessions. Without names, a read takes four round trips instead of one.
    #[must_use]
    pub fn prepared_statements(self, are_named: bool) -> Self {
        let prepared = if are_named { Prepared::Named } else { Prepared::Unnamed };
        Self { sessions: Arc::new(Sessions::declared(prepared)), ..self }
    }

    /// The same database, on a handle whose stores each have `connections` of their own on which verifications are looked up:
    /// those that wait at the same time in one round trip, up to 64. None unless set: each verification takes a
    /// connection of the pool.
    ///
    /// Many verifications at once then take few connections, and none waits for the pool. One at a time saves the
    /// pool's question whether the connection is still good. The connections are taken from the pool when they are
    /// needed first, made as it makes its own, and are from then on beside the number that it is limited to; the pool's
    /// idle timeout and maximum lifetime are kept from there. One or two are enough for most services.
    ///
    /// What cannot be read so is read by way of the pool: behind a transaction pooler, after a failure, while tables are
    /// being changed, and when no reader is free within 100 milliseconds.
    #[must_use]
    pub fn gathered_readers(self, connections: u8) -> Self {
        Self { gathered_readers: connections, ..self }
    }

    /// The same database, on a handle whose stores look keys up on streaming replicas of it, each reached through one of
    /// `pools`. What a replica says counts as long as it is at most
    /// [`ReplicaPolicy::max_lag`] behind, which is measured on each connection; the
    /// [evidence](crate::key::Evidence::Replicated) of a verification says how far. A replica that is further behind, or does
    /// not answer, is left alone for a while, and another one is asked, or the primary.
    ///
    /// A revocation, rotation or change that is made through the same [`Keys`](crate::Keys) is in force when its call
    /// returns: from then on, only a replica will do that has it. A key that the replica does not know is looked up on the
    /// primary, and so is everything for [`Keys::verify_fresh`](crate::Keys::verify_fresh) and whatever is not a verification. A verification waits for
    /// replicas as long as [`ReplicaPolicy::patience`] says, before the primary is asked.
    ///
    /// Each connection has to keep to one server, as one through a balancer of connections does, and one through a
    /// transaction pooler does not: replicas behind such a pooler are not asked. A pool that reaches
    /// another database or timeline, one that has other tables, or one that is no replica any more, is not asked either. The
    /// role of a pool needs the same rights as a verifier. The chapter on [scale](crate::docs::scale#replicas) says more.
    #[must_use]
    pub fn replicas(self, pools: impl IntoIterator<Item = PgPool>, policy: ReplicaPolicy) -> Self {
        Self { replicas: pools.into_iter().collect(), replica_policy: policy, ..self }
    }

    pub(crate) const fn how_many_gathered_readers(&self) -> u8 {
        self.gathered_readers
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
        self.texts.schema().map_or(schema_name::DEFAULT, SchemaName::as_str)
    }

    /// Says where the functions of `pgcrypto` are.
    #[cfg(feature = "credentials")]
    pub(crate) fn find_pgcrypto_in(&self, schema: &str) {
        self.texts.find_pgcrypto_in(schema);
    }

    pub(super) async fn read<T: Send>(
        &self,
        query: &'static Query,
        arguments: &[Value<'_>],
        mut decode: impl FnMut(&Row<'_>) -> T + Send,
    ) -> Result<Vec<T>, EngineError> {
        let read = async {
            let mut held = self.hold().await?;
            let found = self.read_on(&mut held, query, arguments, &mut decode).await;
            held.finish();
            found
        };
        given_up_after(self.limits.read(), read).await
    }

    async fn read_on<T: Send>(
        &self,
        held: &mut Held<'_>,
        query: &'static Query,
        arguments: &[Value<'_>],
        decode: &mut (impl FnMut(&Row<'_>) -> T + Send),
    ) -> Result<Vec<T>, EngineError> {
        let mut prepared = self.prepared(held).await?;
        if self.caution.is_raised() {
            prepared = Prepared::Unnamed;
        }
        let mut retries = Retries::new();
        loop {
            let found = match prepared {
                Prepared::Named => connection::read(self, held, prepared, query, arguments, &mut *decode).await,
                Prepared::Unnamed => connection::read_in_transaction(self, held, query, arguments, &mut *decode).await,
            };
            match &found {
                Ok(_) if prepared == Prepared::Unnamed => self.caution.lower(),
                Err(EngineError::Unavailable { .. }) => self.caution.raise(),
                _ => {}
            }
            let stale = retries.after(&found);
            if !self.renew(stale, held, &mut prepared).await? {
                return found;
            }
        }
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, EngineError> {
        let execute = async {
            let (mut held, mut prepared) = self.hold_for_change().await?;
            let mut retries = Retries::new();
            let done = loop {
                let done = connection::execute(self, &mut held, prepared, &statement).await;
                let stale = retries.after(&done);
                if !self.renew(stale, &mut held, &mut prepared).await? {
                    break done;
                }
            };
            held.finish();
            done
        };
        given_up_after(self.limits.change(), execute).await
    }

    pub(super) async fn run<E: Send, T: Send>(
        &self,
        mut script: Script<E>,
        mut reading: Option<Reading<T>>,
    ) -> Result<(Counts, Vec<T>), ScriptError<E>> {
        let makes_tables = script.makes_tables();
        let run = async {
            let (mut held, mut prepared) = self.hold_for_change().await?;
            let mut retries = Retries::new();
            let done = loop {
                let done = connection::run(self, &mut held, prepared, &mut script, reading.as_mut()).await;
                let stale = retries.after(&done);
                if !self.renew(stale, &mut held, &mut prepared).await? {
                    break done;
                }
            };
            held.finish();
            done
        };
        let limit = if makes_tables { self.limits.migration() } else { self.limits.change() };
        given_up_after(limit, run).await
    }

    /// Runs a script inside the host's own transaction, in a savepoint: when this fails, the transaction is as it was
    /// before. A connection that is not in a transaction begun through sqlx is refused.
    pub(crate) async fn run_within<E: Send, T: Send>(
        &self,
        connection: &mut PgConnection,
        mut script: Script<E>,
        reading: Option<Reading<T>>,
    ) -> Result<(Counts, Vec<T>), ScriptError<E>> {
        host::run(self, connection, &mut script, reading).await
    }

    /// Refuses a connection whose transaction keeps one snapshot, in which what was committed since is not seen.
    pub(crate) async fn require_read_committed(connection: &mut PgConnection) -> Result<(), EngineError> {
        host::require_read_committed(connection).await
    }

    async fn hold(&self) -> Result<Held<'_>, EngineError> {
        // Apart, as a connection that is being made takes much room.
        let connection = Box::pin(self.pool.acquire()).await.map_err(classify)?;
        Ok(Held::new(connection, &self.caution))
    }

    async fn hold_for_change(&self) -> Result<(Held<'_>, Prepared), EngineError> {
        let hold = async {
            let mut held = self.hold().await?;
            let prepared = self.prepared(&mut held).await?;
            Ok((held, prepared))
        };
        given_up_after(self.limits.read(), hold).await
    }

    async fn prepared(&self, connection: &mut PgConnection) -> Result<Prepared, EngineError> {
        self.sessions.prepared(connection, &self.pool.connect_options()).await.map_err(classify)
    }

    /// Whether the same is to be done once more, as its statements can no longer be run; from now on with unnamed ones.
    async fn renew(
        &self,
        stale: Option<Stale>,
        held: &mut Held<'_>,
        prepared: &mut Prepared,
    ) -> Result<bool, EngineError> {
        let Some(stale) = stale else { return Ok(false) };
        if *prepared == Prepared::Named {
            *prepared = Prepared::Unnamed;
            match stale {
                Stale::Outdated => held.clear_cached_statements().await.map_err(classify)?,
                // Behind a pooler, to close what sqlx believes to have prepared might hit another client's.
                Stale::Lost => {
                    self.sessions.lost();
                    held.close_afterwards();
                }
            }
        }
        Ok(true)
    }
}
