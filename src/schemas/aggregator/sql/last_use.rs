//! Writing the last use of keys of the schema `aggregator`, in both dialects.

use crate::sql::engine::{Query, Sql};

/// See [`KeyTables::touch`](crate::sql::keys::KeyTables::touch): a late use of a key that was replaced writes nothing.
/// PostgreSQL locks the rows in one order before it writes them, and leaves out those that somebody else holds: what is
/// due and was not locked is busy.
pub(super) static TOUCH: Query = Query::new(
    Sql {
        postgres: "
            WITH used AS (
                SELECT e.value ->> 0 AS did, e.value ->> 1 AS api_key_hash,
                       pg_catalog.max((e.value ->> 2)::timestamp) AT TIME ZONE 'UTC' AS at,
                       pg_catalog.max(e.place) AS place
                FROM pg_catalog.jsonb_array_elements($1::text::jsonb) WITH ORDINALITY e (value, place)
                GROUP BY 1, 2
            ), due AS (
                SELECT a.did::text AS did, used.at, used.place
                FROM used JOIN aggregators a
                  ON a.did::text = used.did AND a.api_key_hash::text = used.api_key_hash
                WHERE a.did::text COLLATE pg_catalog.\"C\" = used.did
                  AND (a.api_key_last_used_at IS NULL OR a.api_key_last_used_at < used.at
                       OR a.api_key_last_used_at > used.at + '24 hours'::interval)
            ), locked AS (
                SELECT a.did::text AS did, due.at, due.place FROM due JOIN aggregators a ON a.did::text = due.did
                WHERE a.did::text COLLATE pg_catalog.\"C\" = due.did
                  AND (a.api_key_last_used_at IS NULL OR a.api_key_last_used_at < due.at
                       OR a.api_key_last_used_at > due.at + '24 hours'::interval)
                ORDER BY a.did FOR NO KEY UPDATE OF a SKIP LOCKED
            ), written AS (
                UPDATE aggregators a SET api_key_last_used_at = locked.at
                FROM locked WHERE a.did::text = locked.did AND a.did::text COLLATE pg_catalog.\"C\" = locked.did
                RETURNING 1
            )
            SELECT NULL::bigint AS busy FROM written
            UNION ALL
            SELECT due.place FROM due WHERE due.place NOT IN (SELECT locked.place FROM locked)",
        sqlite: "
            UPDATE aggregators SET api_key_last_used_at = used.at
            FROM (SELECT value ->> 0 AS did, value ->> 1 AS api_key_hash, max(value ->> 2) AS at
                  FROM json_each(?1) GROUP BY 1, 2) AS used
            WHERE aggregators.did = used.did COLLATE BINARY
              AND aggregators.api_key_hash = used.api_key_hash COLLATE BINARY
              AND (coalesce(strftime('%Y-%m-%d %H:%M:%f', api_key_last_used_at), '')
                       < strftime('%Y-%m-%d %H:%M:%f', used.at)
                   OR strftime('%Y-%m-%d %H:%M:%f', api_key_last_used_at)
                       > strftime('%Y-%m-%d %H:%M:%f', used.at, '+1 day'))
            RETURNING NULL AS busy",
    },
    &["busy"],
);
