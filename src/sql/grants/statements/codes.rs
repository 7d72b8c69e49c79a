//! Grants and codes that are made, and codes that are redeemed, in both dialects.
//!
//! Rows are locked in one order everywhere: the client, the grant, the rows of codes and refresh tokens of our own, then the
//! host's rows of codes, of refresh tokens and of access tokens.

use crate::sql::engine::{Query, Sql};

/// `$1` to `$15` the columns.
pub(in crate::sql::grants) const ADD_GRANT: Sql = Sql {
    postgres: "
        INSERT INTO keyward.grants (
            id, client_id, subject, subject_name, scopes, resource, created_at, ends_at, revoked_at, revoked_reason,
            remembered_until, upstream_access_token, upstream_refresh_token, upstream_expires_at, upstream_version)
        VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::bigint, $10::text,
                $11::bigint, $12::text, $13::text, $14::bigint, $15::bigint)
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_grants (
            id, client_id, subject, subject_name, scopes, resource, created_at, ends_at, revoked_at, revoked_reason,
            remembered_until, upstream_access_token, upstream_refresh_token, upstream_expires_at, upstream_version)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                ?11, ?12, ?13, ?14, ?15)
        RETURNING 1",
};

/// As [`ADD_GRANT`], for one that only the first who stores it stores.
pub(in crate::sql::grants) const ADOPT_GRANT: Sql = Sql {
    postgres: "
        INSERT INTO keyward.grants (
            id, client_id, subject, subject_name, scopes, resource, created_at, ends_at, revoked_at, revoked_reason,
            remembered_until, upstream_access_token, upstream_refresh_token, upstream_expires_at, upstream_version)
        VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::bigint, $10::text,
                $11::bigint, $12::text, $13::text, $14::bigint, $15::bigint)
        ON CONFLICT (id) DO NOTHING
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_grants (
            id, client_id, subject, subject_name, scopes, resource, created_at, ends_at, revoked_at, revoked_reason,
            remembered_until, upstream_access_token, upstream_refresh_token, upstream_expires_at, upstream_version)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                ?11, ?12, ?13, ?14, ?15)
        ON CONFLICT (id) DO NOTHING
        RETURNING 1",
};

/// `$1` the grant, `$2` until when it is remembered. Returns a row if it was not revoked.
pub(in crate::sql::grants) const RAISE_GRANT: Sql = Sql {
    postgres: "
        UPDATE keyward.grants SET remembered_until = greatest(remembered_until, $2::bigint)
        WHERE id = $1::text AND revoked_at IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grants SET remembered_until = max(remembered_until, ?2)
        WHERE id = ?1 AND revoked_at IS NULL
        RETURNING 1",
};

/// `$1` the digest, `$2` the grant, `$3` the redirect URI, `$4` the challenge or NULL, `$5` when it ends, `$6` when it
/// was redeemed or NULL.
pub(in crate::sql::grants) const ADD_GRANT_CODE: Sql = Sql {
    postgres: "
        INSERT INTO keyward.grant_codes (digest, grant_id, redirect_uri, challenge, expires_at, spent_at)
        VALUES ($1::text, $2::text, $3::text, $4::text, $5::bigint, $6::bigint)
        RETURNING 1",
    sqlite: "
        INSERT INTO keyward_grant_codes (digest, grant_id, redirect_uri, challenge, expires_at, spent_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        RETURNING 1",
};

/// `$1` to `$13` the columns.
pub(in crate::sql::grants) const ADD_CODE: Sql = Sql {
    postgres: "
        INSERT INTO auth_codes (
            code, client_id, redirect_uri, code_challenge, code_challenge_method, scopes, forgejo_access_token,
            forgejo_refresh_token, forgejo_token_expires_at, forgejo_user_id, forgejo_username, expires_at, used_at)
        VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::bigint, $10::bigint,
                $11::text, $12::bigint, $13::bigint)
        RETURNING 1",
    sqlite: "
        INSERT INTO auth_codes (
            code, client_id, redirect_uri, code_challenge, code_challenge_method, scopes, forgejo_access_token,
            forgejo_refresh_token, forgejo_token_expires_at, forgejo_user_id, forgejo_username, expires_at, used_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                ?11, ?12, ?13)
        RETURNING 1",
};

/// `$1` the digest, `$2` the grant, `$3` when.
pub(in crate::sql::grants) const SPEND_CODE: Sql = Sql {
    postgres: "
        UPDATE keyward.grant_codes SET spent_at = $3::bigint
        WHERE digest = $1::text AND grant_id = $2::text AND spent_at IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE keyward_grant_codes SET spent_at = ?3
        WHERE digest = ?1 AND grant_id = ?2 AND spent_at IS NULL
        RETURNING 1",
};

