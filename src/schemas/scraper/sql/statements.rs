//! The changes of the schema `scraper` in both dialects.

use crate::schemas::scraper::sql::last_use;
use crate::schemas::scraper::sql::revocations::REVOCATIONS;
use crate::sql::engine::Sql;
use crate::sql::keys::host::Changes;
use crate::sql::keys::rotation::Succession;

pub(super) static CHANGES: Changes = Changes { insert: INSERT, touch: &last_use::TOUCH, revocations: REVOCATIONS };

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
