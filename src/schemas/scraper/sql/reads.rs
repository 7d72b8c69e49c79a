//! The reads of the schema `scraper` in both dialects, each with the side tables and without them.
//!
//! With the side table of revocations, a revocation is final even where somebody sets the flag again.

use crate::schemas::scraper::sql::Column;
use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::{Read, Reads};

pub(super) static READS: Reads = Reads {
    find: Read { with_side_tables: &FIND, bare: &FIND_BARE },
    get: Read { with_side_tables: &GET, bare: &GET_BARE },
    list: Read { with_side_tables: &LIST, bare: &LIST_BARE },
};

/// `$1` the digest.
static FIND: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   r.revoked_at, NULL AS reason, NULL AS successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
                   k.rate_limit_rpm, k.metadata
            FROM api_keys k
            LEFT JOIN keyward.revocations r
              ON r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text
            WHERE k.key_hash::text = $1::text",
        sqlite: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   r.revoked_at, NULL AS reason, NULL AS successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
            FROM api_keys k
            LEFT JOIN keyward_revocations r
              ON r.schema = 'scraper' AND r.key_id = k.id AND r.key_hash = k.key_hash
            WHERE k.key_hash = ?1",
    },
    Column::NAMES,
);

/// `$1` the digest.
static FIND_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   NULL::timestamp AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
                   k.rate_limit_rpm, k.metadata
            FROM api_keys k
            WHERE k.key_hash::text = $1::text",
        sqlite: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   NULL AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
            FROM api_keys k
            WHERE k.key_hash = ?1",
    },
    Column::NAMES,
);

/// `$1` the identity.
static GET: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   r.revoked_at, r.reason, t.successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
                   k.rate_limit_rpm, k.metadata
            FROM api_keys k
            LEFT JOIN keyward.revocations r
              ON r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text
            LEFT JOIN keyward.rotations t
              ON t.schema = 'scraper' AND t.key_id = k.id::text AND t.key_hash = k.key_hash::text
            WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END",
        sqlite: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   r.revoked_at, r.reason, t.successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
            FROM api_keys k
            LEFT JOIN keyward_revocations r
              ON r.schema = 'scraper' AND r.key_id = k.id AND r.key_hash = k.key_hash
            LEFT JOIN keyward_rotations t
              ON t.schema = 'scraper' AND t.key_id = k.id AND t.key_hash = k.key_hash
            WHERE k.id = ?1 COLLATE BINARY",
    },
    Column::NAMES,
);

/// `$1` the identity.
static GET_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   NULL::timestamp AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
                   k.rate_limit_rpm, k.metadata
            FROM api_keys k
            WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END",
        sqlite: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   NULL AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
            FROM api_keys k
            WHERE k.id = ?1 COLLATE BINARY",
    },
    Column::NAMES,
);

/// `$1` the owner, `$2` the last key of the page before or NULL, `$3` how many, `$4` how the key starts or NULL.
static LIST: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   r.revoked_at, r.reason, t.successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
                   k.rate_limit_rpm, k.metadata
            FROM api_keys k
            LEFT JOIN keyward.revocations r
              ON r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text
            LEFT JOIN keyward.rotations t
              ON t.schema = 'scraper' AND t.key_id = k.id::text AND t.key_hash = k.key_hash::text
            WHERE k.client_id::text = $1::text AND k.client_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND ($2::text IS NULL OR (coalesce(k.created_at, '-infinity'), k.id) < (
                  SELECT coalesce(c.created_at, '-infinity'), c.id FROM api_keys c
                  WHERE c.id = CASE WHEN $2::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($2::text)::uuid END))
              AND ($4::text IS NULL
                   OR pg_catalog.starts_with(k.id::text, $4::text) OR pg_catalog.starts_with(k.key_prefix, $4::text))
            ORDER BY coalesce(k.created_at, '-infinity') DESC, k.id DESC LIMIT $3",
        sqlite: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   r.revoked_at, r.reason, t.successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
            FROM api_keys k
            LEFT JOIN keyward_revocations r
              ON r.schema = 'scraper' AND r.key_id = k.id AND r.key_hash = k.key_hash
            LEFT JOIN keyward_rotations t
              ON t.schema = 'scraper' AND t.key_id = k.id AND t.key_hash = k.key_hash
            WHERE k.client_id = ?1 COLLATE BINARY
              AND (?2 IS NULL OR (coalesce(k.created_at, ''), k.id) < (
                  SELECT coalesce(c.created_at, ''), c.id FROM api_keys c WHERE c.id = ?2 COLLATE BINARY))
              AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.key_prefix, 1, length(?4)) = ?4)
            ORDER BY coalesce(k.created_at, '') DESC, k.id DESC LIMIT ?3",
    },
    Column::NAMES,
);

/// `$1` the owner, `$2` the last key of the page before or NULL, `$3` how many, `$4` how the key starts or NULL.
static LIST_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   NULL::timestamp AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, pg_catalog.to_json(k.scopes) AS scopes,
                   k.rate_limit_rpm, k.metadata
            FROM api_keys k
            WHERE k.client_id::text = $1::text AND k.client_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND ($2::text IS NULL OR (coalesce(k.created_at, '-infinity'), k.id) < (
                  SELECT coalesce(c.created_at, '-infinity'), c.id FROM api_keys c
                  WHERE c.id = CASE WHEN $2::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($2::text)::uuid END))
              AND ($4::text IS NULL
                   OR pg_catalog.starts_with(k.id::text, $4::text) OR pg_catalog.starts_with(k.key_prefix, $4::text))
            ORDER BY coalesce(k.created_at, '-infinity') DESC, k.id DESC LIMIT $3",
        sqlite: "
            SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at, k.is_active,
                   NULL AS revoked_at, NULL AS reason, NULL AS successor_id, k.name, k.scopes, k.rate_limit_rpm, k.metadata
            FROM api_keys k
            WHERE k.client_id = ?1 COLLATE BINARY
              AND (?2 IS NULL OR (coalesce(k.created_at, ''), k.id) < (
                  SELECT coalesce(c.created_at, ''), c.id FROM api_keys c WHERE c.id = ?2 COLLATE BINARY))
              AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.key_prefix, 1, length(?4)) = ?4)
            ORDER BY coalesce(k.created_at, '') DESC, k.id DESC LIMIT ?3",
    },
    Column::NAMES,
);
