//! The store itself: any schema joined to any engine.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::key::{HistoryEntry, KeyChange, KeyId, KeyRecord, OwnerId, Reason, Revoked, RevokedAll, Rotation};
#[cfg(feature = "postgres")]
use crate::sql::engine::Postgres;
use crate::sql::engine::check::Difference;
use crate::sql::engine::migrate::{AppliedMigration, MigrateError};
use crate::sql::engine::{Cell, Engine, EngineError, Query, Row, ScriptError, Value, Violation};
#[cfg(feature = "postgres")]
use crate::sql::keys::gather::Gather;
#[cfg(feature = "postgres")]
use crate::sql::keys::replicas::Replicas;
use crate::sql::keys::schema::PURGED;
use crate::sql::keys::{KeyTables, RowReader, SqlSchema, last_use};
#[cfg(feature = "postgres")]
use crate::store::FoundOnReplica;
use crate::store::{
    Abilities, ChangeFeed, KeyLookup, KeyStore, KeyUse, ListRequest, PurgeRequest, RevokeAllRequest, RevokeRequest,
    StoreError, Touched,
};
use crate::time::Timestamp;
use crate::visible::visible_error;

/// The keys of one schema in one engine. Clones share it, and stores on the same engine share its connections.
///
/// ```no_run
/// use keyward::schemas::standard::Standard;
/// use keyward::{Engine, Keys, SqlKeyStore};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::connect("sqlite:app.db?mode=rwc").await?;
/// let store = SqlKeyStore::open(&engine, Standard::new("acme")?).await?;
/// let keys = Keys::builder(store.clone()).build();
/// store.migrate(keys.now()).await?;
/// # Ok(())
/// # }
/// ```
pub struct SqlKeyStore<S: SqlSchema> {
    pub(super) shared: Arc<Shared<S>>,
}

pub(super) struct Shared<S: SqlSchema> {
    pub(super) engine: Engine,
    #[cfg(feature = "postgres")]
    gather: Option<Gather<S>>,
    #[cfg(feature = "postgres")]
    replicas: Option<Replicas<S>>,
    /// Apart from the rest, so that work on its way to an engine does not hold the engine itself.
    pub(super) schema: Arc<S>,
    side_tables: AtomicBool,
}

impl<S: SqlSchema> Clone for SqlKeyStore<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: SqlSchema> fmt::Debug for SqlKeyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlKeyStore")
            .field("engine", &self.shared.engine)
            .field("schema", &self.shared.schema)
            .field("side_tables", &self.shared.side_tables)
            .finish()
    }
}

