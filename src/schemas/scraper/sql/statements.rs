//! The changes of the schema `scraper` in both dialects.

use crate::sql::engine::Sql;
use crate::sql::keys::host::Changes;
use crate::sql::keys::rotation::Succession;

pub(super) const CHANGES: Changes = Changes {
    insert: INSERT,
    touch: TOUCH,
    revoke: DEACTIVATE,
    revoke_all: DEACTIVATE_ALL,
    record: RECORD_REVOCATION,
    record_all: &[RECORD_ALL_REVOCATIONS, RECORD_INACTIVE_KEYS],
    keeps_time: false,
};

/// `$1` identity, `$2` digest, `$3` display prefix, `$4` name, `$5` owner, `$6` scopes as JSON, `$7` rate limit,
/// `$8` created, `$9` expiry, `$10` metadata.
const INSERT: Sql = Sql {
    postgres: "
        INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                              created_at, expires_at, metadata)
        VALUES ($1::text::uuid, $2, $3, $4, $5,
                ARRAY(SELECT pg_catalog.jsonb_array_elements_text($6::text::jsonb)), $7::bigint,
                true, $8::timestamp, $9::timestamp, $10::text::jsonb)
        RETURNING 1",
    sqlite: "
        INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                              created_at, expires_at, metadata)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, TRUE, ?8, ?9, ?10)
        RETURNING 1",
};

/// A retired key whose flag is no longer set cannot be rotated again. On SQLite the stored expiry is compared as keyward
/// writes it, and with SQLite's own functions, to the millisecond, where somebody wrote it in another form. On PostgreSQL
/// all instants behind the last one that keyward knows are the same.
pub(super) const SUCCESSION: Succession = Succession {
    retire: Sql {
        postgres: "
            UPDATE api_keys SET expires_at = $5::timestamp, is_active = ($6::timestamp IS NULL)
            WHERE id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
              AND key_hash::text = $2::text AND client_id::text COLLATE pg_catalog.\"C\" = $3::text AND is_active
              AND (expires_at IS NOT DISTINCT FROM $4::timestamp
                   OR $4::timestamp >= '9999-12-31 23:59:59.999999'::timestamp AND expires_at >= $4::timestamp)
            RETURNING 1",
        sqlite: "
            UPDATE api_keys SET expires_at = ?5, is_active = (?6 IS NULL)
            WHERE id = ?1 COLLATE BINARY AND key_hash = ?2 COLLATE BINARY AND client_id = ?3 COLLATE BINARY
              AND is_active IS 1
              AND (expires_at IS ?4 OR expires_at IS ?4 || '.000000'
                   OR NOT (length(expires_at) IN (19, 26) AND substr(expires_at, 11, 1) = ' ')
                      AND strftime('%Y-%m-%d %H:%M:%f', expires_at) = strftime('%Y-%m-%d %H:%M:%f', ?4))
            RETURNING 1",
    },
    succeed: Sql {
        postgres: "
            INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                                  created_at, expires_at, metadata)
            SELECT $2::text::uuid, $3::text, $4::text, k.name, k.client_id, k.scopes, k.rate_limit_rpm, true,
                   $5::timestamp, $6::timestamp, k.metadata
            FROM api_keys k
            WHERE k.id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
            RETURNING 1",
        sqlite: "
            INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                                  created_at, expires_at, metadata)
            SELECT ?2, ?3, ?4, k.name, k.client_id, k.scopes, k.rate_limit_rpm, TRUE, ?5, ?6, k.metadata
            FROM api_keys k
            WHERE k.id = ?1 COLLATE BINARY
            RETURNING 1",
    },
};

/// `$1` identity, `$2` the digest that the caller saw or NULL, `$3` owner or NULL, `$4` when, `$5` why. A key whose flag
/// is not set is recorded too: setting the flag again must not bring back what was revoked. Locks the key's row first,
/// in the order in which everything else does.
const RECORD_REVOCATION: Sql = Sql {
    postgres: "
        INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', k.id::text, k.key_hash, $4::timestamp, $5::text
        FROM (SELECT id, key_hash FROM api_keys
              WHERE id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
                AND ($2::text IS NULL OR key_hash = $2) AND ($3::text IS NULL OR client_id = $3)
              FOR NO KEY UPDATE) k
        ON CONFLICT DO NOTHING RETURNING 1",
    sqlite: "
        INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', id, key_hash, ?4, ?5 FROM api_keys
        WHERE id = ?1 AND (?2 IS NULL OR key_hash = ?2) AND (?3 IS NULL OR client_id = ?3)
        ON CONFLICT DO NOTHING RETURNING 1",
};

