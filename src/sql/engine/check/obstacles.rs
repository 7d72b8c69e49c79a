//! What the database does by itself to the rows of a table: policies that hide them, and triggers and rules that can
//! keep a change from happening.

use crate::sql::engine::check::{Difference, Table, TableName, text};
use crate::sql::engine::{Engine, EngineError, Query, Row, Sql};

/// `$1` the table's schema, or NULL for one that is found on the search path, `$2` its name, `$3` 1 for a table of our
/// own.
static OBSTACLES: Query = Query::new(
    Sql {
        postgres: "
            WITH found AS (
                SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relname = $2::text::name
                  AND (n.nspname = $1::text::name OR $1::text IS NULL AND pg_catalog.pg_table_is_visible(c.oid))
            )
            SELECT 'row-level security'::text AS kind,
                   coalesce((SELECT pg_catalog.string_agg(p.polname::text, ', '::text ORDER BY p.polname::text)
                             FROM pg_catalog.pg_policy p WHERE p.polrelid = found.oid), 'no policy'::text) AS name
            FROM found WHERE pg_catalog.row_security_active(found.oid)
            UNION ALL
            SELECT 'rule'::text, r.rulename::text
            FROM found JOIN pg_catalog.pg_rewrite r ON r.ev_class = found.oid WHERE r.rulename <> '_RETURN'::name
            UNION ALL
            -- The bits 2 and 64: it runs before a change, or in place of it.
            SELECT 'trigger'::text, t.tgname::text
            FROM found JOIN pg_catalog.pg_trigger t ON t.tgrelid = found.oid
            WHERE NOT t.tgisinternal AND t.tgenabled::text <> 'D'::text
              AND ((t.tgtype::int4 & 66) <> 0
                   -- Ours note what was changed. Whoever may not use the schema may look for them all the same.
                   OR $3::bigint = 1::bigint
                      AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc p
                                      JOIN pg_catalog.pg_class c ON c.relnamespace = p.pronamespace
                                      WHERE p.oid = t.tgfoid AND p.proname = 'note_change'::name AND c.oid = found.oid))
            ORDER BY 1, 2",
        sqlite: "
            SELECT 'trigger' AS kind, name AS name FROM sqlite_schema
            WHERE ?1 IS NULL AND type = 'trigger' AND tbl_name = ?2 COLLATE NOCASE
              AND (?3 = 1 OR sql LIKE '%RAISE%(%IGNORE%)%')
            ORDER BY name",
    },
    &["kind", "name"],
);

/// On a table of the host's, a trigger or a rule is its own affair, and worth knowing. Our own tables have none but
/// those that note changes.
pub(super) async fn differences(engine: &Engine, table: &Table) -> Result<Vec<Difference>, EngineError> {
    let is_own = matches!(table.name, TableName::Own(_));
    let (schema, name) = table.name.place(engine);
    let arguments = [schema.into(), name.into(), i64::from(is_own).into()];
    let found = engine.read(&OBSTACLES, &arguments, |row: &Row<'_>| (text(row, 0), text(row, 1))).await?;
    let object = table.name.on(engine);
    let difference = |(kind, name): (String, String)| {
        let hides_rows = kind == "row-level security";
        let expected = if hides_rows { "all rows for this role".to_owned() } else { format!("no {kind}") };
        let effect = if hides_rows { "which can hide keys" } else { "which can keep a row as it was" };
        let found = format!("{kind} ({name}), {effect}");
        Difference { object: object.clone(), expected, found, breaking: hides_rows || is_own }
    };
    Ok(found.into_iter().map(difference).collect())
}
