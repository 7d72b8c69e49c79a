//! The statements of system C in both dialects.
//!
//! Reads come in two forms: with the side table of revocations, which makes a revocation final even where somebody
//! sets the flag again, and without it.

use crate::sql::lifecycle::Revocations;
use crate::sql::{Read, Sql};

/// A text as a UUID, or NULL, which no key has as its identity, where it is none.
macro_rules! as_uuid {
    ($text:literal) => {
        concat!("CASE WHEN ", $text, " ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (", $text, ")::uuid END")
    };
}

/// The columns in the order in which `decode` reads them, with their table.
macro_rules! select {
    (postgres, with_side_tables, $rest:expr) => {
        concat!(
            "SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at,
                    k.is_active, r.revoked_at, r.reason, k.name, to_json(k.scopes), k.rate_limit_rpm, k.metadata
             FROM api_keys k LEFT JOIN keyward_revocations r
               ON r.system = 'scraper' AND r.key_id = k.id::text AND r.key_hash = k.key_hash ",
            $rest
        )
    };
    (postgres, bare, $rest:expr) => {
        concat!(
            "SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at,
                    k.is_active, NULL::timestamp, NULL::text, k.name, to_json(k.scopes), k.rate_limit_rpm, k.metadata
             FROM api_keys k ",
            $rest
        )
    };
    (sqlite, with_side_tables, $rest:expr) => {
        concat!(
            "SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at,
                    k.is_active, r.revoked_at, r.reason, k.name, k.scopes, k.rate_limit_rpm, k.metadata
             FROM api_keys k LEFT JOIN keyward_revocations r
               ON r.system = 'scraper' AND r.key_id = k.id AND r.key_hash = k.key_hash ",
            $rest
        )
    };
    (sqlite, bare, $rest:expr) => {
        concat!(
            "SELECT k.id, k.client_id, k.key_prefix, k.key_hash, k.created_at, k.last_used_at, k.expires_at,
                    k.is_active, NULL, NULL, k.name, k.scopes, k.rate_limit_rpm, k.metadata
             FROM api_keys k ",
            $rest
        )
    };
}

/// The same condition behind both forms of a read.
macro_rules! read {
    ($postgres:expr, $sqlite:expr) => {
        Read {
            with_side_tables: Sql {
                postgres: select!(postgres, with_side_tables, $postgres),
                sqlite: select!(sqlite, with_side_tables, $sqlite),
            },
            bare: Sql { postgres: select!(postgres, bare, $postgres), sqlite: select!(sqlite, bare, $sqlite) },
        }
    };
}

pub(super) const REVOCATIONS: Revocations = Revocations {
    revoke: DEACTIVATE,
    revoke_all: DEACTIVATE_ALL,
    record: RECORD_REVOCATION,
    record_all: &[RECORD_ALL_REVOCATIONS, RECORD_INACTIVE_KEYS],
    keeps_time: false,
};

/// `$1` the digest.
pub(super) const FIND: Read = read!("WHERE k.key_hash = $1", "WHERE k.key_hash = ?1");

/// `$1` the identity.
pub(super) const GET: Read = read!(concat!("WHERE k.id = ", as_uuid!("$1::text")), "WHERE k.id IN (?1, lower(?1))");

/// `$1` the owner, `$2` the last key of the page before, `$3` how many.
pub(super) const LIST: Read = read!(
    concat!(
        "WHERE k.client_id = $1
           AND ($2::text IS NULL OR (coalesce(k.created_at, '-infinity'), k.id) < (
               SELECT coalesce(c.created_at, '-infinity'), c.id FROM api_keys c WHERE c.id = ",
        as_uuid!("$2::text"),
        "))
         ORDER BY coalesce(k.created_at, '-infinity') DESC, k.id DESC LIMIT $3"
    ),
    "WHERE k.client_id = ?1
       AND (?2 IS NULL OR (coalesce(k.created_at, ''), k.id) < (
           SELECT coalesce(c.created_at, ''), c.id FROM api_keys c WHERE c.id IN (?2, lower(?2))))
     ORDER BY coalesce(k.created_at, '') DESC, k.id DESC LIMIT ?3"
);

pub(super) const STARTING_WITH: Read = read!(
    "WHERE k.client_id = $1 AND (starts_with(k.id::text, $2) OR starts_with(k.key_prefix, $2)) ORDER BY k.id LIMIT $3",
    "WHERE k.client_id = ?1 AND (substr(k.id, 1, length(?2)) = ?2 OR substr(k.key_prefix, 1, length(?2)) = ?2)
     ORDER BY k.id LIMIT ?3"
);

/// `$1` identity, `$2` digest, `$3` display prefix, `$4` name, `$5` owner, `$6` scopes as JSON, `$7` rate limit,
/// `$8` created, `$9` expiry, `$10` metadata.
pub(super) const INSERT: Sql = Sql {
    postgres: "
        INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                              created_at, expires_at, metadata)
        VALUES ($1::text::uuid, $2, $3, $4, $5, ARRAY(SELECT jsonb_array_elements_text($6::text::jsonb)), $7::bigint,
                true, $8::timestamp, $9::timestamp, $10::text::jsonb)
        RETURNING 1",
    sqlite: "
        INSERT INTO api_keys (id, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm, is_active,
                              created_at, expires_at, metadata)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, TRUE, ?8, ?9, ?10)
        RETURNING 1",
};

