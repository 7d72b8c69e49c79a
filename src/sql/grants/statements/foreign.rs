//! Revocation of single tokens, and of those of another program's, which belong to no grant, in both dialects.

use crate::sql::engine::{Query, Sql};

/// `$1` the client or NULL, `$2` the number of the subject or NULL, `$3` when: refresh tokens of another program's,
/// which belong to no grant.
pub(in crate::sql::grants) const REVOKE_FOREIGN_REFRESH: Sql = Sql {
    postgres: "
        UPDATE refresh_tokens SET revoked_at = $3::bigint
        WHERE token_hash::text = ANY (ARRAY(
            SELECT h.token_hash::text FROM refresh_tokens h
            JOIN access_tokens a ON a.token_hash::text = h.access_token_hash::text
            WHERE ($1::text IS NULL OR h.client_id::text = $1::text)
              AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint) AND h.revoked_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = h.token_hash::text)
            ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h))
        RETURNING 1",
    sqlite: "
        UPDATE refresh_tokens SET revoked_at = ?3
        WHERE token_hash IN (
            SELECT h.token_hash FROM refresh_tokens h
            JOIN access_tokens a ON a.token_hash = h.access_token_hash
            WHERE (?1 IS NULL OR h.client_id = ?1)
              AND (?2 IS NULL OR a.forgejo_user_id = ?2) AND h.revoked_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = h.token_hash)
            ORDER BY h.token_hash)
        RETURNING 1",
};

/// As [`REVOKE_FOREIGN_REFRESH`].
pub(in crate::sql::grants) const REVOKE_FOREIGN_REFRESH_UNHELD: Sql = Sql {
    postgres: "
        UPDATE refresh_tokens SET revoked_at = $3::bigint
        WHERE token_hash::text = ANY (ARRAY(
            SELECT h.token_hash::text FROM refresh_tokens h
            JOIN access_tokens a ON a.token_hash::text = h.access_token_hash::text
            WHERE ($1::text IS NULL OR h.client_id::text = $1::text)
              AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint) AND h.revoked_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = h.token_hash::text)
            ORDER BY h.token_hash::text FOR NO KEY UPDATE OF h SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE refresh_tokens SET revoked_at = ?3
        WHERE token_hash IN (
            SELECT h.token_hash FROM refresh_tokens h
            JOIN access_tokens a ON a.token_hash = h.access_token_hash
            WHERE (?1 IS NULL OR h.client_id = ?1)
              AND (?2 IS NULL OR a.forgejo_user_id = ?2) AND h.revoked_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = h.token_hash)
            ORDER BY h.token_hash)
        RETURNING 1",
};

/// `$1` the client or NULL, `$2` the number of the subject or NULL, `$3` when: access tokens of another program's.
pub(in crate::sql::grants) const REVOKE_FOREIGN_ACCESS: Sql = Sql {
    postgres: "
        UPDATE access_tokens SET revoked_at = $3::bigint
        WHERE token_hash::text = ANY (ARRAY(
            SELECT a.token_hash::text FROM access_tokens a
            WHERE ($1::text IS NULL OR a.client_id::text = $1::text)
              AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint) AND a.revoked_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM keyward.grant_access_tokens s WHERE s.digest = a.token_hash::text)
            ORDER BY a.token_hash::text FOR NO KEY UPDATE))
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens SET revoked_at = ?3
        WHERE token_hash IN (
            SELECT a.token_hash FROM access_tokens a
            WHERE (?1 IS NULL OR a.client_id = ?1)
              AND (?2 IS NULL OR a.forgejo_user_id = ?2) AND a.revoked_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM keyward_grant_access_tokens s WHERE s.digest = a.token_hash)
            ORDER BY a.token_hash)
        RETURNING 1",
};

/// As [`REVOKE_FOREIGN_ACCESS`].
pub(in crate::sql::grants) const REVOKE_FOREIGN_ACCESS_UNHELD: Sql = Sql {
    postgres: "
        UPDATE access_tokens SET revoked_at = $3::bigint
        WHERE token_hash::text = ANY (ARRAY(
            SELECT a.token_hash::text FROM access_tokens a
            WHERE ($1::text IS NULL OR a.client_id::text = $1::text)
              AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint) AND a.revoked_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM keyward.grant_access_tokens s WHERE s.digest = a.token_hash::text)
            ORDER BY a.token_hash::text FOR NO KEY UPDATE SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens SET revoked_at = ?3
        WHERE token_hash IN (
            SELECT a.token_hash FROM access_tokens a
            WHERE (?1 IS NULL OR a.client_id = ?1)
              AND (?2 IS NULL OR a.forgejo_user_id = ?2) AND a.revoked_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM keyward_grant_access_tokens s WHERE s.digest = a.token_hash)
            ORDER BY a.token_hash)
        RETURNING 1",
};

