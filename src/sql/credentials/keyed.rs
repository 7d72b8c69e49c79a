//! Keys and the credentials that they stand on, in one transaction: [`SqlKeyedStore`].

use std::sync::Arc;

use async_trait::async_trait;

use crate::key::{KeyRecord, Revoked, Rotation};
use crate::sql::credentials::{KeyedLayout, SqlCredentialStore};
use crate::sql::engine::migrate::{AppliedMigration, MigrateError};
use crate::sql::engine::{Engine, Query, Script, Step, Value};
use crate::sql::keys::{KeyTables, SqlKeyStore, interpret_script, revocation};
use crate::store::credentials::{CredentialStore, KeyedCredentialStore, Standing};
use crate::store::{KeyStore, Reference, RevokeRequest, StoreError};
use crate::time::Timestamp;

/// The keys of a schema and the credentials that they stand on, in one database. Clones share it.
#[derive(Debug)]
pub struct SqlKeyedStore<L: KeyedLayout> {
    keys: Arc<SqlKeyStore<L::Schema>>,
    credentials: Arc<SqlCredentialStore<L>>,
}

impl<L: KeyedLayout> Clone for SqlKeyedStore<L> {
    fn clone(&self) -> Self {
        Self { keys: Arc::clone(&self.keys), credentials: Arc::clone(&self.credentials) }
    }
}

impl<L: KeyedLayout> SqlKeyedStore<L> {
    /// Both stores over one engine.
    ///
    /// # Errors
    /// As [`SqlKeyStore::open`] and [`SqlCredentialStore::open`].
    pub async fn open(engine: impl Into<Engine>, schema: L::Schema, layout: L) -> Result<Self, StoreError> {
        let engine = engine.into();
        let keys = Arc::new(SqlKeyStore::open(&engine, schema).await?);
        Ok(Self { keys, credentials: Arc::new(SqlCredentialStore::open(engine, layout).await?) })
    }

    /// The store of the keys.
    #[must_use]
    pub fn key_store(&self) -> &SqlKeyStore<L::Schema> {
        &self.keys
    }

    /// The store of the credentials.
    #[must_use]
    pub fn credential_store(&self) -> &SqlCredentialStore<L> {
        &self.credentials
    }

    /// Makes what is missing for both.
    ///
    /// # Errors
    /// As [`SqlKeyStore::migrate`].
    pub async fn migrate(&self, at: Timestamp) -> Result<Vec<AppliedMigration>, MigrateError> {
        let mut applied = self.keys.migrate(at).await?;
        applied.extend(self.credentials.migrate(at).await?);
        Ok(applied)
    }
}

/// The steps that see to what a new key stands on. All of them are required.
pub(super) fn standing<L: KeyedLayout>(
    layout: &L,
    key: &KeyRecord<L::Schema>,
    on: Standing<'_>,
) -> Result<Script<StoreError>, StoreError> {
    let owner = &key.head.owner;
    match on {
        Standing::New(put) if put.record.head.owner == *owner => layout.put(put),
        Standing::New(_) => Err(StoreError::Unsupported("the credential is not that of the key's owner")),
        Standing::Same => {
            let missing = StoreError::Missing(Reference::Credential);
            Ok(Script::new([Step::require(layout.is_usable(owner), missing)]))
        }
    }
}

/// A revocation with what wipes the credential behind it, what is read then, and how many steps are the revocation's.
pub(super) struct RevokeAndWipe {
    pub(super) script: Script<StoreError>,
    pub(super) query: &'static Query,
    pub(super) named: Vec<Value<'static>>,
    revoke_steps: usize,
    all_steps: usize,
}

impl RevokeAndWipe {
    pub(super) fn new<L: KeyedLayout>(keys: &SqlKeyStore<L::Schema>, layout: &L, request: &RevokeRequest) -> Self {
        let side_tables = keys.has_side_tables();
        let revoke = keys.schema().revoke(request, side_tables);
        let revoke_steps = revoke.len();
        let script = revoke.then(layout.wipe_after_revocation(request));
        let all_steps = script.len();
        let (query, named) = <L::Schema as KeyTables>::revoked(request, side_tables);
        Self { script, query, named, revoke_steps, all_steps }
    }

    /// What came of it, from the rows that its steps returned and what was found.
    pub(super) fn outcome<L: KeyedLayout>(
        steps: (usize, usize),
        request: &RevokeRequest,
        counts: &[u64],
        found: Vec<revocation::Found>,
    ) -> Result<Option<(Revoked, bool)>, StoreError> {
        let (revoke_steps, all_steps) = steps;
        let revoked = revocation::outcome::<L::Schema>(request, &counts[..revoke_steps.min(counts.len())], found)?;
        Ok(revoked.map(|revoked| (revoked, counts.len() == all_steps)))
    }

    pub(super) const fn steps(&self) -> (usize, usize) {
        (self.revoke_steps, self.all_steps)
    }
}

#[async_trait]
impl<L: KeyedLayout> KeyedCredentialStore for SqlKeyedStore<L> {
    type Schema = L::Schema;

    fn keys(&self) -> Arc<dyn KeyStore<Schema = L::Schema>> {
        Arc::<SqlKeyStore<L::Schema>>::clone(&self.keys)
    }

    fn credentials(&self) -> Arc<dyn CredentialStore> {
        Arc::<SqlCredentialStore<L>>::clone(&self.credentials)
    }

    async fn insert(&self, key: &KeyRecord<L::Schema>, on: Standing<'_>) -> Result<(), StoreError> {
        let script = self.keys.schema().insert(key)?.then(standing(self.credentials.layout(), key, on)?);
        let done = self.keys.engine().run(script.only_while_awaited()).await;
        done.map(|_| ()).map_err(interpret_script::<L::Schema>)
    }

    async fn rotate(
        &self,
        rotation: &Rotation<L::Schema>,
        on: Standing<'_>,
    ) -> Result<KeyRecord<L::Schema>, StoreError> {
        self.keys.look_again().await?;
        let side_tables = self.keys.has_side_tables();
        let schema = self.keys.schema();
        let standing = standing(self.credentials.layout(), &rotation.successor, on)?;
        let script = schema.rotate(rotation, side_tables).then(standing).only_while_awaited();
        let query = KeyTables::get(schema, side_tables);
        let id = vec![rotation.successor.head.id.as_str().to_owned().into()];
        let done = self.keys.engine().run_and_read(script, query, id, self.keys.decoder()).await;
        let (_, found) = done.map_err(interpret_script::<L::Schema>)?;
        SqlKeyStore::<L::Schema>::read_successor(found)
    }

    async fn revoke_and_wipe(&self, request: &RevokeRequest) -> Result<Option<(Revoked, bool)>, StoreError> {
        self.keys.look_again().await?;
        self.keys.accept_reason(request.reason.as_ref())?;
        let both = RevokeAndWipe::new(&self.keys, self.credentials.layout(), request);
        let steps = both.steps();
        let found = revocation::found::<L::Schema>;
        let done = self.keys.engine().run_and_read(both.script, both.query, both.named, found).await;
        let (counts, found) = done.map_err(interpret_script::<L::Schema>)?;
        RevokeAndWipe::outcome::<L>(steps, request, &counts, found)
    }
}
