//! Writing the last use of keys of the schema `standard`, in both dialects.

use crate::sql::engine::{Query, Sql};

/// See [`KeyTables::touch`](crate::sql::keys::KeyTables::touch).
///
/// PostgreSQL locks rows in one order before it writes them, and leaves out those that somebody else holds: what is due
/// and was not locked is busy. A later use locks its own row. A first use locks the row of its key as weakly as its
/// foreign key does anyway, which would otherwise wait.
pub(super) static TOUCH: Query = Query::new(
    Sql {
        postgres: "
            WITH used AS (
                SELECT e.value ->> 0 AS id, pg_catalog.decode(e.value ->> 1, 'hex') AS digest,
                       pg_catalog.max((e.value ->> 2)::timestamp) AS at, pg_catalog.max(e.place) AS place
                FROM pg_catalog.jsonb_array_elements($1::text::jsonb) WITH ORDINALITY e (value, place)
                GROUP BY 1, 2
            ), due AS (
                SELECT k.id, used.at, used.place, u.key_id IS NULL AS is_first
                FROM used JOIN keyward.keys k ON k.id = used.id AND k.digest = used.digest
                LEFT JOIN keyward.key_uses u ON u.key_id = k.id
                WHERE u.key_id IS NULL OR u.used_at < used.at OR u.used_at > used.at + '24 hours'::interval
            ), locked AS (
                SELECT u.key_id, due.at, due.place FROM due JOIN keyward.key_uses u ON u.key_id = due.id
                WHERE u.used_at < due.at OR u.used_at > due.at + '24 hours'::interval
                ORDER BY u.key_id FOR NO KEY UPDATE OF u SKIP LOCKED
            ), locked_first AS (
                SELECT k.id AS key_id, due.at, due.place FROM due JOIN keyward.keys k ON k.id = due.id
                WHERE due.is_first
                ORDER BY k.id FOR KEY SHARE OF k SKIP LOCKED
            ), free AS (
                SELECT key_id, at, place FROM locked UNION ALL SELECT key_id, at, place FROM locked_first
            ), written AS (
                INSERT INTO keyward.key_uses AS u (key_id, used_at)
                SELECT free.key_id, free.at FROM free ORDER BY free.key_id
                ON CONFLICT (key_id) DO UPDATE SET used_at = excluded.used_at
                    WHERE u.used_at < excluded.used_at OR u.used_at > excluded.used_at + '24 hours'::interval
                RETURNING 1
            )
            SELECT NULL::bigint AS busy FROM written
            UNION ALL
            SELECT due.place FROM due WHERE due.place NOT IN (SELECT free.place FROM free)",
        sqlite: "
            INSERT INTO keyward_key_uses AS u (key_id, used_at)
            SELECT k.id, max(e.value ->> 2)
            FROM json_each(?1) e JOIN keyward_keys k ON k.id = e.value ->> 0 AND lower(hex(k.digest)) = e.value ->> 1
            WHERE true
            GROUP BY k.id
            ORDER BY k.id
            ON CONFLICT (key_id) DO UPDATE SET used_at = excluded.used_at
                WHERE u.used_at < excluded.used_at
                   OR u.used_at > datetime(substr(excluded.used_at, 1, 19), '+1 day') || substr(excluded.used_at, 20)
            RETURNING NULL AS busy",
    },
    &["busy"],
);
