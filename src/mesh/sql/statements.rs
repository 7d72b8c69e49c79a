//! The statements of system B in both dialects.
//!
//! Reads differ in what they bring beside the key's own row: the reason of its revocation, from the side table, and
//! whether its mesh is archived or its issuer revoked, for the strict profile.

use crate::sql::lifecycle::Revocations;
use crate::sql::{Read, Sql};

/// The reason of the revocation, or NULL.
macro_rules! reason {
    ($dialect:ident, with_reason) => {
        "r.reason"
    };
    (postgres, without_reason) => {
        "NULL::text"
    };
    (sqlite, without_reason) => {
        "NULL"
    };
}

macro_rules! reason_table {
    ($dialect:ident, with_reason) => {
        " LEFT JOIN keyward_revocations r ON r.system = 'mesh' AND r.key_id = k.id AND r.key_hash = k.secret_hash "
    };
    ($dialect:ident, without_reason) => {
        " "
    };
}

/// When the mesh was archived and when the issuer was revoked, or NULL.
macro_rules! tenant {
    ($dialect:ident, strict) => {
        "m.archived_at, i.revoked_at"
    };
    (postgres, plain) => {
        "NULL::timestamp, NULL::timestamp"
    };
    (sqlite, plain) => {
        "NULL, NULL"
    };
}

macro_rules! tenant_tables {
    (postgres, strict) => {
        " LEFT JOIN mesh.mesh m ON m.id = k.mesh_id LEFT JOIN mesh.member i ON i.id = k.issued_by_member_id "
    };
    (sqlite, strict) => {
        " LEFT JOIN mesh m ON m.id = k.mesh_id LEFT JOIN member i ON i.id = k.issued_by_member_id "
    };
    ($dialect:ident, plain) => {
        " "
    };
}

macro_rules! table {
    (postgres) => {
        "mesh.api_key"
    };
    (sqlite) => {
        "api_key"
    };
}

/// The columns in the order in which `decode` reads them, with their tables.
macro_rules! select {
    ($dialect:ident, $reason:ident, $tenant:ident, $rest:literal) => {
        concat!(
            "SELECT k.id, k.mesh_id, k.secret_prefix, k.secret_hash, k.created_at, k.last_used_at, k.expires_at,
                    k.revoked_at, ",
            reason!($dialect, $reason),
            ", ",
            tenant!($dialect, $tenant),
            ",
                    k.label, k.capabilities, k.topic_scopes, k.issued_by_member_id
             FROM ",
            table!($dialect),
            " k ",
            reason_table!($dialect, $reason),
            tenant_tables!($dialect, $tenant),
            $rest
        )
    };
}

/// A lookup needs no reason: a revoked key is refused with or without one.
macro_rules! lookup {
    ($tenant:ident, $postgres:literal, $sqlite:literal) => {{
        const LOOKUP: Sql = Sql {
            postgres: select!(postgres, without_reason, $tenant, $postgres),
            sqlite: select!(sqlite, without_reason, $tenant, $sqlite),
        };
        Read { with_side_tables: LOOKUP, bare: LOOKUP }
    }};
}

macro_rules! read {
    ($tenant:ident, $postgres:literal, $sqlite:literal) => {
        Read {
            with_side_tables: Sql {
                postgres: select!(postgres, with_reason, $tenant, $postgres),
                sqlite: select!(sqlite, with_reason, $tenant, $sqlite),
            },
            bare: Sql {
                postgres: select!(postgres, without_reason, $tenant, $postgres),
                sqlite: select!(sqlite, without_reason, $tenant, $sqlite),
            },
        }
    };
}

/// All reads of one profile.
#[derive(Clone, Copy)]
pub(super) struct Reads {
    /// `$1` the display prefix, which several keys may share.
    pub(super) find: Read,
    /// `$1` identity.
    pub(super) get: Read,
    /// `$1` owner, `$2` the last key of the page before, `$3` how many.
    pub(super) list: Read,
    /// `$1` owner, `$2` the start, `$3` how many.
    pub(super) starting_with: Read,
}

