//! The changes of the schema `mesh` in both dialects.

use crate::schemas::mesh::sql::last_use;
use crate::schemas::mesh::sql::revocations::REVOCATIONS;
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

pub(super) static CHANGES: Changes = Changes { insert: INSERT, touch: &last_use::TOUCH, revocations: REVOCATIONS };
