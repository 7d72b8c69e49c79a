//! The changes of the schema `mesh` in both dialects.

use crate::schemas::mesh::sql::last_use;
use crate::schemas::mesh::sql::revocations::REVOCATIONS;
use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::Changes;
use crate::sql::keys::rotation::Succession;

/// `$1` the mesh.
pub(super) static MESH: Query = Query::new(
    Sql {
        postgres: "SELECT 1 FROM mesh.mesh WHERE id::text = $1::text AND id::text COLLATE pg_catalog.\"C\" = $1::text",
        sqlite: "SELECT 1 FROM mesh WHERE id = ?1 COLLATE BINARY",
    },
    &[],
);

/// `$1` the mesh; returns a row unless it is archived.
pub(super) const MESH_IN_USE: Sql = Sql {
    postgres: "
        SELECT 1 FROM mesh.mesh
        WHERE id::text = $1::text AND id::text COLLATE pg_catalog.\"C\" = $1::text AND archived_at IS NULL",
    sqlite: "SELECT 1 FROM mesh WHERE id = ?1 COLLATE BINARY AND archived_at IS NULL",
};

/// `$1` the member, `$2` the mesh, `$3` 1 if a member who was revoked is none.
pub(super) const MEMBER: Sql = Sql {
    postgres: "
        SELECT 1 FROM mesh.member
        WHERE id::text = $1::text AND id::text COLLATE pg_catalog.\"C\" = $1::text
          AND mesh_id::text COLLATE pg_catalog.\"C\" = $2::text AND ($3::bigint = 0::bigint OR revoked_at IS NULL)",
    sqlite: "
        SELECT 1 FROM member
        WHERE id = ?1 COLLATE BINARY AND mesh_id = ?2 COLLATE BINARY AND (?3 = 0 OR revoked_at IS NULL)",
};

/// `$1` a key, `$2` 1 if a member who was revoked is none; returns a row if a member of the key's mesh has issued it, or
/// nobody has.
pub(super) const ISSUER: Sql = Sql {
    postgres: "
        SELECT 1 FROM mesh.api_key k
        LEFT JOIN mesh.member i ON i.id::text = k.issued_by_member_id::text AND i.mesh_id::text = k.mesh_id::text
        WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog.\"C\" = $1::text
          AND (k.issued_by_member_id IS NULL
               OR i.id IS NOT NULL AND ($2::bigint = 0::bigint OR i.revoked_at IS NULL))",
    sqlite: "
        SELECT 1 FROM api_key k
        LEFT JOIN member i ON i.id = k.issued_by_member_id AND i.mesh_id = k.mesh_id
        WHERE k.id = ?1 COLLATE BINARY
          AND (k.issued_by_member_id IS NULL OR i.id IS NOT NULL AND (?2 = 0 OR i.revoked_at IS NULL))",
};

/// `$1` identity, `$2` mesh, `$3` label, `$4` digest, `$5` display prefix, `$6` capabilities as JSON, `$7` topics as
/// JSON or NULL, `$8` issuer, `$9` created, `$10` expiry. The table does not keep a digest from standing in it twice.
const INSERT: Sql = Sql {
    postgres: "
        INSERT INTO mesh.api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                                  issued_by_member_id, created_at, expires_at)
        SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text::jsonb, $7::text::jsonb,
               $8::text, $9::timestamp, $10::timestamp
        WHERE NOT EXISTS (SELECT 1 FROM mesh.api_key
                          WHERE secret_prefix::text = $5::text AND secret_hash::text = $4::text)
        RETURNING 1",
    sqlite: "
        INSERT INTO api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                             issued_by_member_id, created_at, expires_at)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
        WHERE NOT EXISTS (SELECT 1 FROM api_key WHERE secret_prefix = ?5 AND secret_hash = ?4)
        RETURNING 1",
};

/// On SQLite the stored expiry is compared as keyward writes it, and with SQLite's own functions, to the millisecond,
/// where somebody wrote it in another form. On PostgreSQL all instants behind the last one that keyward knows are the
/// same. The table does not keep a digest from standing in it twice.
pub(super) const SUCCESSION: Succession = Succession {
    retire: Sql {
        postgres: "
            UPDATE mesh.api_key SET expires_at = $5::timestamp, revoked_at = $6::timestamp
            WHERE id::text = $1::text AND id::text COLLATE pg_catalog.\"C\" = $1::text
              AND secret_hash::text = $2::text AND mesh_id::text COLLATE pg_catalog.\"C\" = $3::text AND revoked_at IS NULL
              AND (expires_at IS NOT DISTINCT FROM $4::timestamp
                   OR $4::timestamp >= '9999-12-31 23:59:59.999999'::timestamp AND expires_at >= $4::timestamp)
            RETURNING 1",
        sqlite: "
            UPDATE api_key SET expires_at = ?5, revoked_at = ?6
            WHERE id = ?1 COLLATE BINARY AND secret_hash = ?2 COLLATE BINARY AND mesh_id = ?3 COLLATE BINARY
              AND revoked_at IS NULL
              AND (expires_at IS ?4 OR expires_at IS ?4 || '.000000'
                   OR NOT (length(expires_at) IN (19, 26) AND substr(expires_at, 11, 1) = ' ')
                      AND strftime('%Y-%m-%d %H:%M:%f', expires_at) = strftime('%Y-%m-%d %H:%M:%f', ?4))
            RETURNING 1",
    },
    succeed: Sql {
        postgres: "
            INSERT INTO mesh.api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                                      issued_by_member_id, created_at, expires_at)
            SELECT $2::text, k.mesh_id, k.label, $3::text, $4::text, k.capabilities, k.topic_scopes,
                   k.issued_by_member_id, $5::timestamp, $6::timestamp
            FROM mesh.api_key k
            WHERE k.id::text = $1::text AND k.id::text COLLATE pg_catalog.\"C\" = $1::text
              AND NOT EXISTS (SELECT 1 FROM mesh.api_key o
                              WHERE o.secret_prefix::text = $4::text AND o.secret_hash::text = $3::text)
            RETURNING 1",
        sqlite: "
            INSERT INTO api_key (id, mesh_id, label, secret_hash, secret_prefix, capabilities, topic_scopes,
                                 issued_by_member_id, created_at, expires_at)
            SELECT ?2, k.mesh_id, k.label, ?3, ?4, k.capabilities, k.topic_scopes, k.issued_by_member_id, ?5, ?6
            FROM api_key k
            WHERE k.id = ?1 COLLATE BINARY
              AND NOT EXISTS (SELECT 1 FROM api_key o WHERE o.secret_prefix = ?4 AND o.secret_hash = ?3)
            RETURNING 1",
    },
};

pub(super) static CHANGES: Changes = Changes { insert: INSERT, touch: &last_use::TOUCH, revocations: REVOCATIONS };
