//! The schema `aggregator` in SQL: the columns of a key in the host's table, their statements, and the one function that
//! reads a row.

#[cfg(feature = "credentials")]
mod credentials;
mod last_use;
mod reads;
mod revocations;
mod statements;
mod table;

use crate::key::{DisplayPrefix, HexDigest, KeyHead, KeyId, KeyRecord, OwnerId, Rotation};
use crate::schemas::aggregator::{Aggregator, AggregatorDetails};
use crate::sql::engine::check::Table;
use crate::sql::engine::migrate::{Change, Migration};
use crate::sql::engine::{Query, Script, Sql, Statement, Step, Value};
use crate::sql::keys::host::{
    Changes, HostTable, REVOCATIONS, ROTATIONS, Reads, SIDE_TABLES, digest, owner_lock, revocation_status,
};
use crate::sql::keys::{RowReader, columns};
use crate::store::{Abilities, KeyLookup, Reference, StoreError};

#[cfg(feature = "credentials")]
pub use credentials::AggregatorCredentials;

columns! {
    /// What every read of this schema returns.
    enum Column {
        Did = "did",
        Prefix = "api_key_prefix",
        Hash = "api_key_hash",
        CreatedAt = "api_key_created_at",
        LastUsedAt = "api_key_last_used_at",
        RevokedAt = "api_key_revoked_at",
        Reason = "reason",
    }
}

impl HostTable for Aggregator {
    const TABLE: &'static str = "aggregators";
    const TABLES: &'static [&'static Table] = &[&table::AGGREGATORS, &REVOCATIONS, &ROTATIONS];
    const MIGRATIONS: &'static [Migration] =
        &[Migration::new(1, "aggregators", Change::Adopt(&table::AGGREGATORS)), SIDE_TABLES];
    const CHANGES: &'static Changes = &statements::CHANGES;
    #[cfg(feature = "postgres")]
    const CHANGE_TRIGGERS: Sql = Sql { postgres: include_str!("changes.postgres.sql"), sqlite: "" };
    const OWNER: Option<&'static Query> = Some(&statements::AGGREGATOR);

    fn reads(&self) -> &'static Reads {
        &reads::READS
    }

    fn abilities(side_tables: bool) -> Abilities {
        let mut abilities = Abilities::all();
        abilities.several_keys_per_owner = false;
        abilities.expiry = false;
        // A key that was replaced is gone, so it cannot be replaced again.
        abilities.rotation_memory = true;
        abilities.revocation_reason = side_tables;
        abilities.changes = false;
        abilities.search = false;
        abilities.purge = false;
        abilities
    }

    fn lookup<'v>(_lookup: &KeyLookup<'v>, hex: &'v HexDigest) -> ([Value<'v>; 2], usize) {
        ([hex.as_str().into(), Value::Text(None)], 1)
    }

    fn columns(key: &KeyRecord<Self>) -> Vec<Value<'static>> {
        let head = &key.head;
        vec![
            head.owner.as_str().to_owned().into(),
            head.prefix.as_str().to_owned().into(),
            digest(head.digest.as_ref()),
            head.created_at.into(),
        ]
    }

    fn accept(_key: &KeyRecord<Self>) -> Result<(), StoreError> {
        Ok(())
    }

    /// The aggregator itself, which the host's indexer makes.
    fn references(&self, key: &KeyRecord<Self>) -> Vec<Step<StoreError>> {
        let aggregator = Statement::new(statements::AGGREGATOR.sql(), [key.head.owner.as_str().to_owned().into()]);
        vec![Step::require(aggregator, StoreError::Missing(Reference::Owner))]
    }

    /// One statement ends the old key and adds the new one, so that there is no moment with both or neither.
    fn rotate(&self, rotation: &Rotation<Self>, _side_tables: bool) -> Script<StoreError> {
        let Rotation { predecessor, successor, must_be_live, .. } = rotation;
        let mut arguments = Self::columns(successor);
        arguments.extend([digest(predecessor.digest.as_ref()), i64::from(*must_be_live).into()]);
        let mut steps = self.references(successor);
        steps.push(Step::require(Statement::new(statements::REPLACE, arguments), StoreError::Conflict));
        Script::locked(owner_lock::<Self>(&predecessor.owner), steps)
    }

    fn decode(&self, mut row: RowReader<'_>) -> KeyRecord<Self> {
        let did = row.text(Column::Did);
        let prefix = DisplayPrefix::from_stored(row.text(Column::Prefix));
        let digest = row.digest(Column::Hash);
        let mut head = KeyHead::new(KeyId::from_stored(did.clone()), OwnerId::from_stored(did), prefix, digest);
        head.created_at = row.timestamp(Column::CreatedAt);
        // The service itself leaves the last use of a key that it replaces in the row.
        head.last_used_at =
            row.timestamp(Column::LastUsedAt).filter(|at| head.created_at.is_none_or(|issued| *at >= issued));
        let revoked_at = row.timestamp(Column::RevokedAt);
        let reason = row.optional_text(Column::Reason);
        head.status = revocation_status(revoked_at, reason, true);
        head.defect = row.defect();
        KeyRecord::new(head, AggregatorDetails {})
    }

    fn further_statements() -> Vec<(&'static str, Sql)> {
        vec![("replace", statements::REPLACE)]
    }

    fn all_reads() -> Vec<(&'static str, &'static Reads)> {
        vec![("", &reads::READS)]
    }
}
