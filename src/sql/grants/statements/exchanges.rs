//! Tokens that are made and exchanged, and the upstream tokens of grants, in both dialects.

use crate::sql::engine::Sql;

/// `$1` the digest, `$2` the grant, `$3` when, `$4` and `$5` the digests of the new refresh and access token, `$6` to
/// `$9` the answer, until when it may be given again, when the access token in it ends, and its scopes.
pub(in crate::sql::grants) const SPEND_REFRESH: Sql = Sql {
    postgres: "
        UPDATE keyward.grant_refresh_tokens
        SET spent_at = $3::bigint, successor = $4::text, successor_access = $5::text, response = $6::text,
            response_until = $7::bigint, response_access_expires_at = $8::bigint, response_scopes = $9::text
        WHERE digest = $1::text AND grant_id = $2::text AND spent_at IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grant_refresh_tokens
        SET spent_at = ?3, successor = ?4, successor_access = ?5, response = ?6,
            response_until = ?7, response_access_expires_at = ?8, response_scopes = ?9
        WHERE digest = ?1 AND grant_id = ?2 AND spent_at IS NULL
        RETURNING 1",
};

/// As [`SPEND_REFRESH`], for a refresh token of another program's.
pub(in crate::sql::grants) const ADOPT_REFRESH: Sql = Sql {
    postgres: "
        INSERT INTO keyward.grant_refresh_tokens (
            digest, grant_id, spent_at, successor, successor_access, response, response_until, response_access_expires_at, response_scopes)
        VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::text)
        ON CONFLICT (digest) DO NOTHING
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_grant_refresh_tokens (
            digest, grant_id, spent_at, successor, successor_access, response, response_until, response_access_expires_at, response_scopes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
        ON CONFLICT (digest) DO NOTHING
        RETURNING 1",
};

/// `$1` the digest of a refresh token of another program's, `$2` the grant: the access token that it came with.
pub(in crate::sql::grants) const ADOPT_ACCESS: Sql = Sql {
    postgres: "
        INSERT INTO keyward.grant_access_tokens (digest, grant_id)
        SELECT h.access_token_hash::text, $2::text FROM refresh_tokens h WHERE h.token_hash::text = $1::text
        ON CONFLICT (digest) DO NOTHING
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_grant_access_tokens (digest, grant_id)
        SELECT h.access_token_hash, ?2 FROM refresh_tokens h WHERE h.token_hash = ?1
        ON CONFLICT (digest) DO NOTHING
        RETURNING 1",
};

/// `$1` the digest, `$2` when.
pub(in crate::sql::grants) const RETIRE_REFRESH: Sql = Sql {
    postgres: "
        UPDATE refresh_tokens SET revoked_at = $2::bigint
        WHERE token_hash::text = $1::text AND revoked_at IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE refresh_tokens SET revoked_at = ?2
        WHERE token_hash = ?1 AND revoked_at IS NULL
        RETURNING 1",
};

/// `$1` the grant, `$2` when: all access tokens that it has.
pub(in crate::sql::grants) const RETIRE_ACCESS: Sql = Sql {
    postgres: "
        UPDATE access_tokens SET revoked_at = $2::bigint
        WHERE token_hash::text IN (SELECT s.digest FROM keyward.grant_access_tokens s WHERE s.grant_id = $1::text)
          AND revoked_at IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens SET revoked_at = ?2
        WHERE token_hash IN (SELECT s.digest FROM keyward_grant_access_tokens s WHERE s.grant_id = ?1)
          AND revoked_at IS NULL
        RETURNING 1",
};

/// `$1` to `$10` the columns.
pub(in crate::sql::grants) const ADD_ACCESS: Sql = Sql {
    postgres: "
        INSERT INTO access_tokens (
            token_hash, client_id, forgejo_user_id, forgejo_username, scopes, forgejo_access_token, forgejo_refresh_token,
            forgejo_token_expires_at, expires_at, created_at)
        VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::text, $6::text, $7::text, $8::bigint, $9::bigint, $10::bigint)
        RETURNING 1",
    sqlite: "
        INSERT INTO access_tokens (
            token_hash, client_id, forgejo_user_id, forgejo_username, scopes, forgejo_access_token, forgejo_refresh_token,
            forgejo_token_expires_at, expires_at, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        RETURNING 1",
};

/// `$1` the digest, `$2` the grant.
pub(in crate::sql::grants) const ADD_GRANT_ACCESS: Sql = Sql {
    postgres: "
        INSERT INTO keyward.grant_access_tokens (digest, grant_id) VALUES ($1::text, $2::text) RETURNING 1",
    sqlite: "
        INSERT INTO keyward_grant_access_tokens (digest, grant_id) VALUES (?1, ?2) RETURNING 1",
};

