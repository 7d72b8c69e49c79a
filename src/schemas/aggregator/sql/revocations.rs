//! Revoking keys of the schema `aggregator` in both dialects.
//!
//! The row is locked as weakly as a revocation allows, so that an insert that only refers to it does not hold it up. A
//! DID is compared letter for letter, whatever the host's column says: on PostgreSQL the plain comparison finds the row
//! in its index, and the one in the collation `C` decides.

use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::Read;
use crate::sql::keys::revocation::{FoundColumn, Revocations};

pub(super) const REVOCATIONS: Revocations = Revocations {
    revoke: Sql {
        postgres: "
            UPDATE aggregators SET api_key_revoked_at = $4::timestamp AT TIME ZONE 'UTC'
            WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text
              AND api_key_hash IS NOT NULL AND ($2::text IS NULL OR api_key_hash::text = $2::text)
              AND ($3::text IS NULL OR did::text COLLATE pg_catalog.\"C\" = $3::text) AND api_key_revoked_at IS NULL
            RETURNING 1",
        sqlite: "
            UPDATE aggregators SET api_key_revoked_at = ?4
            WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NOT NULL
              AND (?2 IS NULL OR api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR did = ?3 COLLATE BINARY)
              AND api_key_revoked_at IS NULL
            RETURNING 1",
    },
    record: Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', a.did::text, a.api_key_hash::text, $4::timestamp, $5::text
            FROM (SELECT did, api_key_hash FROM aggregators
                  WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text
                    AND api_key_hash IS NOT NULL AND ($2::text IS NULL OR api_key_hash::text = $2::text)
                    AND ($3::text IS NULL OR did::text COLLATE pg_catalog.\"C\" = $3::text)
                    AND api_key_revoked_at IS NULL
                  FOR NO KEY UPDATE) a
            WHERE pg_catalog.octet_length(a.did::text) <= 1024 AND pg_catalog.octet_length(a.api_key_hash::text) <= 1024
            ON CONFLICT DO NOTHING RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', did, api_key_hash, ?4, ?5 FROM aggregators
            WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NOT NULL
              AND (?2 IS NULL OR api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR did = ?3 COLLATE BINARY)
              AND api_key_revoked_at IS NULL
            ON CONFLICT DO NOTHING RETURNING 1",
    },
    revoked: Read { with_side_tables: &REVOKED, bare: &REVOKED_BARE },
    lock: Sql {
        postgres: "
            WITH locked AS MATERIALIZED (
                SELECT did, api_key_hash FROM aggregators
                WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text
                  AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
                ORDER BY did FOR NO KEY UPDATE
            )
            SELECT 1 FROM locked
            WHERE (pg_catalog.octet_length(did::text) <= 1024
                   AND pg_catalog.octet_length(api_key_hash::text) <= 1024) IS NOT TRUE",
        // A row of this owner has an identity, and one without a digest has no key.
        sqlite: "SELECT 1 FROM aggregators WHERE did = ?1 COLLATE BINARY AND false",
    },
    record_all: Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', did::text, api_key_hash::text, $2::timestamp, $3::text FROM aggregators
            WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text
              AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
              AND pg_catalog.octet_length(did::text) <= 1024 AND pg_catalog.octet_length(api_key_hash::text) <= 1024
            ON CONFLICT DO NOTHING RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', did, api_key_hash, ?2, ?3 FROM aggregators
            WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
            ON CONFLICT DO NOTHING RETURNING 1",
    },
    record_inactive: None,
    revoke_all: Sql {
        postgres: "
            UPDATE aggregators SET api_key_revoked_at = $2::timestamp AT TIME ZONE 'UTC'
            WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text
              AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
            RETURNING 1",
        sqlite: "
            UPDATE aggregators SET api_key_revoked_at = ?2
            WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
            RETURNING 1",
    },
    revoke_part: None,
    remaining: &REMAINING,
    keeps_time: true,
};

