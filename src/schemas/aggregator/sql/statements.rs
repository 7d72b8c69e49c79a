//! The changes of the schema `aggregator` in both dialects. They write no column but `api_key_*`.
//!
//! Instants are bound as `timestamp` in UTC and declared as such (`AT TIME ZONE 'UTC'`), whatever the session's zone.

use crate::schemas::aggregator::sql::last_use;
use crate::schemas::aggregator::sql::revocations::REVOCATIONS;
use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::Changes;

/// `$1` the DID.
pub(super) static AGGREGATOR: Query = Query::new(
    Sql {
        postgres: "SELECT 1 FROM aggregators WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text",
        sqlite: "SELECT 1 FROM aggregators WHERE did = ?1 COLLATE BINARY",
    },
    &[],
);

/// `$1` the DID, `$2` display prefix, `$3` digest, `$4` created. Only where there is no key yet.
const INSERT: Sql = Sql {
    postgres: "
        UPDATE aggregators
        SET api_key_prefix = $2, api_key_hash = $3, api_key_created_at = $4::timestamp AT TIME ZONE 'UTC',
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text AND api_key_hash IS NULL
        RETURNING 1",
    sqlite: "
        UPDATE aggregators
        SET api_key_prefix = ?2, api_key_hash = ?3, api_key_created_at = ?4,
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did = ?1 COLLATE BINARY AND api_key_hash IS NULL
        RETURNING 1",
};

/// `$1` to `$4` as [`INSERT`], `$5` the digest that the caller saw, or NULL when it saw something that is no digest,
/// `$6` 1 if the key must not have been revoked meanwhile.
pub(super) const REPLACE: Sql = Sql {
    postgres: "
        UPDATE aggregators
        SET api_key_prefix = $2, api_key_hash = $3, api_key_created_at = $4::timestamp AT TIME ZONE 'UTC',
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did::text = $1::text AND did::text COLLATE pg_catalog.\"C\" = $1::text
          AND (api_key_hash::text = $5::text OR $5::text IS NULL AND api_key_hash::text !~ '^[0-9a-f]{64}$')
          AND ($6::bigint = 0::bigint OR api_key_revoked_at IS NULL)
        RETURNING 1",
    sqlite: "
        UPDATE aggregators
        SET api_key_prefix = ?2, api_key_hash = ?3, api_key_created_at = ?4,
            api_key_revoked_at = NULL, api_key_last_used_at = NULL
        WHERE did = ?1 COLLATE BINARY
          AND (api_key_hash = ?5 COLLATE BINARY
               OR ?5 IS NULL AND (typeof(api_key_hash) <> 'text' OR length(CAST(api_key_hash AS BLOB)) <> 64
                                  OR api_key_hash GLOB '*[^0-9a-f]*'))
          AND (?6 = 0 OR api_key_revoked_at IS NULL)
        RETURNING 1",
};

pub(super) static CHANGES: Changes = Changes { insert: INSERT, touch: &last_use::TOUCH, revocations: REVOCATIONS };
