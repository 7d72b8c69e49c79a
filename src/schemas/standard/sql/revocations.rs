//! Revoking keys of the schema `standard` in both dialects.
//!
//! On PostgreSQL rows are locked as weakly as an `UPDATE` does that leaves the key columns alone, and in the order of the
//! identities. A version that cannot be counted up any more keeps no key from being revoked.

use crate::sql::engine::{Query, Sql};
use crate::sql::keys::revocation::{FoundColumn, PartColumn};

/// `$1` the key, `$2` the digest that the caller saw or NULL, `$3` the owner or NULL, `$4` when, `$5` why; returns a
/// row if this call revokes the key.
pub(super) const REVOKE: Sql = Sql {
    postgres: "
        UPDATE keyward.keys
        SET revoked_at = $4::timestamp, revocation_reason = $5::text,
            version = CASE WHEN version < 9223372036854775807 THEN version + 1 ELSE version END
        WHERE id = $1::text AND ($2::bytea IS NULL OR digest = $2::bytea) AND ($3::text IS NULL OR owner = $3::text)
          AND revoked_at IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE keyward_keys
        SET revoked_at = ?4, revocation_reason = ?5,
            version = CASE WHEN version < 9223372036854775807 THEN version + 1 ELSE version END
        WHERE id = ?1 AND (?2 IS NULL OR digest = ?2) AND (?3 IS NULL OR owner = ?3) AND revoked_at IS NULL
        RETURNING 1",
};

/// `$1` the key, `$2` when, `$3` by whom, `$4` why. Only a key that was revoked in this transaction has a version that
/// its history does not have yet.
pub(super) const APPEND_REVOCATION: Sql = Sql {
    postgres: "
        INSERT INTO keyward.key_history (key_id, from_version, to_version, at, action, actor, reason)
        SELECT k.id, k.version - 1, k.version, $2::timestamp, 'revoked', $3::text, $4::text
        FROM keyward.keys k
        WHERE k.id = $1::text AND k.revoked_at = $2::timestamp
          AND NOT EXISTS (SELECT 1 FROM keyward.key_history h WHERE h.key_id = k.id AND h.to_version = k.version)
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_key_history (key_id, from_version, to_version, at, action, actor, reason)
        SELECT k.id, k.version - 1, k.version, ?2, 'revoked', ?3, ?4
        FROM keyward_keys k
        WHERE k.id = ?1 AND k.revoked_at = ?2
          AND NOT EXISTS (SELECT 1 FROM keyward_key_history h WHERE h.key_id = k.id AND h.to_version = k.version)
        RETURNING 1",
};

/// See [`KeyTables::revoked`](crate::sql::keys::KeyTables::revoked). The table lets no digest stand in it twice.
pub(super) static REVOKED: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, true AS is_meant, k.revoked_at IS NULL AS is_live, false AS is_recorded, k.revoked_at,
                   k.revocation_reason AS reason
            FROM keyward.keys k
            WHERE k.id = $1::text AND ($2::bytea IS NULL OR k.digest = $2::bytea)
              AND ($3::text IS NULL OR k.owner = $3::text)",
        sqlite: "
            SELECT k.id, 1 AS is_meant, k.revoked_at IS NULL AS is_live, 0 AS is_recorded, k.revoked_at,
                   k.revocation_reason AS reason
            FROM keyward_keys k
            WHERE k.id = ?1 AND (?2 IS NULL OR k.digest = ?2) AND (?3 IS NULL OR k.owner = ?3)",
    },
    FoundColumn::NAMES,
);

