//! The reads of the schema `mesh` as the service itself reads: the key's own row alone, and whether it was revoked before.
//!
//! With the side table of revocations, a revocation is final even where the host has cleared its column, and its first
//! time is the one that is shown.

use crate::schemas::mesh::sql::Column;
use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::{Read, Reads};

pub(in crate::schemas::mesh::sql) static READS: Reads = Reads {
    find: Read { with_side_tables: &FIND, bare: &FIND_BARE },
    get: Read { with_side_tables: &GET, bare: &GET_BARE },
    list: Read { with_side_tables: &LIST, bare: &LIST_BARE },
};

/// `$1` the display prefix, which several keys may share, `$2` the digest.
static FIND: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
                   coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
                   NULL AS reason, NULL AS successor_id, false AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM mesh.api_key k
            LEFT JOIN keyward.revocations r
              ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
            WHERE k.secret_prefix::text = $1::text AND k.secret_hash::text = $2::text ORDER BY k.id",
        sqlite: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
                   coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
                   NULL AS reason, NULL AS successor_id, 0 AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM api_key k
            LEFT JOIN keyward_revocations r
              ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
            WHERE k.secret_prefix = ?1 AND k.secret_hash = ?2 ORDER BY k.id",
    },
    Column::NAMES,
);

/// `$1` the display prefix, which several keys may share, `$2` the digest.
static FIND_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
                   NULL AS reason, NULL AS successor_id, false AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM mesh.api_key k
            WHERE k.secret_prefix::text = $1::text AND k.secret_hash::text = $2::text ORDER BY k.id",
        sqlite: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
                   NULL AS reason, NULL AS successor_id, 0 AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM api_key k
            WHERE k.secret_prefix = ?1 AND k.secret_hash = ?2 ORDER BY k.id",
    },
    Column::NAMES,
);

/// `$1` identity.
static GET: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
                   coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
                   r.reason, t.successor_id, false AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM mesh.api_key k
            LEFT JOIN keyward.revocations r
              ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
            LEFT JOIN keyward.rotations t
              ON t.schema = 'mesh' AND t.key_id = k.id::text AND t.key_hash = k.secret_hash::text
            WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog.\"C\" = $1::text",
        sqlite: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
                   coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
                   r.reason, t.successor_id, 0 AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM api_key k
            LEFT JOIN keyward_revocations r
              ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
            LEFT JOIN keyward_rotations t
              ON t.schema = 'mesh' AND t.key_id = k.id AND t.key_hash = k.secret_hash
            WHERE k.id = ?1 COLLATE BINARY",
    },
    Column::NAMES,
);

/// `$1` identity.
static GET_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
                   NULL AS reason, NULL AS successor_id, false AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM mesh.api_key k
            WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog.\"C\" = $1::text",
        sqlite: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
                   NULL AS reason, NULL AS successor_id, 0 AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM api_key k
            WHERE k.id = ?1 COLLATE BINARY",
    },
    Column::NAMES,
);

/// `$1` owner, `$2` the last key of the page before or NULL, `$3` how many, `$4` how the key starts or NULL.
static LIST: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
                   coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
                   r.reason, t.successor_id, false AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM mesh.api_key k
            LEFT JOIN keyward.revocations r
              ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
            LEFT JOIN keyward.rotations t
              ON t.schema = 'mesh' AND t.key_id = k.id::text AND t.key_hash = k.secret_hash::text
            WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND ($2::text IS NULL OR (k.created_at, k.id::text) < (
                  SELECT c.created_at, c.id::text FROM mesh.api_key c
                  WHERE c.id::text = $2::text AND c.id::text COLLATE pg_catalog.\"C\" = $2::text))
              AND ($4::text IS NULL
                   OR pg_catalog.starts_with(k.id::text COLLATE pg_catalog.\"C\", $4::text)
                   OR pg_catalog.starts_with(k.secret_prefix::text, $4::text))
            ORDER BY k.created_at DESC, k.id DESC LIMIT $3",
        sqlite: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
                   coalesce(r.revoked_at, k.revoked_at) AS revoked_at,
                   r.reason, t.successor_id, 0 AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM api_key k
            LEFT JOIN keyward_revocations r
              ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
            LEFT JOIN keyward_rotations t
              ON t.schema = 'mesh' AND t.key_id = k.id AND t.key_hash = k.secret_hash
            WHERE k.mesh_id = ?1 COLLATE BINARY
              AND (?2 IS NULL OR (k.created_at, k.id) < (
                  SELECT c.created_at, c.id FROM api_key c WHERE c.id = ?2 COLLATE BINARY))
              AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.secret_prefix, 1, length(?4)) = ?4)
            ORDER BY k.created_at DESC, k.id DESC LIMIT ?3",
    },
    Column::NAMES,
);

/// `$1` owner, `$2` the last key of the page before or NULL, `$3` how many, `$4` how the key starts or NULL.
static LIST_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
                   NULL AS reason, NULL AS successor_id, false AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM mesh.api_key k
            WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND ($2::text IS NULL OR (k.created_at, k.id::text) < (
                  SELECT c.created_at, c.id::text FROM mesh.api_key c
                  WHERE c.id::text = $2::text AND c.id::text COLLATE pg_catalog.\"C\" = $2::text))
              AND ($4::text IS NULL
                   OR pg_catalog.starts_with(k.id::text COLLATE pg_catalog.\"C\", $4::text)
                   OR pg_catalog.starts_with(k.secret_prefix::text, $4::text))
            ORDER BY k.created_at DESC, k.id DESC LIMIT $3",
        sqlite: "
            SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
                   NULL AS reason, NULL AS successor_id, 0 AS tenant_disabled,
                   k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
            FROM api_key k
            WHERE k.mesh_id = ?1 COLLATE BINARY
              AND (?2 IS NULL OR (k.created_at, k.id) < (
                  SELECT c.created_at, c.id FROM api_key c WHERE c.id = ?2 COLLATE BINARY))
              AND (?4 IS NULL OR substr(k.id, 1, length(?4)) = ?4 OR substr(k.secret_prefix, 1, length(?4)) = ?4)
            ORDER BY k.created_at DESC, k.id DESC LIMIT ?3",
    },
    Column::NAMES,
);
