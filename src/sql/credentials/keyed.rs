//! Keys and the credentials that they stand on, in one transaction: [`SqlKeyedStore`].

use std::sync::Arc;

use async_trait::async_trait;

use crate::key::{KeyRecord, Revoked, Rotation};
use crate::sql::credentials::{KeyedLayout, SqlCredentialStore};
use crate::sql::engine::migrate::{AppliedMigration, MigrateError};
use crate::sql::engine::{Engine, Script, Step};
use crate::sql::keys::{KeyTables, SqlKeyStore, interpret_script};
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
        let standing = standing(self.credentials.layout(), &rotation.successor, on)?;
        let operation = self.keys.rotation(rotation).then(standing).only_while_awaited();
        operation.run(self.keys.engine()).await.map_err(interpret_script::<L::Schema>)
    }

    async fn revoke_and_wipe(&self, request: &RevokeRequest) -> Result<Option<(Revoked, bool)>, StoreError> {
        self.keys.look_again().await?;
        let wipe = self.credentials.layout().wipe_after_revocation(request);
        let operation = self.keys.revocation(request)?.and(wipe);
        let done = operation.run(self.keys.engine()).await.map_err(interpret_script::<L::Schema>)?;
        Ok(and_wiped(done))
    }
}

/// A revocation, if there was a key, and whether a credential was wiped behind it.
pub(super) fn and_wiped<R>((revoked, wiped): (Option<R>, bool)) -> Option<(R, bool)> {
    revoked.map(|revoked| (revoked, wiped))
}
