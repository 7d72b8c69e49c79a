//! The reads of grants, codes and tokens in both dialects.

use crate::sql::engine::{Query, Sql};
use crate::sql::grants::columns::{ACCESS, CODE, GRANT, REFRESH};

/// `$1` the digest. It is what a bearer token is looked up by: each table by its primary key.
pub(in crate::sql::grants) static FIND_ACCESS: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
                   s.grant_id AS side_grant_id, s.used_at AS side_used_at, (k.client_id IS NOT NULL)::int4 AS client_exists,
                   a.client_id, a.created_at, a.expires_at, a.revoked_at,
                   a.scopes, a.forgejo_user_id, a.forgejo_username, a.forgejo_access_token, a.forgejo_refresh_token,
                   a.forgejo_token_expires_at
            FROM access_tokens a
            LEFT JOIN keyward.grant_access_tokens s ON s.digest = a.token_hash::text
            LEFT JOIN keyward.grants g ON g.id = s.grant_id
            LEFT JOIN clients k ON k.client_id::text = a.client_id::text
            WHERE a.token_hash::text = $1::text",
        sqlite: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
                   s.grant_id AS side_grant_id, s.used_at AS side_used_at, (k.client_id IS NOT NULL) AS client_exists,
                   a.client_id, a.created_at, a.expires_at, a.revoked_at,
                   a.scopes, a.forgejo_user_id, a.forgejo_username, a.forgejo_access_token, a.forgejo_refresh_token,
                   a.forgejo_token_expires_at
            FROM access_tokens a
            LEFT JOIN keyward_grant_access_tokens s ON s.digest = a.token_hash
            LEFT JOIN keyward_grants g ON g.id = s.grant_id
            LEFT JOIN clients k ON k.client_id = a.client_id
            WHERE a.token_hash = ?1",
    },
    &ACCESS,
);

/// `$1` the digest. It is known for as long as its grant is, also where the host's row of it is gone.
pub(in crate::sql::grants) static FIND_REFRESH: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
                   s.grant_id AS side_grant_id, s.spent_at AS side_spent_at, s.response AS side_response,
                   s.response_until AS side_response_until, s.response_access_expires_at AS side_response_access_expires_at,
                   s.response_scopes AS side_response_scopes,
                   (na.token_hash IS NULL OR na.revoked_at IS NOT NULL OR ns.used_at IS NOT NULL OR ns.digest IS NULL
                    OR ts.spent_at IS NOT NULL OR tr.revoked_at IS NOT NULL)::int4 AS successor_is_used,
                   (k.client_id IS NOT NULL)::int4 AS client_exists, (h.token_hash IS NOT NULL)::int4 AS is_there,
                   h.client_id, h.created_at, h.expires_at, h.revoked_at,
                   a.scopes, a.forgejo_user_id, a.forgejo_username, a.forgejo_access_token, a.forgejo_refresh_token,
                   a.forgejo_token_expires_at
            FROM (SELECT $1::text AS digest) q
            LEFT JOIN keyward.grant_refresh_tokens s ON s.digest = q.digest
            LEFT JOIN keyward.grants g ON g.id = s.grant_id
            LEFT JOIN refresh_tokens h ON h.token_hash::text = q.digest
            LEFT JOIN access_tokens a ON a.token_hash::text = h.access_token_hash::text
            LEFT JOIN clients k ON k.client_id::text = coalesce(h.client_id::text, g.client_id)
            LEFT JOIN access_tokens na ON na.token_hash::text = s.successor_access
            LEFT JOIN keyward.grant_access_tokens ns ON ns.digest = s.successor_access
            LEFT JOIN keyward.grant_refresh_tokens ts ON ts.digest = s.successor
            LEFT JOIN refresh_tokens tr ON tr.token_hash::text = s.successor
            WHERE s.digest IS NOT NULL OR h.token_hash IS NOT NULL",
        sqlite: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
                   s.grant_id AS side_grant_id, s.spent_at AS side_spent_at, s.response AS side_response,
                   s.response_until AS side_response_until, s.response_access_expires_at AS side_response_access_expires_at,
                   s.response_scopes AS side_response_scopes,
                   (na.token_hash IS NULL OR na.revoked_at IS NOT NULL OR ns.used_at IS NOT NULL OR ns.digest IS NULL
                    OR ts.spent_at IS NOT NULL OR tr.revoked_at IS NOT NULL) AS successor_is_used,
                   (k.client_id IS NOT NULL) AS client_exists, (h.token_hash IS NOT NULL) AS is_there,
                   h.client_id, h.created_at, h.expires_at, h.revoked_at,
                   a.scopes, a.forgejo_user_id, a.forgejo_username, a.forgejo_access_token, a.forgejo_refresh_token,
                   a.forgejo_token_expires_at
            FROM (SELECT ?1 AS digest) q
            LEFT JOIN keyward_grant_refresh_tokens s ON s.digest = q.digest
            LEFT JOIN keyward_grants g ON g.id = s.grant_id
            LEFT JOIN refresh_tokens h ON h.token_hash = q.digest
            LEFT JOIN access_tokens a ON a.token_hash = h.access_token_hash
            LEFT JOIN clients k ON k.client_id = coalesce(h.client_id, g.client_id)
            LEFT JOIN access_tokens na ON na.token_hash = s.successor_access
            LEFT JOIN keyward_grant_access_tokens ns ON ns.digest = s.successor_access
            LEFT JOIN keyward_grant_refresh_tokens ts ON ts.digest = s.successor
            LEFT JOIN refresh_tokens tr ON tr.token_hash = s.successor
            WHERE s.digest IS NOT NULL OR h.token_hash IS NOT NULL",
    },
    &REFRESH,
);

