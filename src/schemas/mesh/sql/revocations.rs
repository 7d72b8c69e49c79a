//! Revoking keys of the schema `mesh` in both dialects.
//!
//! Rows are locked as weakly as a revocation allows, so that an insert that only refers to one of them does not hold it
//! up, and in the order of their identities. Identities are compared letter for letter, whatever the host's columns say:
//! on PostgreSQL the plain comparison finds the row in its index, and the one in the collation `C` decides.

use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::Read;
use crate::sql::keys::revocation::{FoundColumn, PartColumn, Revocations};

pub(super) const REVOCATIONS: Revocations = Revocations {
    revoke: Sql {
        postgres: "
            UPDATE mesh.api_key SET revoked_at = $4::timestamp
            WHERE id::text = $1::text AND id::text COLLATE pg_catalog.\"C\" = $1::text
              AND ($2::text IS NULL OR secret_hash::text = $2::text)
              AND ($3::text IS NULL OR mesh_id::text COLLATE pg_catalog.\"C\" = $3::text)
              AND revoked_at IS NULL
            RETURNING 1",
        sqlite: "
            UPDATE api_key SET revoked_at = ?4
            WHERE id = ?1 COLLATE BINARY AND (?2 IS NULL OR secret_hash = ?2 COLLATE BINARY)
              AND (?3 IS NULL OR mesh_id = ?3 COLLATE BINARY) AND revoked_at IS NULL
            RETURNING 1",
    },
    record: Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', k.id::text, k.secret_hash::text, $4::timestamp, $5::text
            FROM (SELECT id, secret_hash FROM mesh.api_key
                  WHERE id::text = $1::text AND id::text COLLATE pg_catalog.\"C\" = $1::text
                    AND ($2::text IS NULL OR secret_hash::text = $2::text)
                    AND ($3::text IS NULL OR mesh_id::text COLLATE pg_catalog.\"C\" = $3::text)
                    AND revoked_at IS NULL
                  FOR NO KEY UPDATE) k
            WHERE pg_catalog.octet_length(k.id::text) <= 1024 AND pg_catalog.octet_length(k.secret_hash::text) <= 1024
            ON CONFLICT DO NOTHING RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', id, secret_hash, ?4, ?5 FROM api_key
            WHERE id = ?1 COLLATE BINARY AND (?2 IS NULL OR secret_hash = ?2 COLLATE BINARY)
              AND (?3 IS NULL OR mesh_id = ?3 COLLATE BINARY) AND revoked_at IS NULL
              AND id IS NOT NULL AND secret_hash IS NOT NULL
            ON CONFLICT DO NOTHING RETURNING 1",
    },
    revoked: Read { with_side_tables: &REVOKED, bare: &REVOKED_BARE },
    lock: Sql {
        postgres: "
            WITH locked AS MATERIALIZED (
                SELECT id, secret_hash FROM mesh.api_key
                WHERE mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND revoked_at IS NULL
                ORDER BY id FOR NO KEY UPDATE
            )
            SELECT 1 FROM locked
            WHERE (pg_catalog.octet_length(id::text) <= 1024
                   AND pg_catalog.octet_length(secret_hash::text) <= 1024) IS NOT TRUE",
        sqlite: "
            SELECT 1 FROM api_key
            WHERE mesh_id = ?1 COLLATE BINARY AND revoked_at IS NULL AND (id IS NULL OR secret_hash IS NULL)",
    },
    record_all: Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', id::text, secret_hash::text, $2::timestamp, $3::text FROM mesh.api_key
            WHERE mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND revoked_at IS NULL
              AND pg_catalog.octet_length(id::text) <= 1024 AND pg_catalog.octet_length(secret_hash::text) <= 1024
            ON CONFLICT DO NOTHING RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', id, secret_hash, ?2, ?3 FROM api_key
            WHERE mesh_id = ?1 COLLATE BINARY AND revoked_at IS NULL AND id IS NOT NULL AND secret_hash IS NOT NULL
            ON CONFLICT DO NOTHING RETURNING 1",
    },
    record_inactive: None,
    revoke_all: Sql {
        postgres: "
            UPDATE mesh.api_key SET revoked_at = $2::timestamp
            WHERE mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND revoked_at IS NULL
            RETURNING 1",
        sqlite: "
            UPDATE api_key SET revoked_at = ?2 WHERE mesh_id = ?1 COLLATE BINARY AND revoked_at IS NULL RETURNING 1",
    },
    revoke_part: Some(Read { with_side_tables: &REVOKE_PART, bare: &REVOKE_PART_BARE }),
    remaining: &REMAINING,
    keeps_time: true,
};

