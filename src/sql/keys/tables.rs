//! The tables of a schema: made, checked, and looked at before a store is opened on them.

use crate::key::KeyDigest;
use crate::sql::engine::check::{Difference, Lacking, Untrusted};
use crate::sql::engine::migrate::{AppliedMigration, MigrateError};
use crate::sql::engine::{Engine, EngineError, Query, Value};
use crate::sql::keys::store::interpret;
use crate::sql::keys::{KeyTables, SqlSchema};
use crate::store::{KeyLookup, StoreError, Unfit};
use crate::time::Timestamp;
use crate::visible::visible_error;

impl Engine {
    /// Makes the tables that the schema `S` lacks, see [`SqlKeyStore::migrate`](crate::SqlKeyStore::migrate). It needs no
    /// store, which would not open on tables that another version has made, or somebody else.
    ///
    /// # Errors
    /// As [`SqlKeyStore::migrate`](crate::SqlKeyStore::migrate).
    pub async fn migrate<S: SqlSchema>(&self, at: Timestamp) -> Result<Vec<AppliedMigration>, MigrateError> {
        self.apply(S::NAME, <S as KeyTables>::migrations(), S::tables(), at).await
    }

    /// Names every difference between the tables that are there and those that the schema `S` expects, see
    /// [`SqlKeyStore::check`](crate::SqlKeyStore::check). It needs no store, which would not open on some of them.
    ///
    /// # Errors
    /// As [`SqlKeyStore::check`](crate::SqlKeyStore::check).
    pub async fn check<S: SqlSchema>(&self) -> Result<Vec<Difference>, StoreError> {
        let mut differences = self.differences(S::tables()).await.map_err(interpret::<S>)?;
        let versions = self.version_differences(S::NAME, <S as KeyTables>::migrations()).await;
        match versions {
            Ok(versions) => differences.extend(versions),
            // What may not be read was named already.
            Err(_) if self.denied::<S>().await.is_some() => return Ok(differences),
            Err(error) => return Err(self.unfit(error)),
        }
        let presence = self.presence(S::NAME, <S as KeyTables>::migrations(), S::tables()).await;
        // Another version's tables are not known by their names.
        let lost = presence.map_or_else(|_| Vec::new(), |presence| presence.lost);
        for difference in &mut differences {
            // Revocations stood in it, so that what it says is not as if there never had been one.
            difference.breaking |= difference.found == "none" && lost.contains(&difference.object);
        }
        Ok(differences)
    }

    /// Whether a store may open, and whether it has side tables.
    pub(super) async fn examine<S: SqlSchema>(&self, schema: &S) -> Result<bool, StoreError> {
        if let Some(Untrusted { object, owner }) = self.untrusted(S::tables()).await.map_err(interpret::<S>)? {
            return Err(Unfit::Untrusted { object, owner }.into());
        }
        let side_tables = match self.side_tables::<S>().await {
            Err(error @ StoreError::Backend { .. }) => return Err(self.denied::<S>().await.unwrap_or(error)),
            other => other?,
        };
        for (query, arguments) in reads(schema, side_tables) {
            match self.read(query, &arguments, |_| ()).await {
                Err(error @ EngineError::Denied { .. }) => {
                    return Err(self.denied::<S>().await.unwrap_or_else(|| interpret::<S>(error)));
                }
                Err(error @ EngineError::Unavailable { .. }) => return Err(interpret::<S>(error)),
                // Tables that are still to be made, or a column, are for `check` and `migrate` to say.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(side_tables)
    }

    /// A side table that was made counts as there, even where somebody dropped it: without it a revocation would be less
    /// than it is said to be, so that whatever needs it fails until it is made again. One of the two is as good as both.
    pub(super) async fn side_tables<S: SqlSchema>(&self) -> Result<bool, StoreError> {
        let presence = self.presence(S::NAME, <S as KeyTables>::migrations(), S::tables()).await;
        let presence = presence.map_err(|error| self.unfit(error))?;
        for table in &presence.lost {
            tracing::error!(event = "table.lost", table, "a table that was made is gone: migrate makes it again");
        }
        Ok(!presence.found.is_empty() || !presence.lost.is_empty())
    }

    /// Which right is lacking.
    async fn denied<S: SqlSchema>(&self) -> Option<StoreError> {
        let Lacking { object, right, columns } = self.unreadable(S::tables()).await.ok()??;
        let object = if columns.is_empty() { object } else { format!("{object} ({columns})") };
        Some(Unfit::Denied { object, right }.into())
    }

    /// What opening a store says of what migrating would say.
    pub(crate) fn unfit(&self, error: MigrateError) -> StoreError {
        let backend = self.backend();
        match error {
            MigrateError::Unfit(unfit) => unfit.into(),
            MigrateError::Unavailable { backend, source } => {
                StoreError::Unavailable { backend, source: visible_error(source) }
            }
            MigrateError::Failed { source } => StoreError::Backend { backend, source: visible_error(source) },
            other @ MigrateError::Incompatible { .. } => StoreError::Backend { backend, source: other.into() },
        }
    }
}

/// What verifying a key reads, and showing it, for a key that there is not.
fn reads<S: SqlSchema>(schema: &S, side_tables: bool) -> [(&'static Query, Vec<Value<'static>>); 2] {
    let digest = KeyDigest::from_bytes([0; 32]);
    let hex = digest.to_hex();
    let (arguments, used) = S::lookup(&KeyLookup::new(&digest, ""), &hex);
    let arguments = arguments.into_iter().take(used).map(Value::into_owned).collect();
    [(schema.find(side_tables), arguments), (KeyTables::get(schema, side_tables), vec!["".into()])]
}