/// `$1` identity, `$2` the digest that the caller saw or NULL, `$3` owner or NULL.
const DEACTIVATE: Sql = Sql {
    postgres: "
        UPDATE api_keys SET is_active = false
        WHERE id = CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ($1::text)::uuid END
          AND ($2::text IS NULL OR key_hash = $2) AND ($3::text IS NULL OR client_id = $3)
          AND is_active IS DISTINCT FROM false
        RETURNING 1",
    sqlite: "
        UPDATE api_keys SET is_active = FALSE
        WHERE id = ?1 AND (?2 IS NULL OR key_hash = ?2) AND (?3 IS NULL OR client_id = ?3) AND is_active IS NOT 0
        RETURNING 1",
};

/// `$1` owner, `$2` when, `$3` why.
const RECORD_ALL_REVOCATIONS: Sql = Sql {
    postgres: "
        INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', k.id::text, k.key_hash, $2::timestamp, $3::text
        FROM (SELECT id, key_hash FROM api_keys WHERE client_id = $1 AND is_active IS DISTINCT FROM false
              ORDER BY id FOR NO KEY UPDATE) k
        ON CONFLICT DO NOTHING RETURNING 1",
    sqlite: "
        INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', id, key_hash, ?2, ?3 FROM api_keys WHERE client_id = ?1 AND is_active IS NOT 0
        ON CONFLICT DO NOTHING RETURNING 1",
};

/// `$1` owner, `$2` when, `$3` why: the keys whose flag was not set, which must not come back when somebody sets it.
const RECORD_INACTIVE_KEYS: Sql = Sql {
    postgres: "
        INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', k.id::text, k.key_hash, $2::timestamp, $3::text
        FROM (SELECT id, key_hash FROM api_keys WHERE client_id = $1 ORDER BY id FOR NO KEY UPDATE) k
        ON CONFLICT DO NOTHING RETURNING 1",
    sqlite: "
        INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', id, key_hash, ?2, ?3 FROM api_keys WHERE client_id = ?1
        ON CONFLICT DO NOTHING RETURNING 1",
};

/// `$1` owner. Locks the rows in the order in which everything else does.
const DEACTIVATE_ALL: Sql = Sql {
    postgres: "
        WITH due AS (
            SELECT id FROM api_keys WHERE client_id = $1 AND is_active IS DISTINCT FROM false
            ORDER BY id FOR NO KEY UPDATE
        )
        UPDATE api_keys k SET is_active = false FROM due WHERE k.id = due.id RETURNING 1",
    sqlite: "UPDATE api_keys SET is_active = FALSE WHERE client_id = ?1 AND is_active IS NOT 0 RETURNING 1",
};

/// `$1` a JSON array of `[identity, digest, instant]`. PostgreSQL locks the rows in one order first, so that two
/// processes that flush at once wait for each other instead of deadlocking.
const TOUCH: Sql = Sql {
    postgres: "
        WITH used AS (
            SELECT CASE WHEN u ->> 0 ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (u ->> 0)::uuid END AS id,
                   u ->> 1 AS key_hash, (u ->> 2)::timestamp AS at
            FROM pg_catalog.jsonb_array_elements($1::text::jsonb) u
        ), due AS (
            SELECT k.id, used.at FROM api_keys k JOIN used ON used.id = k.id AND used.key_hash = k.key_hash
            WHERE k.last_used_at IS NULL OR k.last_used_at < used.at
            ORDER BY k.id FOR NO KEY UPDATE OF k
        )
        UPDATE api_keys k SET last_used_at = due.at FROM due WHERE k.id = due.id",
    sqlite: "
        UPDATE api_keys SET last_used_at = used.at
        FROM (SELECT value ->> 0 AS id, value ->> 1 AS key_hash, value ->> 2 AS at FROM json_each(?1)) AS used
        WHERE api_keys.id = used.id AND api_keys.key_hash = used.key_hash
          AND coalesce(strftime('%Y-%m-%d %H:%M:%f', last_used_at), '') < strftime('%Y-%m-%d %H:%M:%f', used.at)",
};
