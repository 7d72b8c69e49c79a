//! The changes of the schema `aggregator` in both dialects. They write no column but `api_key_*`.
//!
//! Instants are bound as `timestamp` in UTC and declared as such (`AT TIME ZONE 'UTC'`), whatever the session's zone.

use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::Changes;

/// `$1` the DID.
pub(super) static AGGREGATOR: Query = Query::new(
    Sql {
        postgres: "SELECT 1 FROM aggregators WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text",
        sqlite: "SELECT 1 FROM aggregators WHERE did = ?1 COLLATE BINARY",
    },
    &[],
);

/// `$1` the DID, `$2` display prefix, `$3` digest, `$4` created. Only where there is no key yet.
const INSERT: Sql = Sql {
    postgres: "
        UPDATE aggregators
        SET api_key_prefix = $2, api_key_hash = $3, api_key_created_at = $4::timestamp AT TIME ZONE 'UTC',
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text AND api_key_hash IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE aggregators
        SET api_key_prefix = ?2, api_key_hash = ?3, api_key_created_at = ?4,
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NULL
        RETURNING 1",
};

/// `$1` to `$4` as [`INSERT`], `$5` the digest that the caller saw, or NULL when it saw something that is no digest,
/// `$6` 1 if the key must not have been revoked meanwhile.
pub(super) const REPLACE: Sql = Sql {
    postgres: "
        UPDATE aggregators
        SET api_key_prefix = $2, api_key_hash = $3, api_key_created_at = $4::timestamp AT TIME ZONE 'UTC',
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text
          AND (api_key_hash::text = $5::text OR $5::text IS NULL AND api_key_hash::text !~ '^[0-9a-f]{64}$')
          AND ($6::bigint = 0::bigint OR api_key_revoked_at IS NULL)
        RETURNING 1",
    sqlite: "
        UPDATE aggregators
        SET api_key_prefix = ?2, api_key_hash = ?3, api_key_created_at = ?4,
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did = ?1 COLLATE BINARY
          AND (api_key_hash = ?5 COLLATE BINARY
               OR ?5 IS NULL AND (typeof(api_key_hash) <> 'text' OR length(CAST(api_key_hash AS BLOB)) <> 64
                                  OR api_key_hash GLOB '*[^0-9a-f]*'))
          AND (?6 = 0 OR api_key_revoked_at IS NULL)
        RETURNING 1",
};

pub(super) const CHANGES: Changes = Changes {
    insert: INSERT,
    touch: TOUCH,
    revoke: Sql {
        postgres: "
            UPDATE aggregators SET api_key_revoked_at = $4::timestamp AT TIME ZONE 'UTC'
            WHERE did = $1 AND api_key_hash IS NOT NULL AND ($2::text IS NULL OR api_key_hash = $2)
              AND ($3::text IS NULL OR did = $3) AND api_key_revoked_at IS NULL
            RETURNING 1",
        sqlite: "
            UPDATE aggregators SET api_key_revoked_at = ?4
            WHERE did = ?1 AND api_key_hash IS NOT NULL AND (?2 IS NULL OR api_key_hash = ?2)
              AND (?3 IS NULL OR did = ?3) AND api_key_revoked_at IS NULL
            RETURNING 1",
    },
    revoke_all: Sql {
        postgres: "
            UPDATE aggregators SET api_key_revoked_at = $2::timestamp AT TIME ZONE 'UTC'
            WHERE did = $1 AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
            RETURNING 1",
        sqlite: "
            UPDATE aggregators SET api_key_revoked_at = ?2
            WHERE did = ?1 AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
            RETURNING 1",
    },
    record: Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', a.did, a.api_key_hash, $4::timestamp, $5::text
            FROM (SELECT did, api_key_hash FROM aggregators
                  WHERE did = $1 AND api_key_hash IS NOT NULL AND ($2::text IS NULL OR api_key_hash = $2)
                    AND ($3::text IS NULL OR did = $3) AND api_key_revoked_at IS NULL
                  FOR NO KEY UPDATE) a
            ON CONFLICT (schema, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', did, api_key_hash, ?4, ?5 FROM aggregators
            WHERE did = ?1 AND api_key_hash IS NOT NULL AND (?2 IS NULL OR api_key_hash = ?2)
              AND (?3 IS NULL OR did = ?3) AND api_key_revoked_at IS NULL
            ON CONFLICT (schema, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
    },
    record_all: &[Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', a.did, a.api_key_hash, $2::timestamp, $3::text
            FROM (SELECT did, api_key_hash FROM aggregators
                  WHERE did = $1 AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL FOR NO KEY UPDATE) a
            ON CONFLICT (schema, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', did, api_key_hash, ?2, ?3 FROM aggregators
            WHERE did = ?1 AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
            ON CONFLICT (schema, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
    }],
    keeps_time: true,
};

/// `$1` a JSON array of `[identity, digest, instant]`: a late use of a key that was replaced writes nothing. PostgreSQL
/// locks the rows in one order first, so that two processes that flush at once wait for each other instead of
/// deadlocking.
const TOUCH: Sql = Sql {
    postgres: "
        WITH used AS (
            SELECT u ->> 0 AS did, u ->> 1 AS api_key_hash, (u ->> 2)::timestamp AT TIME ZONE 'UTC' AS at
            FROM pg_catalog.jsonb_array_elements($1::text::jsonb) u
        ), due AS (
            SELECT a.did, used.at
            FROM aggregators a JOIN used ON used.did = a.did AND used.api_key_hash = a.api_key_hash
            WHERE a.api_key_last_used_at IS NULL OR a.api_key_last_used_at < used.at
            ORDER BY a.did FOR NO KEY UPDATE OF a
        )
        UPDATE aggregators a SET api_key_last_used_at = due.at FROM due WHERE a.did = due.did",
    sqlite: "
        UPDATE aggregators SET api_key_last_used_at = used.at
        FROM (SELECT value ->> 0 AS did, value ->> 1 AS api_key_hash, value ->> 2 AS at FROM json_each(?1)) AS used
        WHERE aggregators.did = used.did AND aggregators.api_key_hash = used.api_key_hash
          AND coalesce(strftime('%Y-%m-%d %H:%M:%f', api_key_last_used_at), '') < strftime('%Y-%m-%d %H:%M:%f', used.at)",
};
