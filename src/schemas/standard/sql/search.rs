//! Lists and counts of keys of the schema `standard` in both dialects: of one owner, and across owners.
//!
//! The state of a key is what a verification at the same instant would find: a key that was revoked is revoked, whether
//! it is also disabled or has also expired.

use crate::key::{Environment, KeyId, KeyName};
use crate::schemas::standard::sql::{Asked, Column, text};
use crate::sql::engine::{Query, Sql, Value};
use crate::store::{KeyFilter, KeyState, ListRequest};

pub(super) fn list(request: &ListRequest) -> Asked {
    let mut arguments = filters(request);
    arguments.push(text(request.after.as_ref().map(KeyId::as_str)));
    arguments.push(i64::from(request.limit).into());
    of_owner(&request.filter, arguments, &LIST_OF_OWNER, &LIST)
}

pub(super) fn count(request: &ListRequest) -> Asked {
    of_owner(&request.filter, filters(request), &COUNT_OF_OWNER, &COUNT)
}

fn of_owner(
    filter: &KeyFilter,
    mut arguments: Vec<Value<'static>>,
    of_owner: &'static Query,
    across_owners: &'static Query,
) -> Asked {
    match &filter.owner {
        Some(owner) => {
            arguments.push(text(Some(owner.as_str())));
            (of_owner, arguments)
        }
        None => (across_owners, arguments),
    }
}

/// `$1` to `$7` of every statement here; NULL is no condition.
fn filters(request: &ListRequest) -> Vec<Value<'static>> {
    let KeyFilter { owner: _, starting_with, state, environment, name, expiring_before, unused_since } =
        &request.filter;
    vec![
        text(starting_with.as_deref()),
        text(state.map(KeyState::as_str)),
        text(environment.as_ref().map(Environment::as_str)),
        text(name.as_ref().map(KeyName::as_str)),
        (*expiring_before).into(),
        (*unused_since).into(),
        request.at.into(),
    ]
}

/// `$1` the start, `$2` the state, `$3` the environment, `$4` the name, `$5` expiring before, `$6` unused since, `$7`
/// the instant, `$8` the last key of the page before, `$9` how many, `$10` the owner. The condition on `created_at`
/// alone is what an index can start from; on SQLite every text is less than every blob, so that no row escapes the first
/// page.
pub(super) static LIST_OF_OWNER: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
                   k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
                   k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
                   k.imported_from, k.version, u.used_at AS last_used_at
            FROM keyward.keys k
            LEFT JOIN keyward.key_uses u ON u.key_id = k.id
            WHERE k.owner = $10::text
              AND ($1::text IS NULL OR pg_catalog.starts_with(k.id, $1::text)
                   OR pg_catalog.starts_with(k.prefix, $1::text))
              AND ($2::text IS NULL
                   OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'::text WHEN k.is_disabled THEN 'disabled'::text
                           WHEN k.expires_at <= $7::timestamp THEN 'expired'::text ELSE 'active'::text END = $2::text)
              AND ($3::text IS NULL OR k.environment = $3::text)
              AND ($4::text IS NULL OR k.name = $4::text)
              AND ($5::timestamp IS NULL OR k.expires_at < $5::timestamp)
              AND ($6::timestamp IS NULL OR u.used_at IS NULL OR u.used_at < $6::timestamp)
              AND k.created_at <= coalesce((SELECT a.created_at FROM keyward.keys a WHERE a.id = $8::text),
                                           'infinity'::timestamp)
              AND ($8::text IS NULL
                   OR (k.created_at, k.id) < (SELECT a.created_at, a.id FROM keyward.keys a WHERE a.id = $8::text))
            ORDER BY k.created_at DESC, k.id DESC
            LIMIT $9::bigint",
        sqlite: "
            SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
                   k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
                   k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
                   k.imported_from, k.version, u.used_at AS last_used_at
            FROM keyward_keys k
            LEFT JOIN keyward_key_uses u ON u.key_id = k.id
            WHERE k.owner = ?10
              AND (?1 IS NULL OR substr(k.id, 1, length(?1)) = ?1 OR substr(k.prefix, 1, length(?1)) = ?1)
              AND (?2 IS NULL
                   OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.is_disabled THEN 'disabled'
                           WHEN k.expires_at <= ?7 THEN 'expired' ELSE 'active' END = ?2)
              AND (?3 IS NULL OR k.environment = ?3)
              AND (?4 IS NULL OR k.name = ?4)
              AND (?5 IS NULL OR k.expires_at < ?5)
              AND (?6 IS NULL OR u.used_at IS NULL OR u.used_at < ?6)
              AND k.created_at <= coalesce((SELECT a.created_at FROM keyward_keys a WHERE a.id = ?8),
                                           x'')
              AND (?8 IS NULL
                   OR (k.created_at, k.id) < (SELECT a.created_at, a.id FROM keyward_keys a WHERE a.id = ?8))
            ORDER BY k.created_at DESC, k.id DESC
            LIMIT ?9",
    },
    Column::NAMES,
);