/// `$1` to `$5` the columns.
pub(in crate::sql::grants) const ADD_REFRESH: Sql = Sql {
    postgres: "
        INSERT INTO refresh_tokens (token_hash, access_token_hash, client_id, expires_at, created_at)
        VALUES ($1::text, $2::text, $3::text, $4::bigint, $5::bigint)
        RETURNING 1",
    sqlite: "
        INSERT INTO refresh_tokens (token_hash, access_token_hash, client_id, expires_at, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5)
        RETURNING 1",
};

/// `$1` the digest, `$2` the grant.
pub(in crate::sql::grants) const ADD_GRANT_REFRESH: Sql = Sql {
    postgres: "
        INSERT INTO keyward.grant_refresh_tokens (digest, grant_id) VALUES ($1::text, $2::text) RETURNING 1",
    sqlite: "
        INSERT INTO keyward_grant_refresh_tokens (digest, grant_id) VALUES (?1, ?2) RETURNING 1",
};

/// `$1` the digest of the refresh token that is spent, `$2` when, `$3` the grant, `$4` and `$5` the digests of the new
/// access and refresh token, `$6` 1 if no other access token of the grant may be good. Returns a row if all of it
/// stands there.
pub(in crate::sql::grants) const IS_EXCHANGED: Sql = Sql {
    postgres: "
        SELECT 1 FROM keyward.grant_refresh_tokens s
        JOIN refresh_tokens h ON h.token_hash::text = s.digest
        JOIN keyward.grant_access_tokens n ON n.digest = $4::text AND n.grant_id = s.grant_id
        JOIN access_tokens a ON a.token_hash::text = n.digest
        WHERE s.digest = $1::text AND s.grant_id = $3::text AND s.spent_at = $2::bigint AND h.revoked_at = $2::bigint
          AND a.revoked_at IS NULL
          AND ($5::text IS NULL OR EXISTS (
              SELECT 1 FROM keyward.grant_refresh_tokens t JOIN refresh_tokens r ON r.token_hash::text = t.digest
              WHERE t.digest = $5::text AND t.grant_id = s.grant_id AND r.revoked_at IS NULL))
          AND ($6::bigint = 0::bigint OR NOT EXISTS (
              SELECT 1 FROM keyward.grant_access_tokens o JOIN access_tokens b ON b.token_hash::text = o.digest
              WHERE o.grant_id = s.grant_id AND o.digest <> $4::text AND b.revoked_at IS NULL))",
    sqlite: "
        SELECT 1 FROM keyward_grant_refresh_tokens s
        JOIN refresh_tokens h ON h.token_hash = s.digest
        JOIN keyward_grant_access_tokens n ON n.digest = ?4 AND n.grant_id = s.grant_id
        JOIN access_tokens a ON a.token_hash = n.digest
        WHERE s.digest = ?1 AND s.grant_id = ?3 AND s.spent_at = ?2 AND h.revoked_at = ?2
          AND a.revoked_at IS NULL
          AND (?5 IS NULL OR EXISTS (
              SELECT 1 FROM keyward_grant_refresh_tokens t JOIN refresh_tokens r ON r.token_hash = t.digest
              WHERE t.digest = ?5 AND t.grant_id = s.grant_id AND r.revoked_at IS NULL))
          AND (?6 = 0 OR NOT EXISTS (
              SELECT 1 FROM keyward_grant_access_tokens o JOIN access_tokens b ON b.token_hash = o.digest
              WHERE o.grant_id = s.grant_id AND o.digest <> ?4 AND b.revoked_at IS NULL))",
};

/// `$1` the grant, `$2` the version that was read, `$3` access token, `$4` refresh token or NULL, `$5` when the access
/// token ends.
pub(in crate::sql::grants) const REPLACE_UPSTREAM: Sql = Sql {
    postgres: "
        UPDATE keyward.grants
        SET upstream_access_token = $3::text, upstream_refresh_token = $4::text, upstream_expires_at = $5::bigint,
            upstream_version = upstream_version + 1
        WHERE id = $1::text AND upstream_version = $2::bigint
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grants
        SET upstream_access_token = ?3, upstream_refresh_token = ?4, upstream_expires_at = ?5,
            upstream_version = upstream_version + 1
        WHERE id = ?1 AND upstream_version = ?2
        RETURNING 1",
};

/// `$1` the grant, `$2` access token, `$3` refresh token or NULL, `$4` when the access token ends: where the host's
/// rows hold them too.
pub(in crate::sql::grants) const REPLACE_UPSTREAM_OF_ACCESS: Sql = Sql {
    postgres: "
        UPDATE access_tokens
        SET forgejo_access_token = $2::text, forgejo_refresh_token = $3::text, forgejo_token_expires_at = $4::bigint
        WHERE token_hash::text IN (SELECT s.digest FROM keyward.grant_access_tokens s WHERE s.grant_id = $1::text)
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens
        SET forgejo_access_token = ?2, forgejo_refresh_token = ?3, forgejo_token_expires_at = ?4
        WHERE token_hash IN (SELECT s.digest FROM keyward_grant_access_tokens s WHERE s.grant_id = ?1)
        RETURNING 1",
};