macro_rules! reads {
    ($tenant:ident) => {
        Reads {
            find: lookup!(
                $tenant,
                "WHERE k.secret_prefix = $1 ORDER BY k.id",
                "WHERE k.secret_prefix = ?1 ORDER BY k.id"
            ),
            get: read!($tenant, "WHERE k.id = $1", "WHERE k.id = ?1"),
            list: read!(
                $tenant,
                "WHERE k.mesh_id = $1
                   AND ($2::text IS NULL OR (k.created_at, k.id) < (
                       SELECT c.created_at, c.id FROM mesh.api_key c WHERE c.id = $2::text))
                 ORDER BY k.created_at DESC, k.id DESC LIMIT $3",
                "WHERE k.mesh_id = ?1
                   AND (?2 IS NULL OR (k.created_at, k.id) < (
                       SELECT c.created_at, c.id FROM api_key c WHERE c.id = ?2))
                 ORDER BY k.created_at DESC, k.id DESC LIMIT ?3"
            ),
            starting_with: read!(
                $tenant,
                "WHERE k.mesh_id = $1 AND (starts_with(k.id, $2) OR starts_with(k.secret_prefix, $2))
                 ORDER BY k.id LIMIT $3",
                "WHERE k.mesh_id = ?1
                   AND (substr(k.id, 1, length(?2)) = ?2 OR substr(k.secret_prefix, 1, length(?2)) = ?2)
                 ORDER BY k.id LIMIT ?3"
            ),
        }
    };
}

/// As the system itself reads.
pub(super) const PLAIN: Reads = reads!(plain);

/// With the state of the mesh and of the issuer.
pub(super) const STRICT: Reads = reads!(strict);

/// `$1` the mesh.
pub(super) const MESH: Sql =
    Sql { postgres: "SELECT 1 FROM mesh.mesh WHERE id = $1", sqlite: "SELECT 1 FROM mesh WHERE id = ?1" };

/// `$1` the member, `$2` the mesh.
pub(super) const MEMBER: Sql = Sql {
    postgres: "SELECT 1 FROM mesh.member WHERE id = $1 AND mesh_id = $2",
    sqlite: "SELECT 1 FROM member WHERE id = ?1 AND mesh_id = ?2",
};

/// `$1` identity, `$2` mesh, `$3` label, `$4` digest, `$5` display prefix, `$6` capabilities as JSON, `$7` topics as
/// JSON or NULL, `$8` issuer, `$9` created, `$10` expiry. The table does not keep a digest from standing in it twice.
pub(super) const INSERT: Sql = Sql {
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

/// See [`rotate`](crate::sql::lifecycle::rotate). On SQLite the stored text is compared as keyward writes it, and with
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

pub(super) const REVOCATIONS: Revocations = Revocations {
    revoke: Sql {
        postgres: "
            UPDATE mesh.api_key SET revoked_at = $3::timestamp
            WHERE id = $1 AND ($2::text IS NULL OR secret_hash = $2) AND revoked_at IS NULL
            RETURNING 1",
        sqlite: "
            UPDATE api_key SET revoked_at = ?3
            WHERE id = ?1 AND (?2 IS NULL OR secret_hash = ?2) AND revoked_at IS NULL
            RETURNING 1",
    },
    revoke_all: Sql {
        postgres: "
            WITH due AS (
                SELECT id FROM mesh.api_key WHERE mesh_id = $1 AND revoked_at IS NULL ORDER BY id FOR UPDATE
            )
            UPDATE mesh.api_key k SET revoked_at = $2::timestamp FROM due WHERE k.id = due.id RETURNING 1",
        sqlite: "UPDATE api_key SET revoked_at = ?2 WHERE mesh_id = ?1 AND revoked_at IS NULL RETURNING 1",
    },
    record: Sql {
        postgres: "
            INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', k.id, k.secret_hash, $3::timestamp, $4::text
            FROM (SELECT id, secret_hash FROM mesh.api_key
                  WHERE id = $1 AND ($2::text IS NULL OR secret_hash = $2) AND revoked_at IS NULL FOR UPDATE) k
            ON CONFLICT (system, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', id, secret_hash, ?3, ?4 FROM api_key
            WHERE id = ?1 AND (?2 IS NULL OR secret_hash = ?2) AND revoked_at IS NULL
            ON CONFLICT (system, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
    },
    record_all: &[Sql {
        postgres: "
            INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', k.id, k.secret_hash, $2::timestamp, $3::text
            FROM (SELECT id, secret_hash FROM mesh.api_key WHERE mesh_id = $1 AND revoked_at IS NULL
                  ORDER BY id FOR UPDATE) k
            ON CONFLICT (system, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
        sqlite: "
            INSERT INTO keyward_revocations (system, key_id, key_hash, revoked_at, reason)
            SELECT 'mesh', id, secret_hash, ?2, ?3 FROM api_key WHERE mesh_id = ?1 AND revoked_at IS NULL
            ON CONFLICT (system, key_id, key_hash)
              DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason RETURNING 1",
    }],
    keeps_time: true,
};

/// `$1` a JSON array of `[identity, digest, instant]`. PostgreSQL locks the rows in one order first, so that two
/// processes that flush at once wait for each other instead of deadlocking.
pub(super) const TOUCH: Sql = Sql {
    postgres: "
        WITH used AS (
            SELECT u ->> 0 AS id, u ->> 1 AS secret_hash, (u ->> 2)::timestamp AS at
            FROM jsonb_array_elements($1::text::jsonb) u
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
