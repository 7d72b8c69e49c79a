//! The reads of the schema `standard` in both dialects that look for one key.

use crate::schemas::standard::sql::{Column, HistoryColumn};
use crate::sql::engine::{Query, Sql};

/// `$1` the digest. The last use, the successor and the reason of a revocation are nothing to a verification.
pub(super) static FIND: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
                   k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at,
                   NULL AS revocation_reason, k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage,
                   k.predecessor_id, NULL AS successor_id, k.imported_from, k.version, NULL AS last_used_at
            FROM keyward.keys k
            WHERE k.digest = $1::bytea",
        sqlite: "
            SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
                   k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at,
                   NULL AS revocation_reason, k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage,
                   k.predecessor_id, NULL AS successor_id, k.imported_from, k.version, NULL AS last_used_at
            FROM keyward_keys k
            WHERE k.digest = ?1",
    },
    Column::NAMES,
);

/// `$1` the identity.
pub(super) static GET: Query = Query::new(
    Sql {
        postgres: "
            SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
                   k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
                   k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
                   k.imported_from, k.version, u.used_at AS last_used_at
            FROM keyward.keys k
            LEFT JOIN keyward.key_uses u ON u.key_id = k.id
            WHERE k.id = $1::text",
        sqlite: "
            SELECT k.id, k.owner, k.environment, k.name, k.description, k.prefix, k.digest, k.scopes, k.metadata,
                   k.requests_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.revocation_reason,
                   k.is_disabled, k.disabled_at, k.disabling_reason, k.lineage, k.predecessor_id, k.successor_id,
                   k.imported_from, k.version, u.used_at AS last_used_at
            FROM keyward_keys k
            LEFT JOIN keyward_key_uses u ON u.key_id = k.id
            WHERE k.id = ?1",
    },
    Column::NAMES,
);

/// `$1` the identity.
pub(super) static HISTORY: Query = Query::new(
    Sql {
        postgres: "
            SELECT h.at, h.action, h.actor, h.reason, h.from_version, h.to_version, h.changes
            FROM keyward.key_history h
            WHERE h.key_id = $1::text
            ORDER BY h.to_version",
        sqlite: "
            SELECT h.at, h.action, h.actor, h.reason, h.from_version, h.to_version, h.changes
            FROM keyward_key_history h
            WHERE h.key_id = ?1
            ORDER BY h.to_version",
    },
    HistoryColumn::NAMES,
);