/// See [`rotate`](crate::sql::lifecycle::rotate). On SQLite the stored text is compared as keyward writes it, and with
/// SQLite's own functions, to the millisecond, where somebody wrote it in another form. On PostgreSQL all instants
/// behind the last one that keyward knows are the same.
pub(super) const RETIRE: Sql = Sql {
    postgres: concat!(
        "UPDATE api_keys SET expires_at = $3::timestamp WHERE id = ",
        as_uuid!("$1::text"),
        " AND key_hash = $2 AND is_active
          AND (expires_at IS NOT DISTINCT FROM $4::timestamp
               OR $4::timestamp = 'infinity' AND expires_at >= '9999-12-31 23:59:59.999999')
        RETURNING 1"
    ),
    sqlite: "
        UPDATE api_keys SET expires_at = ?3
        WHERE id IN (?1, lower(?1)) AND key_hash = ?2 AND is_active IS 1
          AND (expires_at IS ?4 OR expires_at IS ?4 || '.000000'
               OR NOT (length(expires_at) IN (19, 26) AND substr(expires_at, 11, 1) = ' ')
                  AND strftime('%Y-%m-%d %H:%M:%f', expires_at) = strftime('%Y-%m-%d %H:%M:%f', ?4))
        RETURNING 1",
};

/// `$1` identity, `$2` the digest that the caller saw or NULL, `$3` when, `$4` why. A key whose flag is not set is
/// recorded too: setting the flag again must not bring back what was revoked. Locks the key's row first, in the order
/// in which everything else does.
const RECORD_REVOCATION: Sql = Sql {
    postgres: concat!(
        "INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
         SELECT 'scraper', k.id::text, k.key_hash, $3::timestamp, $4::text
         FROM (SELECT id, key_hash FROM api_keys WHERE id = ",
        as_uuid!("$1::text"),
        " AND ($2::text IS NULL OR key_hash = $2) FOR UPDATE) k
         ON CONFLICT DO NOTHING RETURNING 1"
    ),
    sqlite: "
        INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', id, key_hash, ?3, ?4 FROM api_keys WHERE id IN (?1, lower(?1)) AND (?2 IS NULL OR key_hash = ?2)
        ON CONFLICT DO NOTHING RETURNING 1",
};

/// `$1` identity, `$2` the digest that the caller saw or NULL.
const DEACTIVATE: Sql = Sql {
    postgres: concat!(
        "UPDATE api_keys SET is_active = false WHERE id = ",
        as_uuid!("$1::text"),
        " AND ($2::text IS NULL OR key_hash = $2) AND is_active IS DISTINCT FROM false
         RETURNING 1"
    ),
    sqlite: "
        UPDATE api_keys SET is_active = FALSE
        WHERE id IN (?1, lower(?1)) AND (?2 IS NULL OR key_hash = ?2) AND is_active IS NOT 0
        RETURNING 1",
};

/// `$1` owner, `$2` when, `$3` why.
const RECORD_ALL_REVOCATIONS: Sql = Sql {
    postgres: "
        INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', k.id::text, k.key_hash, $2::timestamp, $3::text
        FROM (SELECT id, key_hash FROM api_keys WHERE client_id = $1 AND is_active IS DISTINCT FROM false
              ORDER BY id FOR UPDATE) k
        ON CONFLICT DO NOTHING RETURNING 1",
    sqlite: "
        INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', id, key_hash, ?2, ?3 FROM api_keys WHERE client_id = ?1 AND is_active IS NOT 0
        ON CONFLICT DO NOTHING RETURNING 1",
};

/// `$1` owner, `$2` when, `$3` why: the keys whose flag was not set, which must not come back when somebody sets it.
const RECORD_INACTIVE_KEYS: Sql = Sql {
    postgres: "
        INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', k.id::text, k.key_hash, $2::timestamp, $3::text
        FROM (SELECT id, key_hash FROM api_keys WHERE client_id = $1 ORDER BY id FOR UPDATE) k
        ON CONFLICT DO NOTHING RETURNING 1",
    sqlite: "
        INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
        SELECT 'scraper', id, key_hash, ?2, ?3 FROM api_keys WHERE client_id = ?1
        ON CONFLICT DO NOTHING RETURNING 1",
};

/// `$1` owner. Locks the rows in the order in which everything else does.
const DEACTIVATE_ALL: Sql = Sql {
    postgres: "
        WITH due AS (
            SELECT id FROM api_keys WHERE client_id = $1 AND is_active IS DISTINCT FROM false ORDER BY id FOR UPDATE
        )
        UPDATE api_keys k SET is_active = false FROM due WHERE k.id = due.id RETURNING 1",
    sqlite: "UPDATE api_keys SET is_active = FALSE WHERE client_id = ?1 AND is_active IS NOT 0 RETURNING 1",
};

/// `$1` a JSON array of `[identity, digest, instant]`. PostgreSQL locks the rows in one order first, so that two
/// processes that flush at once wait for each other instead of deadlocking.
pub(super) const TOUCH: Sql = Sql {
    postgres: concat!(
        "WITH used AS (
            SELECT ",
        as_uuid!("u ->> 0"),
        " AS id, u ->> 1 AS key_hash, (u ->> 2)::timestamp AS at
            FROM jsonb_array_elements($1::text::jsonb) u
        ), due AS (
            SELECT k.id, used.at FROM api_keys k JOIN used ON used.id = k.id AND used.key_hash = k.key_hash
            WHERE k.last_used_at IS NULL OR k.last_used_at < used.at
            ORDER BY k.id FOR NO KEY UPDATE OF k
        )
        UPDATE api_keys k SET last_used_at = due.at FROM due WHERE k.id = due.id"
    ),
    sqlite: "
        UPDATE api_keys SET last_used_at = used.at
        FROM (SELECT value ->> 0 AS id, value ->> 1 AS key_hash, value ->> 2 AS at FROM json_each(?1)) AS used
        WHERE api_keys.id = used.id AND api_keys.key_hash = used.key_hash
          AND coalesce(strftime('%Y-%m-%d %H:%M:%f', last_used_at), '') < strftime('%Y-%m-%d %H:%M:%f', used.at)",
};
