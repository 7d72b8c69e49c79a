//! Removal of what nobody can use any more, in both dialects.
//!
//! SQLite keeps a value of any type in any column, and a text is greater than every number: in the host's tables, a time that
//! is a text or a blob has passed. A row that somebody else holds is passed over.

use crate::sql::engine::{Query, Sql};

/// `$1` the present time, `$2` how many.
pub(in crate::sql::grants) static FORGETTABLE: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS id FROM keyward.grants g
            WHERE g.remembered_until <= $1::bigint
            ORDER BY g.remembered_until LIMIT $2::bigint FOR UPDATE SKIP LOCKED",
        sqlite: "
            SELECT g.id AS id FROM keyward_grants g
            WHERE g.remembered_until <= ?1
            ORDER BY g.remembered_until LIMIT ?2",
    },
    &["id"],
);

/// `$1` the grants as JSON, `$2` the present time, `$3` how many: what is remembered of codes whose row in the host's
/// table is gone.
pub(in crate::sql::grants) const FORGET_CODES: Sql = Sql {
    postgres: "
        DELETE FROM keyward.grant_codes
        WHERE digest = ANY (ARRAY(
            SELECT s.digest FROM keyward.grants g
            JOIN keyward.grant_codes s ON s.grant_id = g.id
            WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND g.remembered_until <= $2::bigint
              AND NOT EXISTS (SELECT 1 FROM auth_codes h WHERE h.code::text = s.digest)
            LIMIT $3::bigint FOR UPDATE OF s SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        DELETE FROM keyward_grant_codes
        WHERE digest IN (
            SELECT s.digest FROM keyward_grants g
            JOIN keyward_grant_codes s ON s.grant_id = g.id
            WHERE g.id IN (SELECT value FROM json_each(?1))
              AND g.remembered_until <= ?2
              AND NOT EXISTS (SELECT 1 FROM auth_codes h WHERE h.code = s.digest)
            LIMIT ?3)
        RETURNING 1",
};

/// As [`FORGET_CODES`], of refresh tokens.
pub(in crate::sql::grants) const FORGET_REFRESH: Sql = Sql {
    postgres: "
        DELETE FROM keyward.grant_refresh_tokens
        WHERE digest = ANY (ARRAY(
            SELECT s.digest FROM keyward.grants g
            JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
            WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND g.remembered_until <= $2::bigint
              AND NOT EXISTS (SELECT 1 FROM refresh_tokens h WHERE h.token_hash::text = s.digest)
            LIMIT $3::bigint FOR UPDATE OF s SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        DELETE FROM keyward_grant_refresh_tokens
        WHERE digest IN (
            SELECT s.digest FROM keyward_grants g
            JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
            WHERE g.id IN (SELECT value FROM json_each(?1))
              AND g.remembered_until <= ?2
              AND NOT EXISTS (SELECT 1 FROM refresh_tokens h WHERE h.token_hash = s.digest)
            LIMIT ?3)
        RETURNING 1",
};

/// As [`FORGET_CODES`], of access tokens.
pub(in crate::sql::grants) const FORGET_ACCESS: Sql = Sql {
    postgres: "
        DELETE FROM keyward.grant_access_tokens
        WHERE digest = ANY (ARRAY(
            SELECT s.digest FROM keyward.grants g
            JOIN keyward.grant_access_tokens s ON s.grant_id = g.id
            WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND g.remembered_until <= $2::bigint
              AND NOT EXISTS (SELECT 1 FROM access_tokens h WHERE h.token_hash::text = s.digest)
            LIMIT $3::bigint FOR UPDATE OF s SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        DELETE FROM keyward_grant_access_tokens
        WHERE digest IN (
            SELECT s.digest FROM keyward_grants g
            JOIN keyward_grant_access_tokens s ON s.grant_id = g.id
            WHERE g.id IN (SELECT value FROM json_each(?1))
              AND g.remembered_until <= ?2
              AND NOT EXISTS (SELECT 1 FROM access_tokens h WHERE h.token_hash = s.digest)
            LIMIT ?3)
        RETURNING 1",
};

/// `$1` the grants as JSON, `$2` the present time: those of which no code and no token is remembered.
pub(in crate::sql::grants) const FORGET_GRANTS: Sql = Sql {
    postgres: "
        DELETE FROM keyward.grants
        WHERE id = ANY (ARRAY(SELECT g.id FROM keyward.grants g
                     WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
                       AND g.remembered_until <= $2::bigint
                       AND NOT EXISTS (SELECT 1 FROM keyward.grant_codes s WHERE s.grant_id = g.id)
                       AND NOT EXISTS (SELECT 1 FROM keyward.grant_access_tokens s WHERE s.grant_id = g.id)
                       AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.grant_id = g.id)
                     FOR UPDATE OF g SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        DELETE FROM keyward_grants
        WHERE id IN (SELECT g.id FROM keyward_grants g
                     WHERE g.id IN (SELECT value FROM json_each(?1))
                       AND g.remembered_until <= ?2
                       AND NOT EXISTS (SELECT 1 FROM keyward_grant_codes s WHERE s.grant_id = g.id)
                       AND NOT EXISTS (SELECT 1 FROM keyward_grant_access_tokens s WHERE s.grant_id = g.id)
                       AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.grant_id = g.id))
        RETURNING 1",
};

/// `$1` the present time, `$2` how many.
pub(in crate::sql::grants) const SWEEP_CODES: Sql = Sql {
    postgres: "
        DELETE FROM auth_codes
        WHERE code::text = ANY (ARRAY(SELECT h.code::text FROM auth_codes h WHERE h.expires_at <= $1::bigint
                              ORDER BY h.expires_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        DELETE FROM auth_codes
        WHERE rowid IN (SELECT h.rowid FROM auth_codes h WHERE h.expires_at <= ?1 OR h.expires_at >= '' LIMIT ?2)
        RETURNING 1",
};

/// `$1` the present time, `$2` how many.
pub(in crate::sql::grants) const SWEEP_REFRESH: Sql = Sql {
    postgres: "
        DELETE FROM refresh_tokens
        WHERE token_hash::text = ANY (ARRAY(SELECT h.token_hash::text FROM refresh_tokens h WHERE h.expires_at <= $1::bigint
                              ORDER BY h.expires_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        DELETE FROM refresh_tokens
        WHERE rowid IN (SELECT h.rowid FROM refresh_tokens h WHERE h.expires_at <= ?1 OR h.expires_at >= '' LIMIT ?2)
        RETURNING 1",
};

/// `$1` the present time, `$2` how many: access tokens that have expired and to which no refresh token refers that is
/// good.
pub(in crate::sql::grants) static SWEEPABLE_ACCESS: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.token_hash AS id FROM access_tokens a
            WHERE a.expires_at <= $1::bigint
              AND NOT EXISTS (SELECT 1 FROM refresh_tokens r
                              WHERE r.access_token_hash::text = a.token_hash::text AND r.revoked_at IS NULL
                                AND r.expires_at > $1::bigint)
            ORDER BY a.expires_at LIMIT $2::bigint FOR UPDATE OF a SKIP LOCKED",
        sqlite: "
            SELECT a.token_hash AS id FROM access_tokens a
            WHERE (a.expires_at <= ?1 OR a.expires_at >= '') AND a.token_hash IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM refresh_tokens r
                              WHERE r.access_token_hash = a.token_hash AND r.revoked_at IS NULL
                                AND r.expires_at > ?1 AND typeof(r.expires_at) = 'integer')
            LIMIT ?2",
    },
    &["id"],
);

/// `$1` digests of access tokens as JSON, `$2` the present time, `$3` how many: refresh tokens that refer to them and
/// are good no longer.
pub(in crate::sql::grants) const SWEEP_REFRESH_OF_ACCESS: Sql = Sql {
    postgres: "
        DELETE FROM refresh_tokens
        WHERE token_hash::text = ANY (ARRAY(
            SELECT r.token_hash::text FROM refresh_tokens r
            WHERE r.access_token_hash::text IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND (r.revoked_at IS NOT NULL OR r.expires_at <= $2::bigint)
            LIMIT $3::bigint FOR UPDATE SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        DELETE FROM refresh_tokens
        WHERE rowid IN (
            SELECT r.rowid FROM refresh_tokens r
            WHERE r.access_token_hash IN (SELECT value FROM json_each(?1))
              AND (r.revoked_at IS NOT NULL OR r.expires_at <= ?2 OR typeof(r.expires_at) <> 'integer')
            LIMIT ?3)
        RETURNING 1",
};

/// `$1` digests of access tokens as JSON, `$2` the present time. One to which a refresh token still refers stays, as
/// that would go with it.
pub(in crate::sql::grants) const SWEEP_ACCESS: Sql = Sql {
    postgres: "
        DELETE FROM access_tokens
        WHERE token_hash::text = ANY (ARRAY(
            SELECT a.token_hash::text FROM access_tokens a
            WHERE a.token_hash::text IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND a.expires_at <= $2::bigint
              AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.access_token_hash::text = a.token_hash::text)
            FOR UPDATE OF a SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        DELETE FROM access_tokens
        WHERE token_hash IN (
            SELECT a.token_hash FROM access_tokens a
            WHERE a.token_hash IN (SELECT value FROM json_each(?1))
              AND (a.expires_at <= ?2 OR typeof(a.expires_at) <> 'integer')
              AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.access_token_hash = a.token_hash))
        RETURNING 1",
};

/// `$1` digests of access tokens as JSON: what is remembered of those that are gone.
pub(in crate::sql::grants) const SWEEP_GRANT_ACCESS: Sql = Sql {
    postgres: "
        DELETE FROM keyward.grant_access_tokens AS s
        WHERE s.digest IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
          AND NOT EXISTS (SELECT 1 FROM access_tokens a WHERE a.token_hash::text = s.digest)
        RETURNING 1",
    sqlite: "
        DELETE FROM keyward_grant_access_tokens AS s
        WHERE s.digest IN (SELECT value FROM json_each(?1))
          AND NOT EXISTS (SELECT 1 FROM access_tokens a WHERE a.token_hash = s.digest)
        RETURNING 1",
};

/// `$1` the time since when they were not used, `$2` how many. A client that has a grant stays, and one that has a row
/// of any kind.
pub(in crate::sql::grants) const SWEEP_CLIENTS: Sql = Sql {
    postgres: "
        DELETE FROM clients
        WHERE client_id::text = ANY (ARRAY(
            SELECT k.client_id::text FROM clients k
            WHERE (k.last_used < $1::bigint OR k.last_used IS NULL AND k.created_at < $1::bigint)
              AND NOT EXISTS (SELECT 1 FROM keyward.grants g WHERE g.client_id = k.client_id::text)
              AND NOT EXISTS (SELECT 1 FROM auth_codes h WHERE h.client_id::text = k.client_id::text)
              AND NOT EXISTS (SELECT 1 FROM access_tokens h WHERE h.client_id::text = k.client_id::text)
              AND NOT EXISTS (SELECT 1 FROM refresh_tokens h WHERE h.client_id::text = k.client_id::text)
            LIMIT $2::bigint FOR UPDATE OF k SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        DELETE FROM clients
        WHERE client_id IN (
            SELECT k.client_id FROM clients k
            WHERE (k.last_used < ?1 OR k.last_used IS NULL AND k.created_at < ?1)
              AND NOT EXISTS (SELECT 1 FROM keyward_grants g WHERE g.client_id = k.client_id)
              AND NOT EXISTS (SELECT 1 FROM auth_codes h WHERE h.client_id = k.client_id)
              AND NOT EXISTS (SELECT 1 FROM access_tokens h WHERE h.client_id = k.client_id)
              AND NOT EXISTS (SELECT 1 FROM refresh_tokens h WHERE h.client_id = k.client_id)
            LIMIT ?2)
        RETURNING 1",
};

/// Every statement here, by its name.
pub(super) fn all() -> Vec<(&'static str, Sql)> {
    vec![
        ("forgettable", FORGETTABLE.sql()),
        ("forget_codes", FORGET_CODES),
        ("forget_refresh", FORGET_REFRESH),
        ("forget_access", FORGET_ACCESS),
        ("forget_grants", FORGET_GRANTS),
        ("sweep_codes", SWEEP_CODES),
        ("sweep_refresh", SWEEP_REFRESH),
        ("sweepable_access", SWEEPABLE_ACCESS.sql()),
        ("sweep_refresh_of_access", SWEEP_REFRESH_OF_ACCESS),
        ("sweep_access", SWEEP_ACCESS),
        ("sweep_grant_access", SWEEP_GRANT_ACCESS),
        ("sweep_clients", SWEEP_CLIENTS),
    ]
}
