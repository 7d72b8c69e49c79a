//! The answers to exchanges, which are gone after their time, and as soon as somebody uses what they hold, in both dialects.
//!
//! Whoever has an old refresh token and a copy of the database could open its answer, with the refresh token in that the next
//! one, and so on to the newest. A row that somebody else holds is passed over, as its time comes in any case.

use crate::sql::engine::Sql;

/// `$1` the digest of a refresh token that is spent, `$2` the grant: the answer that it came in.
pub(in crate::sql::grants) const BLANK_SPENT: Sql = Sql {
    postgres: "
        UPDATE keyward.grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest = ANY (ARRAY(
            SELECT s.digest FROM keyward.grant_refresh_tokens s
            WHERE s.grant_id = $2::text AND s.successor = $1::text AND s.response IS NOT NULL
            FOR NO KEY UPDATE OF s SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest IN (
            SELECT s.digest FROM keyward_grant_refresh_tokens s
            WHERE s.grant_id = ?2 AND s.successor = ?1 AND s.response IS NOT NULL)
        RETURNING 1",
};

/// `$1` the digest of an access token that was used: the answer that it came in.
pub(in crate::sql::grants) const BLANK_USED: Sql = Sql {
    postgres: "
        UPDATE keyward.grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest = ANY (ARRAY(
            SELECT s.digest FROM keyward.grant_access_tokens a
            JOIN keyward.grant_refresh_tokens s ON s.grant_id = a.grant_id
            WHERE a.digest = $1::text AND s.successor_access = a.digest AND s.response IS NOT NULL
            FOR NO KEY UPDATE OF s SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest IN (
            SELECT s.digest FROM keyward_grant_access_tokens a
            JOIN keyward_grant_refresh_tokens s ON s.grant_id = a.grant_id
            WHERE a.digest = ?1 AND s.successor_access = a.digest AND s.response IS NOT NULL)
        RETURNING 1",
};

/// `$1` the grants as JSON: the answers of those that are revoked.
pub(in crate::sql::grants) const BLANK_REVOKED: Sql = Sql {
    postgres: "
        UPDATE keyward.grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest = ANY (ARRAY(
            SELECT s.digest FROM keyward.grants g
            JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
            WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND g.revoked_at IS NOT NULL AND s.response IS NOT NULL
            FOR NO KEY UPDATE OF s SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest IN (
            SELECT s.digest FROM keyward_grants g
            JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
            WHERE g.id IN (SELECT value FROM json_each(?1))
              AND g.revoked_at IS NOT NULL AND s.response IS NOT NULL)
        RETURNING 1",
};

/// `$1` the client: the answers of its grants.
pub(in crate::sql::grants) const BLANK_OF_CLIENT: Sql = Sql {
    postgres: "
        UPDATE keyward.grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest = ANY (ARRAY(
            SELECT s.digest FROM keyward.grants g
            JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
            WHERE g.client_id = $1::text AND s.response IS NOT NULL
            FOR NO KEY UPDATE OF s SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest IN (
            SELECT s.digest FROM keyward_grants g
            JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
            WHERE g.client_id = ?1 AND s.response IS NOT NULL)
        RETURNING 1",
};

/// `$1` the present time, `$2` how many.
pub(in crate::sql::grants) const BLANK_EXPIRED: Sql = Sql {
    postgres: "
        UPDATE keyward.grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest = ANY (ARRAY(
            SELECT s.digest FROM keyward.grant_refresh_tokens s
            WHERE s.response_until <= $1::bigint
            ORDER BY s.response_until LIMIT $2::bigint
            FOR NO KEY UPDATE OF s SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grant_refresh_tokens
        SET response = NULL, response_until = NULL, response_access_expires_at = NULL, response_scopes = NULL
        WHERE digest IN (
            SELECT s.digest FROM keyward_grant_refresh_tokens s
            WHERE s.response_until <= ?1
            ORDER BY s.response_until LIMIT ?2)
        RETURNING 1",
};

/// Every statement here, by its name.
pub(super) fn all() -> Vec<(&'static str, Sql)> {
    vec![
        ("blank_spent", BLANK_SPENT),
        ("blank_used", BLANK_USED),
        ("blank_revoked", BLANK_REVOKED),
        ("blank_of_client", BLANK_OF_CLIENT),
        ("blank_expired", BLANK_EXPIRED),
    ]
}