impl<S: SqlSchema> SqlKeyStore<S> {
    /// The keys of `schema` in the database of `engine`.
    ///
    /// Tables that are still to be made are no error: [`migrate`](Self::migrate) makes them. What could let a key in, or
    /// fail later, is: tables that somebody else has made, or another version of keyward, and those that the database
    /// role may not read. Which of the optional side tables are there is looked up here and in `migrate`; as long as there
    /// are none, also whenever keys are revoked or rotated, or their last use is written.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] says why the tables will not do, see [`Engine::check`] and [`Engine::migrate`], which need
    /// no store; otherwise when the database could not answer.
    pub async fn open(engine: impl Into<Engine>, schema: S) -> Result<Self, StoreError> {
        let engine = engine.into();
        let side_tables = AtomicBool::new(engine.examine(&schema).await?);
        #[cfg(feature = "postgres")]
        let (gather, replicas) = match &engine {
            Engine::Postgres(postgres) => {
                let tables: Vec<_> = S::tables().iter().map(|table| table.name.on(&engine)).collect();
                (Gather::new(postgres), Replicas::new(postgres, tables.join(",")))
            }
            #[cfg(feature = "sqlite")]
            Engine::Sqlite(_) => (None, None),
        };
        let schema = Arc::new(schema);
        let shared = Shared {
            engine,
            #[cfg(feature = "postgres")]
            gather,
            #[cfg(feature = "postgres")]
            replicas,
            schema,
            side_tables,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(crate) fn has_side_tables(&self) -> bool {
        self.shared.side_tables.load(Ordering::Relaxed)
    }

    /// Looks once more for side tables where there were none. Another process may have made them since: what is revoked
    /// here has to stand in them as well, and what was revoked there has to count here.
    pub(crate) async fn look_again(&self) -> Result<(), StoreError> {
        if self.has_side_tables() || !S::tables().iter().any(|table| table.optional) {
            return Ok(());
        }
        let side_tables = self.shared.engine.side_tables::<S>().await?;
        self.shared.side_tables.store(side_tables, Ordering::Relaxed);
        Ok(())
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Makes what is missing: tables of keyward's own, and columns that a host's table lacks, where the schema allows
    /// it. Running it again, or in several processes at once, does nothing more. What it did is recorded in the table
    /// `migrations` of keyward's own.
    ///
    /// `at` is the time that is recorded.
    ///
    /// # Errors
    /// [`MigrateError::Unfit`] when a newer keyward has migrated this database, a migration was applied in another form
    /// before, or a table of keyward's names was made by somebody else; nothing is changed then.
    /// [`MigrateError::Incompatible`] when a table lacks what cannot be added; and when the database
    /// could not answer.
    pub async fn migrate(&self, at: Timestamp) -> Result<Vec<AppliedMigration>, MigrateError> {
        let applied = self.shared.engine.migrate::<S>(at).await?;
        let side_tables = self.shared.engine.side_tables::<S>().await;
        let side_tables = side_tables.map_err(|error| MigrateError::Failed { source: error.into() })?;
        self.shared.side_tables.store(side_tables, Ordering::Relaxed);
        Ok(applied)
    }

    /// Compares the tables that are there with those that keyward expects, and names every difference: in their form, in
    /// whose they are, in what the database role may do with them, and in what the database does to their rows by
    /// itself. It only reads.
    ///
    /// # Errors
    /// [`StoreError`] when the database could not answer.
    pub async fn check(&self) -> Result<Vec<Difference>, StoreError> {
        self.shared.engine.check::<S>().await
    }

    async fn find_alone(&self, lookup: KeyLookup<'_>) -> Result<Vec<Arc<KeyRecord<S>>>, EngineError> {
        let hex = lookup.digest.to_hex();
        let (arguments, used) = S::lookup(&lookup, &hex);
        let query = self.shared.schema.find(self.has_side_tables());
        let mut decode = self.decoder();
        self.shared.engine.look_up(query, &arguments[..used], move |row| Arc::new(decode(row))).await
    }

    #[cfg(feature = "postgres")]
    async fn find_gathered(
        &self,
        gather: &Gather<S>,
        postgres: &Postgres,
        lookup: KeyLookup<'_>,
    ) -> Result<Vec<Arc<KeyRecord<S>>>, EngineError> {
        // What is known of the side tables when the lookup begins, not when its turn is waited for.
        let query = || self.shared.schema.find(self.has_side_tables());
        let mut decode = self.decoder();
        let find = async {
            match gather.find(postgres, query, &lookup, None, |row| Arc::new(decode(row))).await {
                Some(found) => Ok(found.records),
                None => self.find_alone(lookup).await,
            }
        };
        postgres.within_read_timeout(find).await
    }

    async fn read(&self, query: &'static Query, arguments: &[Value<'_>]) -> Result<Vec<KeyRecord<S>>, StoreError> {
        self.shared.engine.read(query, arguments, self.decoder()).await.map_err(interpret::<S>)
    }

    pub(crate) fn decoder(&self) -> impl FnMut(&Row<'_>) -> KeyRecord<S> + Send + 'static {
        let schema = Arc::clone(&self.shared.schema);
        move |row| schema.decode(RowReader::new(S::TABLE, row))
    }

    /// A store that cannot keep a reason refuses one before anything happens.
    pub(crate) fn accept_reason(&self, reason: Option<&Reason>) -> Result<(), StoreError> {
        if reason.is_none() || self.abilities().revocation_reason {
            return Ok(());
        }
        Err(StoreError::Unsupported("this store has no place for a reason: migrate it to add the side tables"))
    }
}

/// The first cell, as a number.
fn integer(row: &Row<'_>) -> i64 {
    match row.cell(0) {
        Cell::Integer(number) => number,
        _ => -1,
    }
}

/// What the store reports of an error of the engine.
pub(super) fn interpret<S: KeyTables>(error: EngineError) -> StoreError {
    interpret_with(error, S::interpret)
}

/// As [`interpret`], for tables whose constraints mean what `violated` says.
pub(crate) fn interpret_with(error: EngineError, violated: impl FnOnce(&Violation) -> StoreError) -> StoreError {
    match error {
        EngineError::Unavailable { backend, source } => {
            StoreError::Unavailable { backend, source: visible_error(source) }
        }
        EngineError::Violation(violation) => violated(&violation),
        EngineError::Unsupported(reason) => StoreError::Unsupported(reason),
        EngineError::Denied { backend, source } => StoreError::Denied { backend, source: visible_error(source) },
        EngineError::Undecryptable { backend, source } | EngineError::Failed { backend, source } => {
            StoreError::Backend { backend, source: visible_error(source) }
        }
    }
}

pub(crate) fn interpret_script<S: KeyTables>(error: ScriptError<StoreError>) -> StoreError {
    match error {
        ScriptError::Refused(error) => error,
        ScriptError::Engine(error) => interpret::<S>(error),
    }
}

#[async_trait]
impl<S: SqlSchema> KeyStore for SqlKeyStore<S> {
    type Schema = S;

    fn schema(&self) -> &S {
        &self.shared.schema
    }

    fn abilities(&self) -> Abilities {
        let mut abilities = <S as KeyTables>::abilities(self.has_side_tables());
        abilities.watch = true;
        #[cfg(feature = "postgres")]
        {
            abilities.replicas = self.shared.replicas.is_some();
        }
        abilities
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<Arc<KeyRecord<S>>>, StoreError> {
        #[cfg(feature = "postgres")]
        if let (Some(gather), Engine::Postgres(postgres)) = (&self.shared.gather, &self.shared.engine) {
            return self.find_gathered(gather, postgres, lookup).await.map_err(interpret::<S>);
        }
        self.find_alone(lookup).await.map_err(interpret::<S>)
    }

    #[cfg(feature = "postgres")]
    async fn find_on_replica(&self, lookup: KeyLookup<'_>) -> Result<Option<FoundOnReplica<S>>, StoreError> {
        let Some(replicas) = &self.shared.replicas else { return Ok(None) };
        let query = || self.shared.schema.find(self.has_side_tables());
        let mut decode = self.decoder();
        replicas.find(query, lookup, |row| Arc::new(decode(row))).await
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<S>>, StoreError> {
        let query = KeyTables::get(&*self.shared.schema, self.has_side_tables());
        let found = self.shared.engine.look_up(query, &[id.as_str().into()], self.decoder()).await;
        Ok(found.map_err(interpret::<S>)?.pop())
    }

    async fn list(&self, request: &ListRequest) -> Result<Vec<KeyRecord<S>>, StoreError> {
        if let Some(after) = &request.after {
            let last = KeyStore::get(self, after).await?.ok_or(StoreError::UnknownCursor)?;
            if request.filter.owner.as_ref().is_some_and(|owner| last.head.owner != *owner) {
                return Err(StoreError::UnknownCursor);
            }
        }
        let (query, arguments) = KeyTables::list(&*self.shared.schema, request, self.has_side_tables())?;
        self.read(query, &arguments).await
    }

    async fn count(&self, request: &ListRequest) -> Result<u64, StoreError> {
        let (query, arguments) = KeyTables::count(&*self.shared.schema, request)?;
        let counted = self.shared.engine.read(query, &arguments, integer).await.map_err(interpret::<S>)?;
        Ok(counted.first().map_or(0, |count| count.unsigned_abs()))
    }

    async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        let Some(query) = S::owner() else { return Ok(true) };
        let found = self.shared.engine.read(query, &[owner.as_str().into()], |_| ()).await;
        Ok(!found.map_err(interpret::<S>)?.is_empty())
    }

    async fn insert(&self, key: &KeyRecord<S>) -> Result<(), StoreError> {
        let script = self.shared.schema.insert(key)?.only_while_awaited();
        self.shared.engine.run(script).await.map(|_| ()).map_err(interpret_script::<S>)
    }

    async fn rotate(&self, rotation: &Rotation<S>) -> Result<KeyRecord<S>, StoreError> {
        self.look_again().await?;
        let mut operation = self.rotation(rotation);
        operation.script = operation.script.only_while_awaited();
        operation.run(&self.shared.engine).await.map_err(interpret_script::<S>)
    }

    async fn change(&self, change: &KeyChange<S>) -> Result<(), StoreError> {
        let script = self.shared.schema.change(change)?;
        self.shared.engine.run(script).await.map(|_| ()).map_err(interpret_script::<S>)
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<Option<Revoked>, StoreError> {
        self.look_again().await?;
        self.revocation(request)?.run(&self.shared.engine).await.map_err(interpret_script::<S>)
    }

    async fn revoke_all(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        self.look_again().await?;
        self.accept_reason(request.reason.as_ref())?;
        self.revoke_every_key(request).await
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<Touched, StoreError> {
        // Last use does not stand in them. This is only what a service does again and again.
        let _ = self.look_again().await;
        last_use::write::<S>(&self.shared.engine, uses).await.map_err(interpret::<S>)
    }

    async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, StoreError> {
        let (query, arguments) = <S as KeyTables>::history(id)?;
        let decode = |row: &Row<'_>| S::decode_history(RowReader::new(S::TABLE, row));
        let entries = self.shared.engine.read(query, &arguments, decode).await.map_err(interpret::<S>)?;
        Ok(entries.into_iter().flatten().collect())
    }

    async fn purge(&self, request: &PurgeRequest) -> Result<u64, StoreError> {
        let script = <S as KeyTables>::purge(request)?;
        let counts = self.shared.engine.run(script).await.map_err(interpret_script::<S>)?;
        Ok(counts.of(PURGED))
    }

    async fn watch(&self) -> Result<Box<dyn ChangeFeed>, StoreError> {
        self.feed().await
    }
}