/// `$1` the owner, `$2` when, `$3` why; returns a row for every key that it revokes.
pub(super) const REVOKE_ALL: Sql = Sql {
    postgres: "
        WITH due AS (
            SELECT k.id FROM keyward.keys k WHERE k.owner = $1::text AND k.revoked_at IS NULL
            ORDER BY k.id FOR NO KEY UPDATE
        )
        UPDATE keyward.keys k
        SET revoked_at = $2::timestamp, revocation_reason = $3::text,
            version = CASE WHEN k.version < 9223372036854775807 THEN k.version + 1 ELSE k.version END
        FROM due WHERE k.id = due.id
        RETURNING 1",
    sqlite: "
        UPDATE keyward_keys
        SET revoked_at = ?2, revocation_reason = ?3,
            version = CASE WHEN version < 9223372036854775807 THEN version + 1 ELSE version END
        WHERE owner = ?1 AND revoked_at IS NULL
        RETURNING 1",
};

/// See [`KeyTables::revoke_part`](crate::sql::keys::KeyTables::revoke_part): `$1` the owner, `$2` how many at most, `$3`
/// how many to leave, `$4` when, `$5` why, `$6` by whom.
pub(super) static REVOKE_PART: Query = Query::new(
    Sql {
        postgres: "
            WITH due AS MATERIALIZED (
                SELECT k.id FROM keyward.keys k WHERE k.owner = $1::text AND k.revoked_at IS NULL
                ORDER BY k.id LIMIT $2::bigint OFFSET $3::bigint FOR NO KEY UPDATE SKIP LOCKED
            ),
            revoked AS (
                UPDATE keyward.keys k
                SET revoked_at = $4::timestamp, revocation_reason = $5::text,
                    version = CASE WHEN k.version < 9223372036854775807 THEN k.version + 1 ELSE k.version END
                FROM due WHERE k.id = due.id
                RETURNING k.id, k.version
            ),
            appended AS (
                INSERT INTO keyward.key_history (key_id, from_version, to_version, at, action, actor, reason)
                SELECT r.id, r.version - 1, r.version, $4::timestamp, 'revoked', $6::text, $5::text
                FROM revoked r
                WHERE NOT EXISTS (
                    SELECT 1 FROM keyward.key_history h WHERE h.key_id = r.id AND h.to_version = r.version)
            )
            SELECT (SELECT pg_catalog.count(*) FROM due) AS due,
                   (SELECT pg_catalog.count(*) FROM revoked) AS revoked,
                   (SELECT pg_catalog.count(*) FROM revoked) AS first",
        sqlite: "",
    },
    PartColumn::NAMES,
);

/// `$1` the owner, `$2` when, `$3` by whom, `$4` why: as [`APPEND_REVOCATION`], for all keys of the owner.
pub(super) const APPEND_REVOCATIONS: Sql = Sql {
    postgres: "
        INSERT INTO keyward.key_history (key_id, from_version, to_version, at, action, actor, reason)
        SELECT k.id, k.version - 1, k.version, $2::timestamp, 'revoked', $3::text, $4::text
        FROM keyward.keys k
        WHERE k.owner = $1::text AND k.revoked_at = $2::timestamp
          AND NOT EXISTS (SELECT 1 FROM keyward.key_history h WHERE h.key_id = k.id AND h.to_version = k.version)
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_key_history (key_id, from_version, to_version, at, action, actor, reason)
        SELECT k.id, k.version - 1, k.version, ?2, 'revoked', ?3, ?4
        FROM keyward_keys k
        WHERE k.owner = ?1 AND k.revoked_at = ?2
          AND NOT EXISTS (SELECT 1 FROM keyward_key_history h WHERE h.key_id = k.id AND h.to_version = k.version)
        RETURNING 1",
};

/// See [`KeyTables::remaining`](crate::sql::keys::KeyTables::remaining).
pub(super) static REMAINING: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id FROM keyward.keys k
            WHERE k.owner = $1::text AND k.revoked_at IS NULL
            ORDER BY k.id LIMIT 100 OFFSET $2::bigint",
        sqlite: "
            SELECT k.id FROM keyward_keys k
            WHERE k.owner = ?1 AND k.revoked_at IS NULL
            ORDER BY k.id LIMIT 100 OFFSET ?2",
    },
    &["id"],
);