/// `$1` the digest of a new access token, `$2` the grant: where the host's rows hold upstream tokens too, the newest
/// are those of the grant, and not those that its code was redeemed with.
pub(in crate::sql::grants) const COPY_UPSTREAM_OF_GRANT: Sql = Sql {
    postgres: "
        UPDATE access_tokens AS n
        SET forgejo_access_token = g.upstream_access_token, forgejo_refresh_token = g.upstream_refresh_token,
            forgejo_token_expires_at = coalesce(g.upstream_expires_at, 0)
        FROM keyward.grants g
        WHERE n.token_hash::text = $1::text AND g.id = $2::text AND pg_catalog.substr(g.upstream_access_token, 1, 8) <> 'keyward.'
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens AS n
        SET forgejo_access_token = g.upstream_access_token, forgejo_refresh_token = g.upstream_refresh_token,
            forgejo_token_expires_at = coalesce(g.upstream_expires_at, 0)
        FROM keyward_grants g
        WHERE n.token_hash = ?1 AND g.id = ?2 AND substr(g.upstream_access_token, 1, 8) <> 'keyward.'
        RETURNING 1",
};

/// `$1` the digest of a new access token, `$2` that of the refresh token that was exchanged for it: the newest are
/// those of the access token before.
pub(in crate::sql::grants) const COPY_UPSTREAM_OF_ACCESS: Sql = Sql {
    postgres: "
        UPDATE access_tokens AS n
        SET forgejo_access_token = a.forgejo_access_token, forgejo_refresh_token = a.forgejo_refresh_token,
            forgejo_token_expires_at = a.forgejo_token_expires_at
        FROM refresh_tokens h JOIN access_tokens a ON a.token_hash::text = h.access_token_hash::text
        WHERE n.token_hash::text = $1::text AND h.token_hash::text = $2::text AND a.forgejo_access_token::text <> ''
        RETURNING 1",
    sqlite: "
        UPDATE access_tokens AS n
        SET forgejo_access_token = a.forgejo_access_token, forgejo_refresh_token = a.forgejo_refresh_token,
            forgejo_token_expires_at = a.forgejo_token_expires_at
        FROM refresh_tokens h JOIN access_tokens a ON a.token_hash = h.access_token_hash
        WHERE n.token_hash = ?1 AND h.token_hash = ?2 AND a.forgejo_access_token <> ''
        RETURNING 1",
};

/// `$1` the grant, `$2` the version that was read.
pub(in crate::sql::grants) const UPSTREAM_IS_REPLACED: Sql = Sql {
    postgres: "
        SELECT 1 FROM keyward.grants WHERE id = $1::text AND upstream_version > $2::bigint",
    sqlite: "
        SELECT 1 FROM keyward_grants WHERE id = ?1 AND upstream_version > ?2",
};

/// `$1` the digest, `$2` when. A row that somebody holds is passed over: the next use is noted again.
pub(in crate::sql::grants) const NOTE_FIRST_USE: Sql = Sql {
    postgres: "
        UPDATE keyward.grant_access_tokens SET used_at = $2::bigint
        WHERE digest = ANY (ARRAY(SELECT s.digest FROM keyward.grant_access_tokens s
                         WHERE s.digest = $1::text AND s.used_at IS NULL
                         FOR NO KEY UPDATE SKIP LOCKED))
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grant_access_tokens SET used_at = ?2 WHERE digest = ?1 AND used_at IS NULL RETURNING 1",
};

/// Every statement here, by its name.
pub(super) fn all() -> Vec<(&'static str, Sql)> {
    vec![
        ("spend_refresh", SPEND_REFRESH),
        ("adopt_refresh", ADOPT_REFRESH),
        ("adopt_access", ADOPT_ACCESS),
        ("retire_refresh", RETIRE_REFRESH),
        ("retire_access", RETIRE_ACCESS),
        ("add_access", ADD_ACCESS),
        ("add_grant_access", ADD_GRANT_ACCESS),
        ("add_refresh", ADD_REFRESH),
        ("add_grant_refresh", ADD_GRANT_REFRESH),
        ("is_exchanged", IS_EXCHANGED),
        ("replace_upstream", REPLACE_UPSTREAM),
        ("replace_upstream_of_access", REPLACE_UPSTREAM_OF_ACCESS),
        ("copy_upstream_of_grant", COPY_UPSTREAM_OF_GRANT),
        ("copy_upstream_of_access", COPY_UPSTREAM_OF_ACCESS),
        ("upstream_is_replaced", UPSTREAM_IS_REPLACED),
        ("note_first_use", NOTE_FIRST_USE),
    ]
}