/// `$1` the client or NULL, `$2` the number of the subject or NULL: a token of another program's that is not revoked.
pub(in crate::sql::grants) static FOREIGN_NOT_REVOKED: Query = Query::new(
    Sql {
        postgres: "
            SELECT 1 FROM access_tokens a
            WHERE ($1::text IS NULL OR a.client_id::text = $1::text)
              AND ($2::bigint IS NULL OR a.forgejo_user_id = $2::bigint)
              AND (a.revoked_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM keyward.grant_access_tokens s WHERE s.digest = a.token_hash::text)
                   OR EXISTS (SELECT 1 FROM refresh_tokens h
                              WHERE h.access_token_hash::text = a.token_hash::text AND h.revoked_at IS NULL
                                AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = h.token_hash::text)))
            LIMIT 1",
        sqlite: "
            SELECT 1 FROM access_tokens a
            WHERE (?1 IS NULL OR a.client_id = ?1)
              AND (?2 IS NULL OR a.forgejo_user_id = ?2)
              AND (a.revoked_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM keyward_grant_access_tokens s WHERE s.digest = a.token_hash)
                   OR EXISTS (SELECT 1 FROM refresh_tokens h
                              WHERE h.access_token_hash = a.token_hash AND h.revoked_at IS NULL
                                AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = h.token_hash)))
            LIMIT 1",
    },
    &[],
);

/// `$1` the digest, `$2` when.
pub(in crate::sql::grants) const REVOKE_ONE_ACCESS: Sql = Sql {
    postgres: "
        UPDATE access_tokens SET revoked_at = $2::bigint
        WHERE token_hash::text = $1::text AND revoked_at IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens SET revoked_at = ?2
        WHERE token_hash = ?1 AND revoked_at IS NULL
        RETURNING 1",
};

/// `$1` the digest, `$2` when. One that was exchanged stays what it is.
pub(in crate::sql::grants) const REVOKE_ONE_REFRESH: Sql = Sql {
    postgres: "
        UPDATE refresh_tokens SET revoked_at = $2::bigint
        WHERE token_hash::text = $1::text AND revoked_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = $1::text AND s.spent_at IS NOT NULL)
        RETURNING 1",
    sqlite: "
        UPDATE refresh_tokens SET revoked_at = ?2
        WHERE token_hash = ?1 AND revoked_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = ?1 AND s.spent_at IS NOT NULL)
        RETURNING 1",
};

/// `$1` the digest of a refresh token of another program's, `$2` when: the access token that it came with, as there is no
/// grant to find it by (RFC 7009 section 2.1).
pub(in crate::sql::grants) const REVOKE_ACCESS_OF_FOREIGN: Sql = Sql {
    postgres: "
        UPDATE access_tokens SET revoked_at = $2::bigint
        WHERE token_hash::text = ANY (ARRAY(
            SELECT h.access_token_hash::text FROM refresh_tokens h
            WHERE h.token_hash::text = $1::text
              AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = $1::text)))
          AND revoked_at IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens SET revoked_at = ?2
        WHERE token_hash IN (
            SELECT h.access_token_hash FROM refresh_tokens h
            WHERE h.token_hash = ?1
              AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = ?1))
          AND revoked_at IS NULL
        RETURNING 1",
};

/// `$1` the digest.
pub(in crate::sql::grants) static ACCESS_NOT_REVOKED: Query = Query::new(
    Sql {
        postgres: "
            SELECT 1 FROM access_tokens WHERE token_hash::text = $1::text AND revoked_at IS NULL",
        sqlite: "
            SELECT 1 FROM access_tokens WHERE token_hash = ?1 AND revoked_at IS NULL",
    },
    &[],
);

/// `$1` the digest: also where one of another program's is revoked, and the access token that it came with is not.
pub(in crate::sql::grants) static REFRESH_NOT_REVOKED: Query = Query::new(
    Sql {
        postgres: "
            SELECT 1 FROM refresh_tokens h
            WHERE h.token_hash::text = $1::text
              AND (h.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM access_tokens a
                              WHERE a.token_hash::text = h.access_token_hash::text AND a.revoked_at IS NULL
                                AND NOT EXISTS (SELECT 1 FROM keyward.grant_refresh_tokens s WHERE s.digest = $1::text)))",
        sqlite: "
            SELECT 1 FROM refresh_tokens h
            WHERE h.token_hash = ?1
              AND (h.revoked_at IS NULL
                   OR EXISTS (SELECT 1 FROM access_tokens a
                              WHERE a.token_hash = h.access_token_hash AND a.revoked_at IS NULL
                                AND NOT EXISTS (SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = ?1)))",
    },
    &[],
);

/// Every statement here, by its name.
pub(super) fn all() -> Vec<(&'static str, Sql)> {
    vec![
        ("revoke_foreign_refresh", REVOKE_FOREIGN_REFRESH),
        ("revoke_foreign_refresh_unheld", REVOKE_FOREIGN_REFRESH_UNHELD),
        ("revoke_foreign_access", REVOKE_FOREIGN_ACCESS),
        ("revoke_foreign_access_unheld", REVOKE_FOREIGN_ACCESS_UNHELD),
        ("foreign_not_revoked", FOREIGN_NOT_REVOKED.sql()),
        ("revoke_one_access", REVOKE_ONE_ACCESS),
        ("revoke_one_refresh", REVOKE_ONE_REFRESH),
        ("revoke_access_of_refresh", REVOKE_ACCESS_OF_FOREIGN),
        ("access_not_revoked", ACCESS_NOT_REVOKED.sql()),
        ("refresh_not_revoked", REFRESH_NOT_REVOKED.sql()),
    ]
}
