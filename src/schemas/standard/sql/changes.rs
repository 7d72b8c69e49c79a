//! The changes of keys of the schema `standard` in both dialects. Each counts the key's version up.
//!
//! On PostgreSQL they lock rows as weakly as an `UPDATE` does that leaves the key columns alone, and in the order of
//! the identities, so that they neither hold up an insert that refers to a row nor deadlock.

use crate::sql::engine::Sql;

/// `$1` to `$22` the columns in this order, see [`columns`](super::scripts::columns); returns a row.
pub(super) const INSERT: Sql = Sql {
    postgres: "
        INSERT INTO keyward.keys (id, owner, environment, name, description, prefix, digest, scopes, metadata,
                                  requests_per_minute, created_at, created_by, expires_at, revoked_at,
                                  revocation_reason, is_disabled, disabled_at, disabling_reason, lineage,
                                  predecessor_id, successor_id, imported_from)
        VALUES ($1, $2, $3, $4, $5, $6, $7::bytea, $8, $9, $10::bigint, $11::timestamp, $12, $13::timestamp, $14::timestamp,
                $15, $16::bigint = 1::bigint, $17::timestamp, $18, $19, $20, $21, $22)
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_keys (id, owner, environment, name, description, prefix, digest, scopes, metadata,
                                  requests_per_minute, created_at, created_by, expires_at, revoked_at,
                                  revocation_reason, is_disabled, disabled_at, disabling_reason, lineage,
                                  predecessor_id, successor_id, imported_from)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)
        RETURNING 1",
};

/// `$1` the key, `$2` the version before, `$3` the version after, `$4` when, `$5` what, `$6` by whom, `$7` why, `$8`
/// the changed fields.
pub(super) const APPEND_HISTORY: Sql = Sql {
    postgres: "
        INSERT INTO keyward.key_history (key_id, from_version, to_version, at, action, actor, reason, changes)
        VALUES ($1, $2::bigint, $3::bigint, $4::timestamp, $5, $6, $7, $8)
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_key_history (key_id, from_version, to_version, at, action, actor, reason, changes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        RETURNING 1",
};

/// `$1` the key, `$2` the version that the caller saw, `$3` until when it is still accepted, `$4` the successor, `$5`
/// when, `$6` when it is revoked, or NULL when it lives on until `$3`; returns a row if the key was still as the caller
/// saw it, and live.
pub(super) const RETIRE: Sql = Sql {
    postgres: "
        UPDATE keyward.keys
        SET expires_at = $3::timestamp, successor_id = $4::text, revoked_at = $6::timestamp, version = version + 1
        WHERE id = $1::text AND version = $2::bigint AND revoked_at IS NULL AND NOT is_disabled
          AND successor_id IS NULL AND (expires_at IS NULL OR expires_at > $5::timestamp)
        RETURNING 1",
    sqlite: "
        UPDATE keyward_keys
        SET expires_at = ?3, successor_id = ?4, revoked_at = ?6, version = version + 1
        WHERE id = ?1 AND version = ?2 AND revoked_at IS NULL AND NOT is_disabled
          AND successor_id IS NULL AND (expires_at IS NULL OR expires_at > ?5)
        RETURNING 1",
};

/// Adds a key that has everything of the retired one but these: `$1` the retired key, `$2` identity, `$3` display
/// prefix, `$4` digest, `$5` when, `$6` by whom, `$7` expiry; returns a row.
pub(super) const SUCCEED: Sql = Sql {
    postgres: "
        INSERT INTO keyward.keys (id, owner, environment, name, description, prefix, digest, scopes, metadata,
                                  requests_per_minute, created_at, created_by, expires_at, lineage, predecessor_id)
        SELECT $2::text, k.owner, k.environment, k.name, k.description, $3::text, $4::bytea, k.scopes, k.metadata,
               k.requests_per_minute, $5::timestamp, $6::text, $7::timestamp, k.lineage, k.id
        FROM keyward.keys k
        WHERE k.id = $1::text
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_keys (id, owner, environment, name, description, prefix, digest, scopes, metadata,
                                  requests_per_minute, created_at, created_by, expires_at, lineage, predecessor_id)
        SELECT ?2, k.owner, k.environment, k.name, k.description, ?3, ?4, k.scopes, k.metadata,
               k.requests_per_minute, ?5, ?6, ?7, k.lineage, k.id
        FROM keyward_keys k
        WHERE k.id = ?1
        RETURNING 1",
};

/// `$1` the key, `$2` the version that the caller saw, `$3` to `$11` what can be changed; returns a row if the key was
/// still as the caller saw it.
pub(super) const CHANGE: Sql = Sql {
    postgres: "
        UPDATE keyward.keys
        SET name = $3::text, description = $4::text, scopes = $5::text, metadata = $6::text,
            requests_per_minute = $7::bigint, expires_at = $8::timestamp, is_disabled = ($9::bigint = 1::bigint),
            disabled_at = $10::timestamp, disabling_reason = $11::text, version = version + 1
        WHERE id = $1::text AND version = $2::bigint AND revoked_at IS NULL
          AND (successor_id IS NULL OR expires_at IS NOT DISTINCT FROM $8::timestamp
               OR $8::timestamp >= '9999-12-31 23:59:59.999999'::timestamp AND expires_at >= $8::timestamp)
        RETURNING 1",
    sqlite: "
        UPDATE keyward_keys
        SET name = ?3, description = ?4, scopes = ?5, metadata = ?6, requests_per_minute = ?7, expires_at = ?8,
            is_disabled = ?9, disabled_at = ?10, disabling_reason = ?11, version = version + 1
        WHERE id = ?1 AND version = ?2 AND revoked_at IS NULL AND (successor_id IS NULL OR expires_at IS ?8)
        RETURNING 1",
};

/// `$1` the instant before which the keys died, `$2` how many at most; returns a row for every key that it removes. On
/// PostgreSQL a key that somebody is changing waits for the next call.
pub(super) const PURGE: Sql = Sql {
    postgres: "
        WITH due AS (
            SELECT k.id FROM keyward.keys k
            WHERE LEAST(k.revoked_at, k.expires_at) < $1::timestamp
              AND (k.revoked_at IS NOT NULL OR k.expires_at IS NOT NULL)
            ORDER BY LEAST(k.revoked_at, k.expires_at)
            LIMIT $2::bigint FOR UPDATE SKIP LOCKED
        )
        DELETE FROM keyward.keys k USING due WHERE k.id = due.id
        RETURNING 1",
    sqlite: "
        DELETE FROM keyward_keys
        WHERE id IN (
            SELECT id FROM keyward_keys
            WHERE coalesce(min(revoked_at, expires_at), revoked_at, expires_at) < ?1
              AND (revoked_at IS NOT NULL OR expires_at IS NOT NULL)
            ORDER BY coalesce(min(revoked_at, expires_at), revoked_at, expires_at)
            LIMIT ?2
        )
        RETURNING 1",
};
