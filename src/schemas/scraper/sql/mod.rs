//! The schema `scraper` in SQL: its table, its statements, and the one function that reads its rows.

mod last_use;
mod reads;
mod revocations;
mod statements;
mod table;

use crate::key::{
    DisplayPrefix, HexDigest, KeyHead, KeyId, KeyName, KeyRecord, Metadata, OwnerId, RateLimit, Rotation, Scopes,
};
use crate::schemas::scraper::{Scraper, ScraperDetails};
use crate::sql::engine::check::Table;
use crate::sql::engine::migrate::{Change, Migration};
use crate::sql::engine::{Query, Script, Sql, Step, Value};
use crate::sql::keys::host::{self, Changes, HostTable, REVOCATIONS, ROTATIONS, Reads, SIDE_TABLES, digest};
use crate::sql::keys::json::{Entry, entries, texts};
use crate::sql::keys::rotation::{self, Succession};
use crate::sql::keys::{RowReader, columns};
use crate::store::{Abilities, KeyLookup, StoreError};

columns! {
    /// What every read of this schema returns.
    enum Column {
        Id = "id",
        ClientId = "client_id",
        KeyPrefix = "key_prefix",
        KeyHash = "key_hash",
        CreatedAt = "created_at",
        LastUsedAt = "last_used_at",
        ExpiresAt = "expires_at",
        IsActive = "is_active",
        RevokedAt = "revoked_at",
        Reason = "reason",
        SuccessorId = "successor_id",
        Name = "name",
        Scopes = "scopes",
        RateLimit = "rate_limit_rpm",
        Metadata = "metadata",
    }
}

impl HostTable for Scraper {
    const TABLE: &'static str = "api_keys";
    const TABLES: &'static [&'static Table] = &[&table::API_KEYS, &REVOCATIONS, &ROTATIONS];
    const MIGRATIONS: &'static [Migration] =
        &[Migration::new(1, "api_keys", Change::Adopt(&table::API_KEYS)), SIDE_TABLES];
    const CHANGES: &'static Changes = &statements::CHANGES;
    #[cfg(feature = "postgres")]
    const CHANGE_TRIGGERS: Sql = Sql { postgres: include_str!("changes.postgres.sql"), sqlite: "" };
    const OWNER: Option<&'static Query> = None;

    fn reads(&self) -> &'static Reads {
        &reads::READS
    }

    fn abilities(side_tables: bool) -> Abilities {
        let mut abilities = Abilities::all();
        abilities.rotation_memory = side_tables;
        abilities.revocation_time = side_tables;
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
        let KeyRecord { head, details } = key;
        let scopes: Vec<_> = details.scopes.iter().collect();
        vec![
            head.id.as_str().to_owned().into(),
            digest(head.digest.as_ref()),
            head.prefix.as_str().to_owned().into(),
            details.name.as_str().to_owned().into(),
            head.owner.as_str().to_owned().into(),
            serde_json::json!(scopes).to_string().into(),
            Value::Integer(details.rate_limit.to_stored()),
            head.created_at.into(),
            head.expires_at.into(),
            details.metadata.as_ref().map(|metadata| metadata.as_str().to_owned()).into(),
        ]
    }

    fn accept(key: &KeyRecord<Self>) -> Result<(), StoreError> {
        let is_json = |metadata: &Metadata| serde_json::from_str::<serde_json::Value>(metadata.as_str()).is_ok();
        // `jsonb` takes no escaped NUL either.
        let is_held = |metadata: &Metadata| is_json(metadata) && !metadata.as_str().contains("\\u0000");
        if key.details.metadata.as_ref().is_none_or(is_held) {
            Ok(())
        } else {
            let reason = "the metadata of this schema must be a JSON document without NUL characters, nested at most \
                          127 levels deep and with numbers below 1e308";
            Err(StoreError::Unsupported(reason))
        }
    }

    /// A client is a plain name.
    fn references(&self, _key: &KeyRecord<Self>) -> Vec<Step<StoreError>> {
        Vec::new()
    }

    fn rotate(&self, rotation: &Rotation<Self>, side_tables: bool) -> Script<StoreError> {
        rotation::rotate(&statements::SUCCESSION, rotation, Vec::new(), side_tables)
    }

    fn decode(&self, mut row: RowReader<'_>) -> KeyRecord<Self> {
        let id = KeyId::from_stored(row.text(Column::Id));
        let owner = OwnerId::from_stored(row.text(Column::ClientId));
        let prefix = DisplayPrefix::from_stored(row.text(Column::KeyPrefix));
        let mut head = KeyHead::new(id, owner, prefix, row.digest(Column::KeyHash));
        head.created_at = row.timestamp(Column::CreatedAt);
        head.last_used_at = row.timestamp(Column::LastUsedAt);
        head.expires_at = row.timestamp(Column::ExpiresAt);
        head.successor = row.optional_text(Column::SuccessorId).map(KeyId::from_stored);
        let revoked_at = row.timestamp(Column::RevokedAt);
        let reason = row.optional_text(Column::Reason);
        head.status = host::revocation_status(revoked_at, reason, row.is_true(Column::IsActive));
        let details = ScraperDetails {
            name: KeyName::from_stored(row.text(Column::Name)),
            scopes: scopes(&mut row),
            rate_limit: rate_limit(&mut row),
            metadata: row.opaque_text(Column::Metadata).map(Metadata::from_stored),
        };
        head.defect = row.defect();
        KeyRecord::new(head, details)
    }

    fn further_statements() -> Vec<(&'static str, Sql)> {
        let Succession { retire, succeed } = statements::SUCCESSION;
        vec![("retire", retire), ("succeed", succeed)]
    }

    fn all_reads() -> Vec<(&'static str, &'static Reads)> {
        vec![("", &reads::READS)]
    }
}

/// NULL is no scope, and so is a NULL among them; anything but an array of texts is a defect.
fn scopes(row: &mut RowReader<'_>) -> Scopes {
    let only_texts =
        |entries: &[Entry<'_>]| (!entries.contains(&Entry::Other)).then(|| Scopes::from_stored(texts(entries)));
    match row.optional_with(Column::Scopes, |json| entries(json, only_texts).flatten()) {
        None => Scopes::default(),
        Some(Some(scopes)) => scopes,
        Some(None) => row.mark_defect(Column::Scopes).unwrap_or_default(),
    }
}

/// A limit that permits nothing is a defect, so that its key is refused, and so is one that only SQLite can hold.
fn rate_limit(row: &mut RowReader<'_>) -> RateLimit {
    if row.is_null(Column::RateLimit) {
        return RateLimit::ServiceDefault;
    }
    let stored = row.integer(Column::RateLimit).and_then(|limit| i32::try_from(limit).ok());
    let limit = RateLimit::from_stored(Some(stored.unwrap_or_default().into()));
    if limit == RateLimit::DenyAll {
        row.mark_defect::<()>(Column::RateLimit);
    }
    limit
}
