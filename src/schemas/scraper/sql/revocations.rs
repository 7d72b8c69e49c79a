//! Revoking keys of the schema `scraper` in both dialects.
//!
//! Rows are locked as weakly as a revocation allows, so that an insert that only refers to one of them does not hold it
//! up, and in the order of their identities. Names are compared letter for letter, whatever the host's columns say: on
//! PostgreSQL the plain comparison finds the row in its index, and the one in the collation `C` decides.
//!
//! A key whose flag is not set is recorded too: setting the flag again must not bring back what was revoked.

use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::Read;
use crate::sql::keys::revocation::{FoundColumn, PartColumn, Revocations};

pub(super) const REVOCATIONS: Revocations = Revocations {
    revoke: Sql {
        postgres: "
            UPDATE api_keys SET is_active = false
            WHERE id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
              AND ($2::text IS NULL OR key_hash::text = $2::text)
              AND ($3::text IS NULL OR client_id::text COLLATE pg_catalog.\"C\" = $3::text)
              AND is_active IS DISTINCT FROM false
            RETURNING 1",
        sqlite: "
            UPDATE api_keys SET is_active = FALSE
            WHERE id = ?1 COLLATE BINARY AND (?2 IS NULL OR key_hash = ?2 COLLATE BINARY)
              AND (?3 IS NULL OR client_id = ?3 COLLATE BINARY) AND is_active IS NOT 0
            RETURNING 1",
    },
    record: Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'scraper', k.id::text, k.key_hash::text, $4::timestamp, $5::text
            FROM (SELECT id, key_hash FROM api_keys
                  WHERE id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
                    AND ($2::text IS NULL OR key_hash::text = $2::text)
                    AND ($3::text IS NULL OR client_id::text COLLATE pg_catalog.\"C\" = $3::text)
                  FOR NO KEY UPDATE) k
            WHERE pg_catalog.octet_length(k.key_hash::text) <= 1024
            ON CONFLICT DO NOTHING RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'scraper', id, key_hash, ?4, ?5 FROM api_keys
            WHERE id = ?1 COLLATE BINARY AND (?2 IS NULL OR key_hash = ?2 COLLATE BINARY)
              AND (?3 IS NULL OR client_id = ?3 COLLATE BINARY) AND id IS NOT NULL AND key_hash IS NOT NULL
            ON CONFLICT DO NOTHING RETURNING 1",
    },
    revoked: Read { with_side_tables: &REVOKED, bare: &REVOKED_BARE },
    lock: Sql {
        postgres: "
            WITH locked AS MATERIALIZED (
                SELECT id, key_hash FROM api_keys
                WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND is_active IS DISTINCT FROM false
                ORDER BY id FOR NO KEY UPDATE
            )
            SELECT 1 FROM locked
            WHERE (id IS NOT NULL AND pg_catalog.octet_length(key_hash::text) <= 1024) IS NOT TRUE",
        sqlite: "
            SELECT 1 FROM api_keys
            WHERE client_id = ?1 COLLATE BINARY AND is_active IS NOT 0 AND (id IS NULL OR key_hash IS NULL)",
    },
    record_all: Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'scraper', id::text, key_hash::text, $2::timestamp, $3::text FROM api_keys
            WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND is_active IS DISTINCT FROM false
              AND id IS NOT NULL AND pg_catalog.octet_length(key_hash::text) <= 1024
            ON CONFLICT DO NOTHING RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'scraper', id, key_hash, ?2, ?3 FROM api_keys
            WHERE client_id = ?1 COLLATE BINARY AND is_active IS NOT 0 AND id IS NOT NULL AND key_hash IS NOT NULL
            ON CONFLICT DO NOTHING RETURNING 1",
    },
    record_inactive: Some(Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'scraper', id::text, key_hash::text, $2::timestamp, $3::text FROM api_keys
            WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND is_active IS NOT DISTINCT FROM false
              AND id IS NOT NULL AND pg_catalog.octet_length(key_hash::text) <= 1024
            ON CONFLICT DO NOTHING RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'scraper', id, key_hash, ?2, ?3 FROM api_keys
            WHERE client_id = ?1 COLLATE BINARY AND is_active IS 0 AND id IS NOT NULL AND key_hash IS NOT NULL
            ON CONFLICT DO NOTHING RETURNING 1",
    }),
    revoke_all: Sql {
        postgres: "
            UPDATE api_keys SET is_active = false
            WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND is_active IS DISTINCT FROM false
            RETURNING 1",
        sqlite: "
            UPDATE api_keys SET is_active = FALSE WHERE client_id = ?1 COLLATE BINARY AND is_active IS NOT 0 RETURNING 1",
    },
    revoke_part: Some(Read { with_side_tables: &REVOKE_PART, bare: &REVOKE_PART_BARE }),
    remaining: &REMAINING,
    keeps_time: false,
};

