//! System C in SQL: its table, its statements, and the one function that reads its rows.

mod statements;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::key::{DisplayPrefix, KeyDigest, KeyHead, KeyId, KeyRecord, OwnerId, RevocationReason, Rotation};
use crate::scraper::{KeyName, RateLimit, Scope, Scraper, ScraperDetails};
use crate::sql::check::{Column, REVOCATIONS, ROTATIONS, Table};
use crate::sql::migrate::{Migration, SIDE_TABLES};
use crate::sql::{Cell, Otherwise, Row, Schema, Script, Sql, Statement, Step, Value, key_uses, revocation_status};
use crate::store::{Abilities, KeyLookup, KeyUse, PageRequest, RevokeRequest};
use crate::time::Timestamp;

const API_KEYS: Table = Table {
    postgres: "api_keys",
    sqlite: "api_keys",
    optional: false,
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

/// By how much a predecessor's own expiry is lowered where no side table remembers its rotation: enough for SQLite to
/// tell that somebody has been here.
const MARK: Duration = Duration::from_millis(1);

impl Schema for Scraper {
    const TABLE: &'static str = "api_keys";
    const TABLES: &'static [Table] = &[API_KEYS, REVOCATIONS, ROTATIONS];
    const MIGRATIONS: &'static [Migration] = &[
        Migration {
            name: "scraper_0001_api_keys",
            sql: Sql { postgres: include_str!("api_keys.postgres.sql"), sqlite: include_str!("api_keys.sqlite.sql") },
        },
        SIDE_TABLES,
    ];

    fn abilities(side_tables: bool) -> Abilities {
        Abilities {
            several_keys_per_owner: true,
            expiry: true,
            rotation_memory: side_tables,
            revocation_time: side_tables,
            revocation_reason: side_tables,
        }
    }

    fn find(lookup: KeyLookup<'_>, side_tables: bool) -> Statement {
        Statement::new(statements::FIND.form(side_tables), [hex(lookup.digest)])
    }

    fn get(id: &KeyId, side_tables: bool) -> Option<Statement> {
        Some(Statement::new(statements::GET.form(side_tables), [uuid(id)?]))
    }

    fn list(page: &PageRequest, side_tables: bool) -> Statement {
        let after = page.after.as_ref().and_then(uuid).unwrap_or(Value::Text(None));
        let arguments = [page.owner.as_str().into(), after, i64::from(page.limit).into()];
        Statement::new(statements::LIST.form(side_tables), arguments)
    }

    fn insert(key: &KeyRecord<ScraperDetails>) -> Script {
        Script::locked(owner_lock(&key.head.owner), [insert(key)])
    }

    fn rotate(rotation: &Rotation<ScraperDetails>, side_tables: bool) -> Script {
        let Rotation { predecessor, retire_at, successor, at, .. } = rotation;
        let Some(id) = uuid(&predecessor.id) else { return Script::impossible() };
        let digest = predecessor.digest.as_ref().map_or(Value::Text(None), hex);
        let retire_at = match predecessor.expires_at {
            Some(own) if !side_tables => own.saturating_sub(MARK).min(*retire_at),
            _ => *retire_at,
        };
        let retire = [id.clone(), digest.clone(), retire_at.into(), predecessor.expires_at.into()];
        let mut steps =
            vec![Step::some(Statement::new(statements::RETIRE, retire), Otherwise::Conflict), insert(successor)];
        if side_tables {
            let record = [id, digest, successor.head.id.as_str().into(), (*at).into(), retire_at.into()];
            steps.push(Step::some(Statement::new(statements::RECORD_ROTATION, record), Otherwise::Conflict));
        }
        Script::locked(owner_lock(&predecessor.owner), steps)
    }

    fn revoke(request: &RevokeRequest, side_tables: bool) -> Option<Script> {
        let id = uuid(&request.id)?;
        let digest = request.digest.as_ref().map_or(Value::Text(None), hex);
        let mut steps = Vec::with_capacity(3);
        if side_tables {
            let reason = request.reason.as_ref().map(|reason| reason.as_str().to_owned());
            let record = [id.clone(), digest.clone(), request.at.into(), reason.into()];
            steps.push(Step::any(Statement::new(statements::RECORD_REVOCATION, record)));
        }
        steps.push(Step::any(Statement::new(statements::DEACTIVATE, [id.clone(), digest])));
        steps.push(Step::any(Statement::new(statements::GET.form(side_tables), [id])));
        Some(Script::new(steps))
    }

    fn revoke_all(owner: &OwnerId, at: Timestamp, reason: Option<&RevocationReason>, side_tables: bool) -> Script {
        let mut steps = Vec::with_capacity(2);
        if side_tables {
            let reason = reason.map(|reason| reason.as_str().to_owned());
            let record = [owner.as_str().into(), at.into(), reason.into()];
            steps.push(Step::any(Statement::new(statements::RECORD_ALL_REVOCATIONS, record)));
        }
        steps.push(Step::any(Statement::new(statements::DEACTIVATE_ALL, [owner.as_str().into()])));
        Script::locked(owner_lock(owner), steps)
    }

    fn touch(uses: &[KeyUse]) -> Statement {
        Statement::new(statements::TOUCH, [key_uses(uses).into()])
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

fn insert(key: &KeyRecord<ScraperDetails>) -> Step {
    let KeyRecord { head, details } = key;
    let scopes: Vec<_> = details.scopes.iter().map(Scope::as_str).collect();
    let rate_limit = match details.rate_limit {
        RateLimit::SystemDefault => None,
        RateLimit::PerMinute(limit) => Some(limit.get().into()),
        RateLimit::Nothing => Some(0),
    };
    let arguments = [
        head.id.as_str().into(),
        head.digest.as_ref().map_or(Value::Text(None), hex),
        head.prefix.as_str().into(),
        details.name.as_str().into(),
        head.owner.as_str().into(),
        serde_json::json!(scopes).to_string().into(),
        Value::Integer(rate_limit),
        head.created_at.into(),
        head.expires_at.into(),
        details.metadata.as_ref().map(ToString::to_string).into(),
    ];
    Step::some(Statement::new(statements::INSERT, arguments), Otherwise::Conflict)
}

/// Issuing, rotating and revoking all keys of one client happen one after the other, so that no key slips through.
fn owner_lock(owner: &OwnerId) -> String {
    format!("scraper:{owner}")
}

fn hex(digest: &KeyDigest) -> Value {
    digest.to_hex().as_str().into()
}

/// The identity as PostgreSQL writes it; anything but a UUID names no key of this system.
fn uuid(id: &KeyId) -> Option<Value> {
    let text = id.as_str();
    let is_uuid = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_uuid.then(|| text.to_ascii_lowercase().into())
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