static REVOKE_PART: Query = Query::new(
    Sql {
        postgres: "
            WITH due AS MATERIALIZED (
                SELECT k.ctid AS place, k.id, k.secret_hash,
                       EXISTS (SELECT 1 FROM keyward.revocations r
                               WHERE r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text)
                           AS is_recorded
                FROM mesh.api_key k
                WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND k.revoked_at IS NULL
                ORDER BY k.id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE OF k SKIP LOCKED
            ),
            recorded AS (
                INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
                SELECT 'mesh', id::text, secret_hash::text, $4::timestamp, $5::text FROM due
                WHERE pg_catalog.octet_length(id::text) <= 1024 AND pg_catalog.octet_length(secret_hash::text) <= 1024
                ON CONFLICT DO NOTHING
            ),
            revoked AS (
                UPDATE mesh.api_key SET revoked_at = $4::timestamp
                WHERE ctid = ANY (ARRAY(SELECT place FROM due))
                  AND mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND revoked_at IS NULL
                RETURNING 1
            )
            SELECT (SELECT pg_catalog.count(*) FROM due) AS due,
                   (SELECT pg_catalog.count(*) FROM revoked) AS revoked,
                   (SELECT pg_catalog.count(*) FROM due WHERE NOT is_recorded) AS first",
        sqlite: "",
    },
    PartColumn::NAMES,
);

/// See [`REVOKE_PART`].
static REVOKE_PART_BARE: Query = Query::new(
    Sql {
        postgres: "
            WITH due AS MATERIALIZED (
                SELECT ctid AS place FROM mesh.api_key
                WHERE mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND revoked_at IS NULL
                ORDER BY id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE SKIP LOCKED
            ),
            revoked AS (
                UPDATE mesh.api_key SET revoked_at = $4::timestamp
                WHERE ctid = ANY (ARRAY(SELECT place FROM due))
                  AND mesh_id::text = $1::text AND mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND revoked_at IS NULL
                RETURNING 1
            )
            SELECT (SELECT pg_catalog.count(*) FROM due) AS due,
                   (SELECT pg_catalog.count(*) FROM revoked) AS revoked,
                   (SELECT pg_catalog.count(*) FROM revoked) AS first",
        sqlite: "",
    },
    PartColumn::NAMES,
);