/// As [`LIST_OF_OWNER`], without `$10`.
pub(super) static LIST: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
                   k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
                   k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
                   k.imported_from, k.version, u.used_at AS last_used_at
            FROM keyward.keys k
            LEFT JOIN keyward.key_uses u ON u.key_id = k.id
            WHERE ($1::text IS NULL OR pg_catalog.starts_with(k.id, $1::text)
                   OR pg_catalog.starts_with(k.prefix, $1::text))
              AND ($2::text IS NULL
                   OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'::text WHEN k.is_disabled THEN 'disabled'::text
                           WHEN k.expires_at <= $7::timestamp THEN 'expired'::text ELSE 'active'::text END = $2::text)
              AND ($3::text IS NULL OR k.environment = $3::text)
              AND ($4::text IS NULL OR k.name = $4::text)
              AND ($5::timestamp IS NULL OR k.expires_at < $5::timestamp)
              AND ($6::timestamp IS NULL OR u.used_at IS NULL OR u.used_at < $6::timestamp)
              AND k.created_at <= coalesce((SELECT a.created_at FROM keyward.keys a WHERE a.id = $8::text),
                                           'infinity'::timestamp)
              AND ($8::text IS NULL
                   OR (k.created_at, k.id) < (SELECT a.created_at, a.id FROM keyward.keys a WHERE a.id = $8::text))
            ORDER BY k.created_at DESC, k.id DESC
            LIMIT $9::bigint",
        sqlite: "
            SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
                   k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
                   k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
                   k.imported_from, k.version, u.used_at AS last_used_at
            FROM keyward_keys k
            LEFT JOIN keyward_key_uses u ON u.key_id = k.id
            WHERE (?1 IS NULL OR substr(k.id, 1, length(?1)) = ?1 OR substr(k.prefix, 1, length(?1)) = ?1)
              AND (?2 IS NULL
                   OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.is_disabled THEN 'disabled'
                           WHEN k.expires_at <= ?7 THEN 'expired' ELSE 'active' END = ?2)
              AND (?3 IS NULL OR k.environment = ?3)
              AND (?4 IS NULL OR k.name = ?4)
              AND (?5 IS NULL OR k.expires_at < ?5)
              AND (?6 IS NULL OR u.used_at IS NULL OR u.used_at < ?6)
              AND k.created_at <= coalesce((SELECT a.created_at FROM keyward_keys a WHERE a.id = ?8),
                                           x'')
              AND (?8 IS NULL
                   OR (k.created_at, k.id) < (SELECT a.created_at, a.id FROM keyward_keys a WHERE a.id = ?8))
            ORDER BY k.created_at DESC, k.id DESC
            LIMIT ?9",
    },
    Column::NAMES,
);

/// `$1` to `$7` as in [`LIST_OF_OWNER`], `$8` the owner.
pub(super) static COUNT_OF_OWNER: Query = Query::new(
    Sql {
        postgres: "
            SELECT pg_catalog.count(*) AS found
            FROM keyward.keys k
            LEFT JOIN keyward.key_uses u ON u.key_id = k.id
            WHERE k.owner = $8::text
              AND ($1::text IS NULL OR pg_catalog.starts_with(k.id, $1::text)
                   OR pg_catalog.starts_with(k.prefix, $1::text))
              AND ($2::text IS NULL
                   OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'::text WHEN k.is_disabled THEN 'disabled'::text
                           WHEN k.expires_at <= $7::timestamp THEN 'expired'::text ELSE 'active'::text END = $2::text)
              AND ($3::text IS NULL OR k.environment = $3::text)
              AND ($4::text IS NULL OR k.name = $4::text)
              AND ($5::timestamp IS NULL OR k.expires_at < $5::timestamp)
              AND ($6::timestamp IS NULL OR u.used_at IS NULL OR u.used_at < $6::timestamp)",
        sqlite: "
            SELECT count(*) AS found
            FROM keyward_keys k
            LEFT JOIN keyward_key_uses u ON u.key_id = k.id
            WHERE k.owner = ?8
              AND (?1 IS NULL OR substr(k.id, 1, length(?1)) = ?1 OR substr(k.prefix, 1, length(?1)) = ?1)
              AND (?2 IS NULL
                   OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.is_disabled THEN 'disabled'
                           WHEN k.expires_at <= ?7 THEN 'expired' ELSE 'active' END = ?2)
              AND (?3 IS NULL OR k.environment = ?3)
              AND (?4 IS NULL OR k.name = ?4)
              AND (?5 IS NULL OR k.expires_at < ?5)
              AND (?6 IS NULL OR u.used_at IS NULL OR u.used_at < ?6)",
    },
    &["found"],
);

/// As [`COUNT_OF_OWNER`], without `$8`.
pub(super) static COUNT: Query = Query::new(
    Sql {
        postgres: "
            SELECT pg_catalog.count(*) AS found
            FROM keyward.keys k
            LEFT JOIN keyward.key_uses u ON u.key_id = k.id
            WHERE ($1::text IS NULL OR pg_catalog.starts_with(k.id, $1::text)
                   OR pg_catalog.starts_with(k.prefix, $1::text))
              AND ($2::text IS NULL
                   OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'::text WHEN k.is_disabled THEN 'disabled'::text
                           WHEN k.expires_at <= $7::timestamp THEN 'expired'::text ELSE 'active'::text END = $2::text)
              AND ($3::text IS NULL OR k.environment = $3::text)
              AND ($4::text IS NULL OR k.name = $4::text)
              AND ($5::timestamp IS NULL OR k.expires_at < $5::timestamp)
              AND ($6::timestamp IS NULL OR u.used_at IS NULL OR u.used_at < $6::timestamp)",
        sqlite: "
            SELECT count(*) AS found
            FROM keyward_keys k
            LEFT JOIN keyward_key_uses u ON u.key_id = k.id
            WHERE (?1 IS NULL OR substr(k.id, 1, length(?1)) = ?1 OR substr(k.prefix, 1, length(?1)) = ?1)
              AND (?2 IS NULL
                   OR CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.is_disabled THEN 'disabled'
                           WHEN k.expires_at <= ?7 THEN 'expired' ELSE 'active' END = ?2)
              AND (?3 IS NULL OR k.environment = ?3)
              AND (?4 IS NULL OR k.name = ?4)
              AND (?5 IS NULL OR k.expires_at < ?5)
              AND (?6 IS NULL OR u.used_at IS NULL OR u.used_at < ?6)",
    },
    &["found"],
);
