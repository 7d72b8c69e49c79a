//! The changes of the schema `mesh` in both dialects.

use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::Changes;

/// `$1` the mesh.
pub(super) static MESH: Query = Query::new(
    Sql { postgres: "SELECT 1 FROM mesh.mesh WHERE id = $1", sqlite: "SELECT 1 FROM mesh WHERE id = ?1" },
    &[],
);

/// `$1` the member, `$2` the mesh.
pub(super) const MEMBER: Sql = Sql {
    postgres: "SELECT 1 FROM mesh.member WHERE id = $1 AND mesh_id = $2",
    sqlite: "SELECT 1 FROM member WHERE id = ?1 AND mesh_id = ?2",
};

/// `$1` identity, `$2` mesh, `$3` label, `$4` digest, `$5` display prefix, `$6` capabilities as JSON, `$7` topics as
/// JSON or NULL, `$8` issuer, `$9` created, `$10` expiry. The table does not keep a digest from standing in it twice.
const INSERT: Sql = Sql {
    postgres: "
        INSERT INTO mesh.api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                                  issued_by_member_id, created_at, expires_at)
        SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text::jsonb, $7::text::jsonb,
               $8::text, $9::timestamp, $10::timestamp
        WHERE NOT EXISTS (SELECT 1 FROM mesh.api_key WHERE secret_prefix = $5::text AND secret_hash = $4::text)
        RETURNING 1",
    sqlite: "
        INSERT INTO api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                             issued_by_member_id, created_at, expires_at)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
        WHERE NOT EXISTS (SELECT 1 FROM api_key WHERE secret_prefix = ?5 AND secret_hash = ?4)
        RETURNING 1",
};

/// See [`rotate`](crate::sql::keys::host::rotate). On SQLite the stored text is compared as keyward writes it, and with
/// SQLite's own functions, to the millisecond, where somebody wrote it in another form. On PostgreSQL all instants
/// behind the last one that keyward knows are the same.
pub(super) const RETIRE: Sql = Sql {
    postgres: "
        UPDATE mesh.api_key SET expires_at = $3::timestamp
        WHERE id = $1 AND secret_hash = $2 AND revoked_at IS NULL
          AND (expires_at IS NOT DISTINCT FROM $4::timestamp
               OR $4::timestamp = 'infinity' AND expires_at >= '9999-12-31 23:59:59.999999')
        RETURNING 1",
    sqlite: "
        UPDATE api_key SET expires_at = ?3
        WHERE id = ?1 AND secret_hash = ?2 AND revoked_at IS NULL
          AND (expires_at IS ?4 OR expires_at IS ?4 || '.000000'
               OR NOT (length(expires_at) IN (19, 26) AND substr(expires_at, 11, 1) = ' ')
                  AND strftime('%Y-%m-%d %H:%M:%f', expires_at) = strftime('%Y-%m-%d %H:%M:%f', ?4))
        RETURNING 1",
};

pub(super) const CHANGES: Changes = Changes {
    insert: INSERT,
    touch: TOUCH,
    revoke: Sql {
        postgres: "
            UPDATE mesh.api_key SET revoked_at = $4::timestamp
            WHERE id = $1 AND ($2::text IS NULL OR secret_hash = $2) AND ($3::text IS NULL OR mesh_id = $3)
              AND revoked_at IS NULL
            RETURNING 1",
        sqlite: "
            UPDATE api_key SET revoked_at = ?4
            WHERE id = ?1 AND (?2 IS NULL OR secret_hash = ?2) AND (?3 IS NULL OR mesh_id = ?3)
              AND revoked_at IS NULL
            RETURNING 1",
    },
    revoke_all: Sql {
        postgres: "
            WITH due AS (
                SELECT id FROM mesh.api_key WHERE mesh_id = $1 AND revoked_at IS NULL ORDER BY id FOR NO KEY UPDATE
            )
            UPDATE mesh.api_key k SET revoked_at = $2::timestamp FROM due WHERE k.id = due.id RETURNING 1",
        sqlite: "UPDATE api_key SET revoked_at = ?2 WHERE mesh_id = ?1 AND revoked_at IS NULL RETURNING 1",
    },
    record: Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', k.id, k.secret_hash, $4::timestamp, $5::text
            FROM (SELECT id, secret_hash FROM mesh.api_key
                  WHERE id = $1 AND ($2::text IS NULL OR secret_hash = $2) AND ($3::text IS NULL OR mesh_id = $3)
                    AND revoked_at IS NULL
                  FOR NO KEY UPDATE) k
            ON CONFLICT (schema, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', id, secret_hash, ?4, ?5 FROM api_key
            WHERE id = ?1 AND (?2 IS NULL OR secret_hash = ?2) AND (?3 IS NULL OR mesh_id = ?3)
              AND revoked_at IS NULL
            ON CONFLICT (schema, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
    },
    record_all: &[Sql {
        postgres: "
            INSERT INTO keyward.revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', k.id, k.secret_hash, $2::timestamp, $3::text
            FROM (SELECT id, secret_hash FROM mesh.api_key WHERE mesh_id = $1 AND revoked_at IS NULL
                  ORDER BY id FOR NO KEY UPDATE) k
            ON CONFLICT (schema, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (schema, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', id, secret_hash, ?2, ?3 FROM api_key WHERE mesh_id = ?1 AND revoked_at IS NULL
            ON CONFLICT (schema, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
    }],
    keeps_time: true,
};

/// `$1` a JSON array of `[identity, digest, instant]`. PostgreSQL locks the rows in one order first, so that two
/// processes that flush at once wait for each other instead of deadlocking.
const TOUCH: Sql = Sql {
    postgres: "
        WITH used AS (
            SELECT u ->> 0 AS id, u ->> 1 AS secret_hash, (u ->> 2)::timestamp AS at
            FROM pg_catalog.jsonb_array_elements($1::text::jsonb) u
        ), due AS (
            SELECT k.id, used.at FROM mesh.api_key k JOIN used ON used.id = k.id AND used.secret_hash = k.secret_hash
            WHERE k.last_used_at IS NULL OR k.last_used_at < used.at
            ORDER BY k.id FOR NO KEY UPDATE OF k
        )
        UPDATE mesh.api_key k SET last_used_at = due.at FROM due WHERE k.id = due.id",
    sqlite: "
        UPDATE api_key SET last_used_at = used.at
        FROM (SELECT value ->> 0 AS id, value ->> 1 AS secret_hash, value ->> 2 AS at FROM json_each(?1)) AS used
        WHERE api_key.id = used.id AND api_key.secret_hash = used.secret_hash
          AND coalesce(strftime('%Y-%m-%d %H:%M:%f', last_used_at), '') < strftime('%Y-%m-%d %H:%M:%f', used.at)",
};
