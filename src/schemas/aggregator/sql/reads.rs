//! The reads of the schema `aggregator` in both dialects, with the side tables and without them. A lookup needs no
//! reason of a revocation.
//!
//! With the side table of revocations, a revocation is final even where the host has cleared its column, and its first
//! time is the one that is shown.

use crate::schemas::aggregator::sql::Column;
use crate::sql::engine::{Query, Sql};
use crate::sql::keys::host::{Read, Reads};

pub(super) static READS: Reads = Reads {
    find: Read { with_side_tables: &FIND, bare: &FIND_BARE },
    get: Read { with_side_tables: &GET, bare: &GET_BARE },
    list: Read { with_side_tables: &LIST, bare: &LIST_BARE },
};

/// `$1` the digest.
static FIND: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
                   coalesce(r.revoked_at AT TIME ZONE 'UTC', a.api_key_revoked_at) AS api_key_revoked_at,
                   NULL AS reason
            FROM aggregators a
            LEFT JOIN keyward.revocations r
              ON r.schema = 'aggregator' AND r.key_id = a.did::text AND r.key_hash = a.api_key_hash::text
            WHERE a.api_key_hash::text = $1::text",
        sqlite: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
                   coalesce(r.revoked_at, a.api_key_revoked_at) AS api_key_revoked_at,
                   NULL AS reason
            FROM aggregators a
            LEFT JOIN keyward_revocations r
              ON r.schema = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash
            WHERE a.api_key_hash = ?1",
    },
    Column::NAMES,
);

/// `$1` the digest.
static FIND_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
                   NULL AS reason
            FROM aggregators a
            WHERE a.api_key_hash::text = $1::text",
        sqlite: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
                   NULL AS reason
            FROM aggregators a
            WHERE a.api_key_hash = ?1",
    },
    Column::NAMES,
);

/// `$1` the DID. A row without a digest has no key.
static GET: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
                   coalesce(r.revoked_at AT TIME ZONE 'UTC', a.api_key_revoked_at) AS api_key_revoked_at,
                   r.reason
            FROM aggregators a
            LEFT JOIN keyward.revocations r
              ON r.schema = 'aggregator' AND r.key_id = a.did::text AND r.key_hash = a.api_key_hash::text
            WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text AND a.api_key_hash IS NOT NULL",
        sqlite: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
                   coalesce(r.revoked_at, a.api_key_revoked_at) AS api_key_revoked_at,
                   r.reason
            FROM aggregators a
            LEFT JOIN keyward_revocations r
              ON r.schema = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash
            WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL",
    },
    Column::NAMES,
);

/// `$1` the DID. A row without a digest has no key.
static GET_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
                   NULL AS reason
            FROM aggregators a
            WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text AND a.api_key_hash IS NOT NULL",
        sqlite: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
                   NULL AS reason
            FROM aggregators a
            WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL",
    },
    Column::NAMES,
);

/// `$1` the DID, `$2` the last key of the page before, which is the only one, `$3` how many, `$4` how the key starts or
/// NULL.
static LIST: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
                   coalesce(r.revoked_at AT TIME ZONE 'UTC', a.api_key_revoked_at) AS api_key_revoked_at,
                   r.reason
            FROM aggregators a
            LEFT JOIN keyward.revocations r
              ON r.schema = 'aggregator' AND r.key_id = a.did::text AND r.key_hash = a.api_key_hash::text
            WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text
              AND a.api_key_hash IS NOT NULL AND $2::text IS NULL
              AND ($4::text IS NULL
                   OR pg_catalog.starts_with(a.did::text COLLATE pg_catalog.\"C\", $4::text)
                   OR pg_catalog.starts_with(a.api_key_prefix::text, $4::text))
            LIMIT $3",
        sqlite: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at,
                   coalesce(r.revoked_at, a.api_key_revoked_at) AS api_key_revoked_at,
                   r.reason
            FROM aggregators a
            LEFT JOIN keyward_revocations r
              ON r.schema = 'aggregator' AND r.key_id = a.did AND r.key_hash = a.api_key_hash
            WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL AND ?2 IS NULL
              AND (?4 IS NULL OR substr(a.did, 1, length(?4)) = ?4 OR substr(a.api_key_prefix, 1, length(?4)) = ?4)
            LIMIT ?3",
    },
    Column::NAMES,
);

/// `$1` the DID, `$2` the last key of the page before, which is the only one, `$3` how many, `$4` how the key starts or
/// NULL.
static LIST_BARE: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
                   NULL AS reason
            FROM aggregators a
            WHERE a.did::text = $1::text AND a.did::text COLLATE pg_catalog.\"C\" = $1::text
              AND a.api_key_hash IS NOT NULL AND $2::text IS NULL
              AND ($4::text IS NULL
                   OR pg_catalog.starts_with(a.did::text COLLATE pg_catalog.\"C\", $4::text)
                   OR pg_catalog.starts_with(a.api_key_prefix::text, $4::text))
            LIMIT $3",
        sqlite: "
            SELECT a.did, a.api_key_prefix, a.api_key_hash, a.api_key_created_at, a.api_key_last_used_at, a.api_key_revoked_at,
                   NULL AS reason
            FROM aggregators a
            WHERE a.did = ?1 COLLATE BINARY AND a.api_key_hash IS NOT NULL AND ?2 IS NULL
              AND (?4 IS NULL OR substr(a.did, 1, length(?4)) = ?4 OR substr(a.api_key_prefix, 1, length(?4)) = ?4)
            LIMIT ?3",
    },
    Column::NAMES,
);