/// Only rows with the same display prefix can be found for the key, and this has an index.
static REVOKED: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id::text AS id, true AS is_meant, k.revoked_at IS NULL AS is_live,
                   r.revoked_at IS NOT NULL AS is_recorded, coalesce(r.revoked_at, k.revoked_at) AS revoked_at, r.reason
            FROM mesh.api_key k
            LEFT JOIN keyward.revocations r
              ON r.schema = 'mesh' AND r.key_id = k.id::text AND r.key_hash = k.secret_hash::text
            WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog.\"C\" = $1::text
              AND ($2::text IS NULL OR k.secret_hash::text = $2::text)
              AND ($3::text IS NULL OR k.mesh_id::text COLLATE pg_catalog.\"C\" = $3::text)
            UNION ALL
            (SELECT t.id::text, false, true, false, NULL, NULL
             FROM mesh.api_key k
             JOIN mesh.api_key t
               ON t.secret_prefix::text = k.secret_prefix::text AND t.secret_hash::text = k.secret_hash::text
             WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog.\"C\" = $1::text
               AND t.id::text COLLATE pg_catalog.\"C\" <> $1::text AND t.revoked_at IS NULL
             ORDER BY t.id LIMIT 100)",
        sqlite: "
            SELECT k.id, 1 AS is_meant, k.revoked_at IS NULL AS is_live, r.revoked_at IS NOT NULL AS is_recorded,
                   coalesce(r.revoked_at, k.revoked_at) AS revoked_at, r.reason
            FROM api_key k
            LEFT JOIN keyward_revocations r
              ON r.schema = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash
            WHERE k.id = ?1 COLLATE BINARY AND (?2 IS NULL OR k.secret_hash = ?2 COLLATE BINARY)
              AND (?3 IS NULL OR k.mesh_id = ?3 COLLATE BINARY)
            UNION ALL
            SELECT * FROM (
                SELECT t.id, 0, 1, 0, NULL, NULL
                FROM api_key k
                JOIN api_key t ON t.secret_prefix = k.secret_prefix AND t.secret_hash = k.secret_hash COLLATE BINARY
                WHERE k.id = ?1 COLLATE BINARY AND t.id <> ?1 COLLATE BINARY AND t.revoked_at IS NULL
                ORDER BY t.id LIMIT 100)",
    },
    FoundColumn::NAMES,
);

/// See [`REVOKED`].
static REVOKED_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id::text AS id, true AS is_meant, k.revoked_at IS NULL AS is_live, false AS is_recorded,
                   k.revoked_at, NULL AS reason
            FROM mesh.api_key k
            WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog.\"C\" = $1::text
              AND ($2::text IS NULL OR k.secret_hash::text = $2::text)
              AND ($3::text IS NULL OR k.mesh_id::text COLLATE pg_catalog.\"C\" = $3::text)
            UNION ALL
            (SELECT t.id::text, false, true, false, NULL, NULL
             FROM mesh.api_key k
             JOIN mesh.api_key t
               ON t.secret_prefix::text = k.secret_prefix::text AND t.secret_hash::text = k.secret_hash::text
             WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog.\"C\" = $1::text
               AND t.id::text COLLATE pg_catalog.\"C\" <> $1::text AND t.revoked_at IS NULL
             ORDER BY t.id LIMIT 100)",
        sqlite: "
            SELECT k.id, 1 AS is_meant, k.revoked_at IS NULL AS is_live, 0 AS is_recorded, k.revoked_at, NULL AS reason
            FROM api_key k
            WHERE k.id = ?1 COLLATE BINARY AND (?2 IS NULL OR k.secret_hash = ?2 COLLATE BINARY)
              AND (?3 IS NULL OR k.mesh_id = ?3 COLLATE BINARY)
            UNION ALL
            SELECT * FROM (
                SELECT t.id, 0, 1, 0, NULL, NULL
                FROM api_key k
                JOIN api_key t ON t.secret_prefix = k.secret_prefix AND t.secret_hash = k.secret_hash COLLATE BINARY
                WHERE k.id = ?1 COLLATE BINARY AND t.id <> ?1 COLLATE BINARY AND t.revoked_at IS NULL
                ORDER BY t.id LIMIT 100)",
    },
    FoundColumn::NAMES,
);

static REMAINING: Query = Query::new(
    Sql {
        postgres: "
            SELECT coalesce(k.id::text, 'NULL') AS id FROM mesh.api_key k
            WHERE k.mesh_id::text = $1::text AND k.mesh_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND k.revoked_at IS NULL
            ORDER BY k.id::text COLLATE pg_catalog.\"C\" LIMIT 100 OFFSET $2::bigint",
        sqlite: "
            SELECT CASE typeof(k.id) WHEN 'text' THEN k.id ELSE quote(k.id) END AS id FROM api_key k
            WHERE k.mesh_id = ?1 COLLATE BINARY AND k.revoked_at IS NULL
            ORDER BY k.id IS NULL, k.id COLLATE BINARY LIMIT 100 OFFSET ?2",
    },
    &["id"],
);