/// `$1` the digest.
pub(in crate::sql::grants) static FIND_CODE: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
                   s.redirect_uri AS side_redirect_uri, s.challenge AS side_challenge, s.expires_at AS side_expires_at,
                   s.spent_at AS side_spent_at, h.used_at
            FROM keyward.grant_codes s
            JOIN keyward.grants g ON g.id = s.grant_id
            LEFT JOIN auth_codes h ON h.code::text = s.digest
            WHERE s.digest = $1::text",
        sqlite: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version,
                   s.redirect_uri AS side_redirect_uri, s.challenge AS side_challenge, s.expires_at AS side_expires_at,
                   s.spent_at AS side_spent_at, h.used_at
            FROM keyward_grant_codes s
            JOIN keyward_grants g ON g.id = s.grant_id
            LEFT JOIN auth_codes h ON h.code = s.digest
            WHERE s.digest = ?1",
    },
    &CODE,
);

/// `$1` the grant.
pub(in crate::sql::grants) static FIND_GRANT: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
            FROM keyward.grants g
            WHERE g.id = $1::text",
        sqlite: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
            FROM keyward_grants g
            WHERE g.id = ?1",
    },
    &GRANT,
);

/// `$1` the last one of the page before or NULL, `$2` how many.
pub(in crate::sql::grants) static GRANTS: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
            FROM keyward.grants g
            WHERE g.id >= coalesce($1::text, '') AND ($1::text IS NULL OR g.id > $1::text)
            ORDER BY g.id LIMIT $2::bigint",
        sqlite: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
            FROM keyward_grants g
            WHERE g.id >= coalesce(?1, '') AND (?1 IS NULL OR g.id > ?1)
            ORDER BY g.id LIMIT ?2",
    },
    &GRANT,
);

/// `$1` the client, `$2` the subject or NULL, `$3` the last one of the page before or NULL, `$4` how many.
pub(in crate::sql::grants) static GRANTS_OF_CLIENT: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
            FROM keyward.grants g
            WHERE g.client_id = $1::text AND ($2::text IS NULL OR g.subject = $2::text)
              AND ($3::text IS NULL OR g.id > $3::text)
            ORDER BY g.id LIMIT $4::bigint",
        sqlite: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
            FROM keyward_grants g
            WHERE g.client_id = ?1 AND (?2 IS NULL OR g.subject = ?2)
              AND (?3 IS NULL OR g.id > ?3)
            ORDER BY g.id LIMIT ?4",
    },
    &GRANT,
);

/// `$1` the subject, `$2` the last one of the page before or NULL, `$3` how many.
pub(in crate::sql::grants) static GRANTS_OF_SUBJECT: Query = Query::new(
    Sql {
        postgres: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
            FROM keyward.grants g
            WHERE g.subject = $1::text AND ($2::text IS NULL OR g.id > $2::text)
            ORDER BY g.id LIMIT $3::bigint",
        sqlite: "
            SELECT g.id AS grant_id, g.client_id AS grant_client_id, g.subject AS grant_subject,
                   g.subject_name AS grant_subject_name, g.scopes AS grant_scopes, g.resource AS grant_resource,
                   g.created_at AS grant_created_at, g.ends_at AS grant_ends_at, g.revoked_at AS grant_revoked_at,
                   g.revoked_reason AS grant_revoked_reason, g.upstream_access_token AS grant_upstream_access_token,
                   g.upstream_refresh_token AS grant_upstream_refresh_token,
                   g.upstream_expires_at AS grant_upstream_expires_at, g.upstream_version AS grant_upstream_version
            FROM keyward_grants g
            WHERE g.subject = ?1 AND (?2 IS NULL OR g.id > ?2)
            ORDER BY g.id LIMIT ?3",
    },
    &GRANT,
);

/// Every statement here, by its name.
pub(super) fn all() -> Vec<(&'static str, Sql)> {
    vec![
        ("find_access", FIND_ACCESS.sql()),
        ("find_refresh", FIND_REFRESH.sql()),
        ("find_code", FIND_CODE.sql()),
        ("find_grant", FIND_GRANT.sql()),
        ("grants", GRANTS.sql()),
        ("grants_of_client", GRANTS_OF_CLIENT.sql()),
        ("grants_of_subject", GRANTS_OF_SUBJECT.sql()),
    ]
}
