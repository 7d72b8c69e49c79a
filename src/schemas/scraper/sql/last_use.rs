//! Writing the last use of keys of the schema `scraper`, in both dialects.

use crate::sql::engine::{Query, Sql};

/// See [`KeyTables::touch`](crate::sql::keys::KeyTables::touch). PostgreSQL locks the rows in one order before it writes
/// them, and leaves out those that somebody else holds: what is due and was not locked is busy.
pub(super) static TOUCH: Query = Query::new(
    Sql {
        postgres: "
            WITH used AS (
                SELECT CASE WHEN e.value ->> 0 ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                            THEN (e.value ->> 0)::uuid END AS id,
                       e.value ->> 1 AS key_hash, pg_catalog.max((e.value ->> 2)::timestamp) AS at,
                       pg_catalog.max(e.place) AS place
                FROM pg_catalog.jsonb_array_elements($1::text::jsonb) WITH ORDINALITY e (value, place)
                GROUP BY 1, 2
            ), due AS (
                SELECT k.id, used.at, used.place
                FROM used JOIN api_keys k ON k.id = used.id AND k.key_hash::text = used.key_hash
                WHERE k.last_used_at IS NULL OR k.last_used_at < used.at
                   OR k.last_used_at > used.at + '24 hours'::interval
            ), locked AS (
                SELECT k.id, due.at, due.place FROM due JOIN api_keys k ON k.id = due.id
                WHERE k.last_used_at IS NULL OR k.last_used_at < due.at
                   OR k.last_used_at > due.at + '24 hours'::interval
                ORDER BY k.id FOR NO KEY UPDATE OF k SKIP LOCKED
            ), written AS (
                UPDATE api_keys k SET last_used_at = locked.at FROM locked WHERE k.id = locked.id RETURNING 1
            )
            SELECT NULL::bigint AS busy FROM written
            UNION ALL
            SELECT due.place FROM due WHERE due.place NOT IN (SELECT locked.place FROM locked)",
        sqlite: "
            UPDATE api_keys SET last_used_at = used.at
            FROM (SELECT value ->> 0 AS id, value ->> 1 AS key_hash, max(value ->> 2) AS at
                  FROM json_each(?1) GROUP BY 1, 2) AS used
            WHERE api_keys.id = used.id COLLATE BINARY AND api_keys.key_hash = used.key_hash COLLATE BINARY
              AND (coalesce(strftime('%Y-%m-%d %H:%M:%f', last_used_at), '') < strftime('%Y-%m-%d %H:%M:%f', used.at)
                   OR strftime('%Y-%m-%d %H:%M:%f', last_used_at) > strftime('%Y-%m-%d %H:%M:%f', used.at, '+1 day'))
            RETURNING NULL AS busy",
    },
    &["busy"],
);
