//! Writing the last use of keys of the schema `mesh`, in both dialects.

use crate::sql::engine::{Query, Sql};

/// See [`KeyTables::touch`](crate::sql::keys::KeyTables::touch). PostgreSQL locks the rows in one order before it writes
/// them, and leaves out those that somebody else holds: what is due and was not locked is busy.
pub(super) static TOUCH: Query = Query::new(
    Sql {
        postgres: "
            WITH used AS (
                SELECT e.value ->> 0 AS id, e.value ->> 1 AS secret_hash,
                       pg_catalog.max((e.value ->> 2)::timestamp) AS at, pg_catalog.max(e.place) AS place
                FROM pg_catalog.jsonb_array_elements($1::text::jsonb) WITH ORDINALITY e (value, place)
                GROUP BY 1, 2
            ), due AS (
                SELECT k.id::text AS id, used.at, used.place
                FROM used JOIN mesh.api_key k ON k.id::text = used.id AND k.secret_hash::text = used.secret_hash
                WHERE k.id::text COLLATE pg_catalog.\"C\" = used.id
                  AND (k.last_used_at IS NULL OR k.last_used_at < used.at
                       OR k.last_used_at > used.at + '24 hours'::interval)
            ), locked AS (
                SELECT k.id::text AS id, due.at, due.place FROM due JOIN mesh.api_key k ON k.id::text = due.id
                WHERE k.id::text COLLATE pg_catalog.\"C\" = due.id
                  AND (k.last_used_at IS NULL OR k.last_used_at < due.at
                       OR k.last_used_at > due.at + '24 hours'::interval)
                ORDER BY k.id FOR NO KEY UPDATE OF k SKIP LOCKED
            ), written AS (
                UPDATE mesh.api_key k SET last_used_at = locked.at FROM locked
                WHERE k.id::text = locked.id AND k.id::text COLLATE pg_catalog.\"C\" = locked.id
                RETURNING 1
            )
            SELECT NULL::bigint AS busy FROM written
            UNION ALL
            SELECT due.place FROM due WHERE due.place NOT IN (SELECT locked.place FROM locked)",
        sqlite: "
            UPDATE api_key SET last_used_at = used.at
            FROM (SELECT value ->> 0 AS id, value ->> 1 AS secret_hash, max(value ->> 2) AS at
                  FROM json_each(?1) GROUP BY 1, 2) AS used
            WHERE api_key.id = used.id COLLATE BINARY AND api_key.secret_hash = used.secret_hash COLLATE BINARY
              AND (coalesce(strftime('%Y-%m-%d %H:%M:%f', last_used_at), '') < strftime('%Y-%m-%d %H:%M:%f', used.at)
                   OR strftime('%Y-%m-%d %H:%M:%f', last_used_at) > strftime('%Y-%m-%d %H:%M:%f', used.at, '+1 day'))
            RETURNING NULL AS busy",
    },
    &["busy"],
);
