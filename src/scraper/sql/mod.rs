//! System C in SQL: its table, its statements, and the one function that reads its rows.

mod statements;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use crate::key::{DisplayPrefix, KeyHead, KeyId, KeyRecord, OwnerId, Rotation};
use crate::scraper::{KeyName, RateLimit, Scope, Scraper, ScraperDetails};
use crate::sql::check::{Column, REVOCATIONS, ROTATIONS, Table};
use crate::sql::lifecycle::{self, Revocations, digest};
use crate::sql::migrate::{Migration, SIDE_TABLES};
use crate::sql::{Cell, Read, Row, Schema, Script, Sql, Step, Value, revocation_status};
use crate::store::{Abilities, KeyLookup};

const API_KEYS: Table = Table {
    postgres: "api_keys",
    sqlite: "api_keys",
    optional: false,
    shared: false,
    columns: &[
        Column::required("id", "uuid", "TEXT").defaulting("gen_random_uuid()", RANDOM_UUID),
        Column::required("key_hash", "character varying(64)", "VARCHAR(64)"),
        Column::required("key_prefix", "character varying(8)", "VARCHAR(8)"),
        Column::required("name", "character varying(255)", "VARCHAR(255)"),
        Column::required("client_id", "character varying(255)", "VARCHAR(255)"),
        Column::optional("scopes", "text[]", "TEXT").defaulting("'{}'::text[]", "'[]'"),
        Column::optional("rate_limit_rpm", "integer", "INTEGER").defaulting("60", "60"),
        Column::optional("is_active", "boolean", "BOOLEAN").defaulting("true", "TRUE"),
        Column::optional("created_at", "timestamp without time zone", "TIMESTAMP")
            .defaulting("CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        Column::optional("last_used_at", "timestamp without time zone", "TIMESTAMP"),
        Column::optional("expires_at", "timestamp without time zone", "TIMESTAMP"),
        Column::optional("metadata", "jsonb", "TEXT"),
    ],
    primary_key: "id",
    unique: &["key_hash"],
    indexes: &["client_id", "is_active", "key_hash"],
    foreign_keys: &[],
};

const RANDOM_UUID: &str = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || \
                           substr(hex(randomblob(2)), 2) || '-'\n            || substr('89ab', 1 + (random() & 3), 1) \
                           || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";

impl Schema for Scraper {
    const TABLE: &'static str = "api_keys";
    const TABLES: &'static [Table] = &[API_KEYS, REVOCATIONS, ROTATIONS];
    const MIGRATIONS: &'static [Migration] = &[
        Migration {
            name: "scraper_0001_api_keys",
            table: Sql { postgres: "api_keys", sqlite: "api_keys" },
            sql: Sql { postgres: include_str!("api_keys.postgres.sql"), sqlite: include_str!("api_keys.sqlite.sql") },
        },
        SIDE_TABLES,
    ];

    const FIND: Read = statements::FIND;
    const GET: Read = statements::GET;
    const LIST: Read = statements::LIST;
    const STARTING_WITH: Read = statements::STARTING_WITH;
    const OWNER: Option<Sql> = None;
    const TOUCH: Sql = statements::TOUCH;
    const INSERT: Sql = statements::INSERT;
    const REVOCATIONS: Revocations = statements::REVOCATIONS;

    fn abilities(side_tables: bool) -> Abilities {
        Abilities {
            several_keys_per_owner: true,
            expiry: true,
            rotation_memory: side_tables,
            revocation_time: side_tables,
            revocation_reason: side_tables,
        }
    }

    fn lookup(lookup: KeyLookup<'_>) -> Value {
        digest(Some(lookup.digest))
    }

    fn columns(key: &KeyRecord<ScraperDetails>) -> Vec<Value> {
        let KeyRecord { head, details } = key;
        let scopes: Vec<_> = details.scopes.iter().map(Scope::as_str).collect();
        let rate_limit = match details.rate_limit {
            RateLimit::SystemDefault => None,
            RateLimit::PerMinute(limit) => Some(limit.get().into()),
            RateLimit::Nothing => Some(0),
        };
        vec![
            head.id.as_str().into(),
            digest(head.digest.as_ref()),
            head.prefix.as_str().into(),
            details.name.as_str().into(),
            head.owner.as_str().into(),
            serde_json::json!(scopes).to_string().into(),
            Value::Integer(rate_limit),
            head.created_at.into(),
            head.expires_at.into(),
            details.metadata.as_ref().map(ToString::to_string).into(),
        ]
    }

    /// A client is a plain name.
    fn references(_key: &KeyRecord<ScraperDetails>) -> Vec<Step> {
        Vec::new()
    }

    fn rotate(rotation: &Rotation<ScraperDetails>, side_tables: bool) -> Script {
        lifecycle::rotate::<Self>(statements::RETIRE, rotation, side_tables)
    }

    fn decode(mut row: Row) -> KeyRecord<ScraperDetails> {
        let id = KeyId::from_stored(row.text("id"));
        let owner = OwnerId::from_stored(row.text("client_id"));
        let prefix = DisplayPrefix::from_stored(row.text("key_prefix"));
        let digest = row.digest();
        let created_at = row.timestamp("created_at");
        let last_used_at = row.timestamp("last_used_at");
        let expires_at = row.timestamp("expires_at");
        // NULL is neither true nor false; only true is active.
        let is_active = row.cell() == Cell::Integer(1);
        let revoked_at = row.timestamp("revoked_at");
        let reason = row.optional_text("reason");
        let details = ScraperDetails {
            name: KeyName::from_stored(row.text("name")),
            scopes: scopes(&mut row),
            rate_limit: rate_limit(&mut row),
            metadata: metadata(&mut row),
        };
        let status = revocation_status(revoked_at, reason, is_active);
        let defect = row.defect();
        let head = KeyHead { id, owner, prefix, digest, created_at, last_used_at, expires_at, status, defect };
        KeyRecord { head, details }
    }
}

/// NULL is no scope, and so is a NULL among them; anything but an array of texts spoils the row.
fn scopes(row: &mut Row) -> Vec<Scope> {
    let Some(text) = row.optional_text("scopes") else { return Vec::new() };
    match serde_json::from_str::<Vec<Option<String>>>(&text) {
        Ok(scopes) => scopes.into_iter().flatten().map(Scope::from_stored).collect(),
        Err(_) => row.spoiled("scopes").unwrap_or_default(),
    }
}

/// A limit that permits nothing spoils the row, so that its key is refused.
fn rate_limit(row: &mut Row) -> RateLimit {
    match row.cell() {
        Cell::Null => RateLimit::SystemDefault,
        Cell::Integer(limit) => match u32::try_from(limit).ok().and_then(NonZeroU32::new) {
            Some(limit) => RateLimit::PerMinute(limit),
            None => row.spoiled("rate_limit_rpm").unwrap_or(RateLimit::Nothing),
        },
        _ => row.spoiled("rate_limit_rpm").unwrap_or(RateLimit::Nothing),
    }
}

fn metadata(row: &mut Row) -> Option<serde_json::Value> {
    let text = row.optional_text("metadata")?;
    serde_json::from_str(&text).ok().or_else(|| row.spoiled("metadata"))
}
