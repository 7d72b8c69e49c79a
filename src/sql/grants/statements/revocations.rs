//! Revocations in both dialects. Where the same is there twice, the one passes over rows that somebody else holds, and the
//! other waits for them.

use crate::sql::engine::{Query, Sql};

/// `$1` the grants as JSON, `$2` when, `$3` why.
pub(in crate::sql::grants) const REVOKE: Sql = Sql {
    postgres: "
        UPDATE keyward.grants SET revoked_at = $2::bigint, revoked_reason = $3::text
        WHERE id = ANY (ARRAY(SELECT g.id FROM keyward.grants g
                     WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
                       AND g.revoked_at IS NULL
                     ORDER BY g.id FOR NO KEY UPDATE))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grants SET revoked_at = ?2, revoked_reason = ?3
        WHERE id IN (SELECT g.id FROM keyward_grants g
                     WHERE g.id IN (SELECT value FROM json_each(?1))
                       AND g.revoked_at IS NULL
                     ORDER BY g.id)
        RETURNING 1",
};

/// As [`REVOKE`].
pub(in crate::sql::grants) const REVOKE_UNHELD: Sql = Sql {
    postgres: "
        UPDATE keyward.grants SET revoked_at = $2::bigint, revoked_reason = $3::text
        WHERE id = ANY (ARRAY(SELECT g.id FROM keyward.grants g
                     WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
                       AND g.revoked_at IS NULL
                     ORDER BY g.id FOR NO KEY UPDATE SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grants SET revoked_at = ?2, revoked_reason = ?3
        WHERE id IN (SELECT g.id FROM keyward_grants g
                     WHERE g.id IN (SELECT value FROM json_each(?1))
                       AND g.revoked_at IS NULL
                     ORDER BY g.id)
        RETURNING 1",
};

/// `$1` the grants as JSON, `$2` when: the refresh tokens of those that are revoked.
pub(in crate::sql::grants) const REVOKE_REFRESH: Sql = Sql {
    postgres: "
        UPDATE refresh_tokens SET revoked_at = $2::bigint
        WHERE token_hash::text = ANY (ARRAY(
            SELECT h.token_hash::text FROM keyward.grants g
            JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
            JOIN refresh_tokens h ON h.token_hash::text = s.digest
            WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
            ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h))
        RETURNING 1",
    sqlite: "
        UPDATE refresh_tokens SET revoked_at = ?2
        WHERE token_hash IN (
            SELECT h.token_hash FROM keyward_grants g
            JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
            JOIN refresh_tokens h ON h.token_hash = s.digest
            WHERE g.id IN (SELECT value FROM json_each(?1))
              AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
            ORDER BY h.token_hash)
        RETURNING 1",
};

/// As [`REVOKE_REFRESH`].
pub(in crate::sql::grants) const REVOKE_REFRESH_UNHELD: Sql = Sql {
    postgres: "
        UPDATE refresh_tokens SET revoked_at = $2::bigint
        WHERE token_hash::text = ANY (ARRAY(
            SELECT h.token_hash::text FROM keyward.grants g
            JOIN keyward.grant_refresh_tokens s ON s.grant_id = g.id
            JOIN refresh_tokens h ON h.token_hash::text = s.digest
            WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
            ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE refresh_tokens SET revoked_at = ?2
        WHERE token_hash IN (
            SELECT h.token_hash FROM keyward_grants g
            JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id
            JOIN refresh_tokens h ON h.token_hash = s.digest
            WHERE g.id IN (SELECT value FROM json_each(?1))
              AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
            ORDER BY h.token_hash)
        RETURNING 1",
};

/// `$1` the grants as JSON, `$2` when: the access tokens of those that are revoked.
pub(in crate::sql::grants) const REVOKE_ACCESS: Sql = Sql {
    postgres: "
        UPDATE access_tokens SET revoked_at = $2::bigint
        WHERE token_hash::text = ANY (ARRAY(
            SELECT h.token_hash::text FROM keyward.grants g
            JOIN keyward.grant_access_tokens s ON s.grant_id = g.id
            JOIN access_tokens h ON h.token_hash::text = s.digest
            WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
            ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h))
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens SET revoked_at = ?2
        WHERE token_hash IN (
            SELECT h.token_hash FROM keyward_grants g
            JOIN keyward_grant_access_tokens s ON s.grant_id = g.id
            JOIN access_tokens h ON h.token_hash = s.digest
            WHERE g.id IN (SELECT value FROM json_each(?1))
              AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
            ORDER BY h.token_hash)
        RETURNING 1",
};

/// As [`REVOKE_ACCESS`].
pub(in crate::sql::grants) const REVOKE_ACCESS_UNHELD: Sql = Sql {
    postgres: "
        UPDATE access_tokens SET revoked_at = $2::bigint
        WHERE token_hash::text = ANY (ARRAY(
            SELECT h.token_hash::text FROM keyward.grants g
            JOIN keyward.grant_access_tokens s ON s.grant_id = g.id
            JOIN access_tokens h ON h.token_hash::text = s.digest
            WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
            ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens SET revoked_at = ?2
        WHERE token_hash IN (
            SELECT h.token_hash FROM keyward_grants g
            JOIN keyward_grant_access_tokens s ON s.grant_id = g.id
            JOIN access_tokens h ON h.token_hash = s.digest
            WHERE g.id IN (SELECT value FROM json_each(?1))
              AND g.revoked_at IS NOT NULL AND h.revoked_at IS NULL
            ORDER BY h.token_hash)
        RETURNING 1",
};

/// `$1` the grants as JSON: those that are not revoked, or have a token that is not.
pub(in crate::sql::grants) static NOT_REVOKED: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS id FROM keyward.grants g
            WHERE g.id IN (SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))
              AND (g.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash::text = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
                   OR EXISTS (SELECT 1 FROM keyward.grant_access_tokens s JOIN access_tokens h ON h.token_hash::text = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
            ORDER BY g.id",
        sqlite: "
            SELECT g.id AS id FROM keyward_grants g
            WHERE g.id IN (SELECT value FROM json_each(?1))
              AND (g.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
                   OR EXISTS (SELECT 1 FROM keyward_grant_access_tokens s JOIN access_tokens h ON h.token_hash = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
            ORDER BY g.id",
    },
    &["id"],
);

/// `$1` the last one of the page before or NULL, `$2` how many: grants that are not revoked, or of which somebody held
/// a row when they were.
pub(in crate::sql::grants) static LIVE: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS id FROM keyward.grants g
            WHERE g.id >= coalesce($1::text, '') AND ($1::text IS NULL OR g.id > $1::text)
              AND (g.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash::text = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
                   OR EXISTS (SELECT 1 FROM keyward.grant_access_tokens s JOIN access_tokens h ON h.token_hash::text = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
            ORDER BY g.id LIMIT $2::bigint",
        sqlite: "
            SELECT g.id AS id FROM keyward_grants g
            WHERE g.id >= coalesce(?1, '') AND (?1 IS NULL OR g.id > ?1)
              AND (g.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
                   OR EXISTS (SELECT 1 FROM keyward_grant_access_tokens s JOIN access_tokens h ON h.token_hash = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
            ORDER BY g.id LIMIT ?2",
    },
    &["id"],
);

/// `$1` the client, `$2` the subject or NULL, `$3` the last one of the page before or NULL, `$4` how many.
pub(in crate::sql::grants) static LIVE_OF_CLIENT: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS id FROM keyward.grants g
            WHERE g.client_id = $1::text AND ($2::text IS NULL OR g.subject = $2::text)
              AND ($3::text IS NULL OR g.id > $3::text)
              AND (g.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash::text = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
                   OR EXISTS (SELECT 1 FROM keyward.grant_access_tokens s JOIN access_tokens h ON h.token_hash::text = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
            ORDER BY g.id LIMIT $4::bigint",
        sqlite: "
            SELECT g.id AS id FROM keyward_grants g
            WHERE g.client_id = ?1 AND (?2 IS NULL OR g.subject = ?2)
              AND (?3 IS NULL OR g.id > ?3)
              AND (g.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
                   OR EXISTS (SELECT 1 FROM keyward_grant_access_tokens s JOIN access_tokens h ON h.token_hash = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
            ORDER BY g.id LIMIT ?4",
    },
    &["id"],
);

/// `$1` the subject, `$2` the last one of the page before or NULL, `$3` how many.
pub(in crate::sql::grants) static LIVE_OF_SUBJECT: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS id FROM keyward.grants g
            WHERE g.subject = $1::text AND ($2::text IS NULL OR g.id > $2::text)
              AND (g.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash::text = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
                   OR EXISTS (SELECT 1 FROM keyward.grant_access_tokens s JOIN access_tokens h ON h.token_hash::text = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
            ORDER BY g.id LIMIT $3::bigint",
        sqlite: "
            SELECT g.id AS id FROM keyward_grants g
            WHERE g.subject = ?1 AND (?2 IS NULL OR g.id > ?2)
              AND (g.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL)
                   OR EXISTS (SELECT 1 FROM keyward_grant_access_tokens s JOIN access_tokens h ON h.token_hash = s.digest
                              WHERE s.grant_id = g.id AND h.revoked_at IS NULL))
            ORDER BY g.id LIMIT ?3",
    },
    &["id"],
);

/// Every statement here, by its name.
pub(super) fn all() -> Vec<(&'static str, Sql)> {
    vec![
        ("revoke", REVOKE),
        ("revoke_unheld", REVOKE_UNHELD),
        ("revoke_refresh", REVOKE_REFRESH),
        ("revoke_refresh_unheld", REVOKE_REFRESH_UNHELD),
        ("revoke_access", REVOKE_ACCESS),
        ("revoke_access_unheld", REVOKE_ACCESS_UNHELD),
        ("not_revoked", NOT_REVOKED.sql()),
        ("live", LIVE.sql()),
        ("live_of_client", LIVE_OF_CLIENT.sql()),
        ("live_of_subject", LIVE_OF_SUBJECT.sql()),
    ]
}