/// `$1` the digest, `$2` when. The upstream tokens in it are needed no longer.
pub(in crate::sql::grants) const USE_CODE: Sql = Sql {
    postgres: "
        UPDATE auth_codes
        SET used_at = $2::bigint, forgejo_access_token = '', forgejo_refresh_token = NULL, forgejo_token_expires_at = 0
        WHERE code::text = $1::text AND used_at IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE auth_codes
        SET used_at = ?2, forgejo_access_token = '', forgejo_refresh_token = NULL, forgejo_token_expires_at = 0
        WHERE code = ?1 AND used_at IS NULL
        RETURNING 1",
};

/// `$1` the digest of a code, `$2` the grant, `$3` the challenge. Returns a row if all that makes it up stands there.
pub(in crate::sql::grants) const IS_ADDED: Sql = Sql {
    postgres: "
        SELECT 1 FROM keyward.grant_codes s
        JOIN keyward.grants g ON g.id = s.grant_id
        JOIN auth_codes h ON h.code::text = s.digest
        WHERE s.digest = $1::text AND s.grant_id = $2::text AND h.code_challenge::text = $3::text",
    sqlite: "
        SELECT 1 FROM keyward_grant_codes s
        JOIN keyward_grants g ON g.id = s.grant_id
        JOIN auth_codes h ON h.code = s.digest
        WHERE s.digest = ?1 AND s.grant_id = ?2 AND h.code_challenge = ?3",
};

/// `$1` the digest of a code, `$2` when, `$3` the grant, `$4` the digest of the access token, `$5` that of the refresh
/// token or NULL. Returns a row if the code is spent and the tokens stand there.
pub(in crate::sql::grants) const IS_REDEEMED: Sql = Sql {
    postgres: "
        SELECT 1 FROM keyward.grant_codes s
        JOIN auth_codes h ON h.code::text = s.digest
        JOIN keyward.grant_access_tokens n ON n.digest = $4::text AND n.grant_id = s.grant_id
        JOIN access_tokens a ON a.token_hash::text = n.digest
        WHERE s.digest = $1::text AND s.grant_id = $3::text AND s.spent_at = $2::bigint AND h.used_at = $2::bigint
          AND h.forgejo_access_token::text = '' AND a.revoked_at IS NULL
          AND ($5::text IS NULL OR EXISTS (
              SELECT 1 FROM keyward.grant_refresh_tokens t JOIN refresh_tokens r ON r.token_hash::text = t.digest
              WHERE t.digest = $5::text AND t.grant_id = s.grant_id AND r.revoked_at IS NULL))",
    sqlite: "
        SELECT 1 FROM keyward_grant_codes s
        JOIN auth_codes h ON h.code = s.digest
        JOIN keyward_grant_access_tokens n ON n.digest = ?4 AND n.grant_id = s.grant_id
        JOIN access_tokens a ON a.token_hash = n.digest
        WHERE s.digest = ?1 AND s.grant_id = ?3 AND s.spent_at = ?2 AND h.used_at = ?2
          AND h.forgejo_access_token = '' AND a.revoked_at IS NULL
          AND (?5 IS NULL OR EXISTS (
              SELECT 1 FROM keyward_grant_refresh_tokens t JOIN refresh_tokens r ON r.token_hash = t.digest
              WHERE t.digest = ?5 AND t.grant_id = s.grant_id AND r.revoked_at IS NULL))",
};

/// `$1` the digest.
pub(in crate::sql::grants) static CODE_IS_THERE: Query = Query::new(
    Sql {
        postgres: "
            SELECT 1 FROM auth_codes WHERE code::text = $1::text",
        sqlite: "
            SELECT 1 FROM auth_codes WHERE code = ?1",
    },
    &[],
);

/// Every statement here, by its name.
pub(super) fn all() -> Vec<(&'static str, Sql)> {
    vec![
        ("add_grant", ADD_GRANT),
        ("adopt_grant", ADOPT_GRANT),
        ("raise_grant", RAISE_GRANT),
        ("add_grant_code", ADD_GRANT_CODE),
        ("add_code", ADD_CODE),
        ("spend_code", SPEND_CODE),
        ("use_code", USE_CODE),
        ("is_added", IS_ADDED),
        ("is_redeemed", IS_REDEEMED),
        ("code_is_there", CODE_IS_THERE.sql()),
    ]
}
