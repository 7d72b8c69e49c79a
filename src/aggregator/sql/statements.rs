//! The statements of system A in both dialects. They write no column but `api_key_*`.
//!
//! Instants are bound as `timestamp` in UTC and told so (`AT TIME ZONE 'UTC'`), whatever the session's zone.

use crate::sql::lifecycle::Revocations;
use crate::sql::{Read, Sql};

/// The columns in the order in which `decode` reads them, with their table. A lookup needs no reason of a revocation.
macro_rules! select {
    ($reason:literal, $tables:literal, $rest:literal) => {
        concat!(
            "SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
                    a.api_key_revoked_at, ",
            $reason,
            " FROM aggregators a ",
            $tables,
            $rest
        )
    };
}

/// The same condition behind both forms of a read.
macro_rules! read {
    ($postgres:literal, $sqlite:literal) => {
        Read {
            with_side_tables: Sql {
                postgres: select!(
                    "r.reason",
                    "LEFT JOIN keyward_revocations r
                       ON r.system = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash ",
                    $postgres
                ),
                sqlite: select!(
                    "r.reason",
                    "LEFT JOIN keyward_revocations r
                       ON r.system = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash ",
                    $sqlite
                ),
            },
            bare: Sql { postgres: select!("NULL::text", "", $postgres), sqlite: select!("NULL", "", $sqlite) },
        }
    };
}

const LOOKUP: Sql = Sql {
    postgres: select!("NULL::text", "", "WHERE a.api_key_hash = $1"),
    sqlite: select!("NULL", "", "WHERE a.api_key_hash = ?1"),
};

/// `$1` the digest.
pub(super) const FIND: Read = Read { with_side_tables: LOOKUP, bare: LOOKUP };

/// `$1` the DID. A row without a digest has no key.
pub(super) const GET: Read =
    read!("WHERE a.did = $1 AND a.api_key_hash IS NOT NULL", "WHERE a.did = ?1 AND a.api_key_hash IS NOT NULL");

/// `$1` the DID, `$2` the last key of the page before, which is the only one, `$3` how many.
pub(super) const LIST: Read = read!(
    "WHERE a.did = $1 AND a.api_key_hash IS NOT NULL AND $2::text IS NULL LIMIT $3",
    "WHERE a.did = ?1 AND a.api_key_hash IS NOT NULL AND ?2 IS NULL LIMIT ?3"
);

/// `$1` the DID, `$2` the start, `$3` how many.
pub(super) const STARTING_WITH: Read = read!(
    "WHERE a.did = $1 AND a.api_key_hash IS NOT NULL
       AND (starts_with(a.did, $2) OR starts_with(a.api_key_prefix, $2)) LIMIT $3",
    "WHERE a.did = ?1 AND a.api_key_hash IS NOT NULL
       AND (substr(a.did, 1, length(?2)) = ?2 OR substr(a.api_key_prefix, 1, length(?2)) = ?2) LIMIT ?3"
);

/// `$1` the DID.
pub(super) const AGGREGATOR: Sql =
    Sql { postgres: "SELECT 1 FROM aggregators WHERE did = $1", sqlite: "SELECT 1 FROM aggregators WHERE did = ?1" };

/// `$1` the DID, `$2` display prefix, `$3` digest, `$4` created. Only where there is no key yet.
pub(super) const INSERT: Sql = Sql {
    postgres: "
        UPDATE aggregators
        SET api_key_prefix = $2, api_key_hash = $3, api_key_created_at = $4::timestamp AT TIME ZONE 'UTC',
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did = $1 AND api_key_hash IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE aggregators
        SET api_key_prefix = ?2, api_key_hash = ?3, api_key_created_at = ?4,
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did = ?1 AND api_key_hash IS NULL
        RETURNING 1",
};

/// `$1` to `$4` as [`INSERT`], `$5` the digest that the caller saw, or NULL when it saw something that is no digest,
/// `$6` 1 if the key must not have been revoked meanwhile.
pub(super) const REPLACE: Sql = Sql {
    postgres: "
        UPDATE aggregators
        SET api_key_prefix = $2, api_key_hash = $3, api_key_created_at = $4::timestamp AT TIME ZONE 'UTC',
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did = $1 AND (api_key_hash = $5 OR $5::text IS NULL AND api_key_hash !~ '^[0-9a-f]{64}$')
          AND ($6::bigint = 0 OR api_key_revoked_at IS NULL)
        RETURNING 1",
    sqlite: "
        UPDATE aggregators
        SET api_key_prefix = ?2, api_key_hash = ?3, api_key_created_at = ?4,
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did = ?1
          AND (api_key_hash = ?5
               OR ?5 IS NULL AND (typeof(api_key_hash) <> 'text' OR length(CAST(api_key_hash AS BLOB)) <> 64
                                  OR api_key_hash GLOB '*[^0-9a-f]*'))
          AND (?6 = 0 OR api_key_revoked_at IS NULL)
        RETURNING 1",
};

pub(super) const REVOCATIONS: Revocations = Revocations {
    revoke: Sql {
        postgres: "
            UPDATE aggregators SET api_key_revoked_at = $3::timestamp AT TIME ZONE 'UTC'
            WHERE did = $1 AND api_key_hash IS NOT NULL AND ($2::text IS NULL OR api_key_hash = $2)
              AND api_key_revoked_at IS NULL
            RETURNING 1",
        sqlite: "
            UPDATE aggregators SET api_key_revoked_at = ?3
            WHERE did = ?1 AND api_key_hash IS NOT NULL AND (?2 IS NULL OR api_key_hash = ?2)
              AND api_key_revoked_at IS NULL
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
            INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', a.did, a.api_key_hash, $3::timestamp, $4::text
            FROM (SELECT did, api_key_hash FROM aggregators
                  WHERE did = $1 AND api_key_hash IS NOT NULL AND ($2::text IS NULL OR api_key_hash = $2)
                    AND api_key_revoked_at IS NULL
                  FOR UPDATE) a
            ON CONFLICT (system, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', did, api_key_hash, ?3, ?4 FROM aggregators
            WHERE did = ?1 AND api_key_hash IS NOT NULL AND (?2 IS NULL OR api_key_hash = ?2)
              AND api_key_revoked_at IS NULL
            ON CONFLICT (system, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
    },
    record_all: &[Sql {
        postgres: "
            INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', a.did, a.api_key_hash, $2::timestamp, $3::text
            FROM (SELECT did, api_key_hash FROM aggregators
                  WHERE did = $1 AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL FOR UPDATE) a
            ON CONFLICT (system, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
            SELECT 'aggregator', did, api_key_hash, ?2, ?3 FROM aggregators
            WHERE did = ?1 AND api_key_hash IS NOT NULL AND api_key_revoked_at IS NULL
            ON CONFLICT (system, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
    }],
    keeps_time: true,
};

/// `$1` a JSON array of `[identity, digest, instant]`: a late use of a key that was replaced writes nothing. PostgreSQL
/// locks the rows in one order first, so that two processes that flush at once wait for each other instead of
/// deadlocking.
pub(super) const TOUCH: Sql = Sql {
    postgres: "
        WITH used AS (
            SELECT u ->> 0 AS did, u ->> 1 AS api_key_hash, (u ->> 2)::timestamp AT TIME ZONE 'UTC' AS at
            FROM jsonb_array_elements($1::text::jsonb) u
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