static REVOKE_PART: Query = Query::new(
    Sql {
        postgres: "
            WITH due AS MATERIALIZED (
                SELECT k.ctid AS place, k.id, k.key_hash,
                       EXISTS (SELECT 1 FROM keyward.revocations r
                               WHERE r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text)
                           AS is_recorded
                FROM api_keys k
                WHERE k.client_id::text = $1::text AND k.client_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND k.is_active IS DISTINCT FROM false
                ORDER BY k.id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE OF k SKIP LOCKED
            ),
            recorded AS (
                INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
                SELECT 'scraper', id::text, key_hash::text, $4::timestamp, $5::text FROM due
                WHERE id IS NOT NULL AND pg_catalog.octet_length(key_hash::text) <= 1024
                ON CONFLICT DO NOTHING
            ),
            revoked AS (
                UPDATE api_keys SET is_active = false
                WHERE ctid = ANY (ARRAY(SELECT place FROM due))
                  AND client_id::text = $1::text AND client_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND is_active IS DISTINCT FROM false
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
                SELECT ctid AS place FROM api_keys
                WHERE client_id::text = $1::text AND client_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND is_active IS DISTINCT FROM false
                ORDER BY id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE SKIP LOCKED
            ),
            revoked AS (
                UPDATE api_keys SET is_active = false
                WHERE ctid = ANY (ARRAY(SELECT place FROM due))
                  AND client_id::text = $1::text AND client_id::text COLLATE pg_catalog.\"C\" = $1::text
                  AND is_active IS DISTINCT FROM false
                RETURNING 1
            )
            SELECT (SELECT pg_catalog.count(*) FROM due) AS due,
                   (SELECT pg_catalog.count(*) FROM revoked) AS revoked,
                   (SELECT pg_catalog.count(*) FROM revoked) AS first",
        sqlite: "",
    },
    PartColumn::NAMES,
);

static REVOKED: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id::text AS id, true AS is_meant, k.is_active IS TRUE AS is_live,
                   r.revoked_at IS NOT NULL AS is_recorded, r.revoked_at, r.reason
            FROM api_keys k
            LEFT JOIN keyward.revocations r
              ON r.schema = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash::text
            WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
              AND ($2::text IS NULL OR k.key_hash::text = $2::text)
              AND ($3::text IS NULL OR k.client_id::text COLLATE pg_catalog.\"C\" = $3::text)
            UNION ALL
            (SELECT t.id::text, false, true, false, NULL, NULL
             FROM api_keys k JOIN api_keys t ON t.key_hash::text = k.key_hash::text
             WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
               AND t.id <> k.id AND t.is_active
             ORDER BY t.id LIMIT 100)",
        sqlite: "
            SELECT k.id, 1 AS is_meant, k.is_active IS NOT NULL AND k.is_active IS NOT 0 AS is_live,
                   r.revoked_at IS NOT NULL AS is_recorded, r.revoked_at, r.reason
            FROM api_keys k
            LEFT JOIN keyward_revocations r
              ON r.schema = 'scraper' AND r.key_id = k.id AND r.key_hash = k.key_hash
            WHERE k.id = ?1 COLLATE BINARY AND (?2 IS NULL OR k.key_hash = ?2 COLLATE BINARY)
              AND (?3 IS NULL OR k.client_id = ?3 COLLATE BINARY)
            UNION ALL
            SELECT * FROM (
                SELECT t.id, 0, 1, 0, NULL, NULL
                FROM api_keys k JOIN api_keys t ON t.key_hash = k.key_hash COLLATE BINARY
                WHERE k.id = ?1 COLLATE BINARY AND t.id <> ?1 COLLATE BINARY
                  AND t.is_active IS NOT NULL AND t.is_active IS NOT 0
                ORDER BY t.id LIMIT 100)",
    },
    FoundColumn::NAMES,
);

/// See [`REVOKED`].
static REVOKED_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id::text AS id, true AS is_meant, k.is_active IS TRUE AS is_live, false AS is_recorded,
                   NULL::timestamp AS revoked_at, NULL AS reason
            FROM api_keys k
            WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
              AND ($2::text IS NULL OR k.key_hash::text = $2::text)
              AND ($3::text IS NULL OR k.client_id::text COLLATE pg_catalog.\"C\" = $3::text)
            UNION ALL
            (SELECT t.id::text, false, true, false, NULL, NULL
             FROM api_keys k JOIN api_keys t ON t.key_hash::text = k.key_hash::text
             WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
               AND t.id <> k.id AND t.is_active
             ORDER BY t.id LIMIT 100)",
        sqlite: "
            SELECT k.id, 1 AS is_meant, k.is_active IS NOT NULL AND k.is_active IS NOT 0 AS is_live, 0 AS is_recorded,
                   NULL AS revoked_at, NULL AS reason
            FROM api_keys k
            WHERE k.id = ?1 COLLATE BINARY AND (?2 IS NULL OR k.key_hash = ?2 COLLATE BINARY)
              AND (?3 IS NULL OR k.client_id = ?3 COLLATE BINARY)
            UNION ALL
            SELECT * FROM (
                SELECT t.id, 0, 1, 0, NULL, NULL
                FROM api_keys k JOIN api_keys t ON t.key_hash = k.key_hash COLLATE BINARY
                WHERE k.id = ?1 COLLATE BINARY AND t.id <> ?1 COLLATE BINARY
                  AND t.is_active IS NOT NULL AND t.is_active IS NOT 0
                ORDER BY t.id LIMIT 100)",
    },
    FoundColumn::NAMES,
);

static REMAINING: Query = Query::new(
    Sql {
        postgres: "
            SELECT coalesce(k.id::text, 'NULL') AS id FROM api_keys k
            WHERE k.client_id::text = $1::text AND k.client_id::text COLLATE pg_catalog.\"C\" = $1::text
              AND k.is_active
            ORDER BY k.id::text COLLATE pg_catalog.\"C\" LIMIT 100 OFFSET $2::bigint",
        sqlite: "
            SELECT CASE typeof(k.id) WHEN 'text' THEN k.id ELSE quote(k.id) END AS id FROM api_keys k
            WHERE k.client_id = ?1 COLLATE BINARY AND k.is_active IS NOT NULL AND k.is_active IS NOT 0
            ORDER BY k.id IS NULL, k.id COLLATE BINARY LIMIT 100 OFFSET ?2",
    },
    &["id"],
);