static REVOKED: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.did::text AS id, true AS is_meant, a.api_key_revoked_at IS NULL AS is_live,
                   r.revoked_at IS NOT NULL AS is_recorded,
                   coalesce(r.revoked_at AT TIME ZONE 'UTC', a.api_key_revoked_at) AS revoked_at, r.reason
            FROM aggregators a
            LEFT JOIN keyward.revocations r
              ON r.schema = 'aggregator' AND r.key_id = a.did::text AND r.key_hash = a.api_key_hash::text
            WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text
              AND a.api_key_hash IS NOT NULL AND ($2::text IS NULL OR a.api_key_hash::text = $2::text)
              AND ($3::text IS NULL OR a.did::text COLLATE pg_catalog.\"C\" = $3::text)
            UNION ALL
            (SELECT t.did::text, false, true, false, NULL, NULL
             FROM aggregators a JOIN aggregators t ON t.api_key_hash::text = a.api_key_hash::text
             WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text
               AND t.did::text COLLATE pg_catalog.\"C\" <> $1::text AND t.api_key_revoked_at IS NULL
             ORDER BY t.did LIMIT 100)",
        sqlite: "
            SELECT a.did AS id, 1 AS is_meant, a.api_key_revoked_at IS NULL AS is_live,
                   r.revoked_at IS NOT NULL AS is_recorded, coalesce(r.revoked_at, a.api_key_revoked_at) AS revoked_at,
                   r.reason
            FROM aggregators a
            LEFT JOIN keyward_revocations r
              ON r.schema = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash
            WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL
              AND (?2 IS NULL OR a.api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR a.did = ?3 COLLATE BINARY)
            UNION ALL
            SELECT * FROM (
                SELECT t.did, 0, 1, 0, NULL, NULL
                FROM aggregators a JOIN aggregators t ON t.api_key_hash = a.api_key_hash COLLATE BINARY
                WHERE a.did = ?1 COLLATE BINARY AND t.did <> ?1 COLLATE BINARY AND t.api_key_revoked_at IS NULL
                ORDER BY t.did LIMIT 100)",
    },
    FoundColumn::NAMES,
);

/// See [`REVOKED`].
static REVOKED_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.did::text AS id, true AS is_meant, a.api_key_revoked_at IS NULL AS is_live, false AS is_recorded,
                   a.api_key_revoked_at AS revoked_at, NULL AS reason
            FROM aggregators a
            WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text
              AND a.api_key_hash IS NOT NULL AND ($2::text IS NULL OR a.api_key_hash::text = $2::text)
              AND ($3::text IS NULL OR a.did::text COLLATE pg_catalog.\"C\" = $3::text)
            UNION ALL
            (SELECT t.did::text, false, true, false, NULL, NULL
             FROM aggregators a JOIN aggregators t ON t.api_key_hash::text = a.api_key_hash::text
             WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text
               AND t.did::text COLLATE pg_catalog.\"C\" <> $1::text AND t.api_key_revoked_at IS NULL
             ORDER BY t.did LIMIT 100)",
        sqlite: "
            SELECT a.did AS id, 1 AS is_meant, a.api_key_revoked_at IS NULL AS is_live, 0 AS is_recorded,
                   a.api_key_revoked_at AS revoked_at, NULL AS reason
            FROM aggregators a
            WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL
              AND (?2 IS NULL OR a.api_key_hash = ?2 COLLATE BINARY) AND (?3 IS NULL OR a.did = ?3 COLLATE BINARY)
            UNION ALL
            SELECT * FROM (
                SELECT t.did, 0, 1, 0, NULL, NULL
                FROM aggregators a JOIN aggregators t ON t.api_key_hash = a.api_key_hash COLLATE BINARY
                WHERE a.did = ?1 COLLATE BINARY AND t.did <> ?1 COLLATE BINARY AND t.api_key_revoked_at IS NULL
                ORDER BY t.did LIMIT 100)",
    },
    FoundColumn::NAMES,
);

static REMAINING: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.did::text AS id FROM aggregators a
            WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text
              AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NULL
            LIMIT 100 OFFSET $2::bigint",
        sqlite: "
            SELECT a.did AS id FROM aggregators a
            WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL AND a.api_key_revoked_at IS NULL
            LIMIT 100 OFFSET ?2",
    },
    &["id"],
);
