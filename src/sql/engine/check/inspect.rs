//! What a table looks like, read from the engine's own catalogue.

use std::fmt;

use crate::sql::engine::{Cell, Engine, EngineError, Query, Row, Sql};

#[derive(Default)]
pub(super) struct Found {
    pub(super) columns: Vec<FoundColumn>,
    /// The columns of each, separated by commas.
    pub(super) primary_key: String,
    pub(super) unique: Vec<String>,
    /// Unique among some of the rows.
    pub(super) partly_unique: Vec<String>,
    pub(super) indexes: Vec<String>,
    pub(super) foreign_keys: Vec<FoundForeignKey>,
}

pub(super) struct FoundColumn {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) nullable: bool,
    pub(super) default: String,
}

#[derive(PartialEq, Eq)]
pub(super) struct FoundForeignKey {
    pub(super) column: String,
    /// The other table, without its schema.
    pub(super) table: String,
    pub(super) on_update: String,
    pub(super) on_delete: String,
}

impl fmt::Display for FoundForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, table, on_update, on_delete } = self;
        write!(f, "foreign key ({column}) to {table} on update {on_update} on delete {on_delete}")
    }
}

static COLUMNS: Query = Query::new(
    Sql {
        postgres: "
            SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS kind,
                   (NOT a.attnotnull)::int4 AS nullable,
                   coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                            CASE WHEN a.attidentity::text <> ''::text THEN 'identity' END, '') AS otherwise
            FROM pg_catalog.pg_attribute a
            LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = pg_catalog.to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum",
        sqlite: r#"
            -- A primary key takes NULL unless it is the number of the row, or takes its place.
            SELECT name AS name, type AS kind,
                   NOT ("notnull" OR pk AND (type = 'INTEGER' COLLATE NOCASE
                        OR (SELECT max(l.wr) FROM pragma_table_list l WHERE l.schema = 'main' AND l.name = ?1)))
                       AS nullable,
                   coalesce(dflt_value, '') AS otherwise
            FROM pragma_table_info(?1) ORDER BY cid"#,
    },
    &["name", "kind", "nullable", "otherwise"],
);

static INDEXES: Query = Query::new(
    Sql {
        postgres: "
            SELECT CASE WHEN i.indisprimary THEN 'primary' WHEN NOT i.indisunique THEN 'plain'
                        WHEN i.indpred IS NULL THEN 'unique' ELSE 'partly unique' END AS kind,
                   (SELECT pg_catalog.string_agg(coalesce(a.attname::text, '(expression)'), ',' ORDER BY k.position)
                    FROM pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
                    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                    WHERE k.position <= i.indnkeyatts) AS columns
            FROM pg_catalog.pg_index i WHERE i.indrelid = pg_catalog.to_regclass($1::text) AND i.indisvalid
            ORDER BY 2, 1",
        sqlite: r#"
            SELECT CASE WHEN l.origin = 'pk' THEN 'primary' WHEN NOT l."unique" THEN 'plain'
                        WHEN NOT l.partial THEN 'unique' ELSE 'partly unique' END AS kind,
                   (SELECT group_concat(name, ',')
                    FROM (SELECT coalesce(name, '(expression)') AS name
                          FROM pragma_index_info(l.name) ORDER BY seqno)) AS columns
            FROM pragma_index_list(?1) l
            UNION ALL
            -- An INTEGER PRIMARY KEY has no index of its own.
            SELECT 'primary', name FROM pragma_table_info(?1)
            WHERE pk AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')
            ORDER BY 2, 1"#,
    },
    &["kind", "columns"],
);

static FOREIGN_KEYS: Query = Query::new(
    Sql {
        postgres: "
            SELECT (SELECT pg_catalog.string_agg(a.attname::text, ',' ORDER BY k.position)
                    FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k (attnum, position)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns,
                   (SELECT relname::text FROM pg_catalog.pg_class WHERE oid = c.confrelid) AS referred,
                   CASE c.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END
                       AS on_update,
                   CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END
                       AS on_delete
            FROM pg_catalog.pg_constraint c
            WHERE c.contype = 'f' AND c.conrelid = pg_catalog.to_regclass($1::text)
            ORDER BY 1, 2",
        sqlite: r#"
            SELECT "from" AS columns, "table" AS referred, on_update AS on_update, on_delete AS on_delete
            FROM pragma_foreign_key_list(?1) ORDER BY 1, 2"#,
    },
    &["columns", "referred", "on_update", "on_delete"],
);

/// `None` when there is no such table.
pub(super) async fn inspect(engine: &Engine, table: &str) -> Result<Option<Found>, EngineError> {
    let arguments = [table.into()];
    let column = |row: &Row<'_>| FoundColumn {
        name: text(row, 0),
        kind: text(row, 1),
        nullable: row.cell(2) == Cell::Integer(1),
        default: text(row, 3),
    };
    let columns = engine.read(&COLUMNS, &arguments, column).await?;
    if columns.is_empty() {
        return Ok(None);
    }
    let mut found = Found { columns, ..Found::default() };
    for (kind, columns) in engine.read(&INDEXES, &arguments, |row| (text(row, 0), text(row, 1))).await? {
        match kind.as_str() {
            "primary" => found.primary_key = columns,
            "unique" => found.unique.push(columns),
            "partly unique" => found.partly_unique.push(columns),
            _ => found.indexes.push(columns),
        }
    }
    let foreign_key = |row: &Row<'_>| FoundForeignKey {
        column: text(row, 0),
        table: text(row, 1),
        on_update: text(row, 2),
        on_delete: text(row, 3),
    };
    found.foreign_keys = engine.read(&FOREIGN_KEYS, &arguments, foreign_key).await?;
    Ok(Some(found))
}

pub(super) fn text(row: &Row<'_>, column: usize) -> String {
    row.cell(column).as_text().unwrap_or_default().to_owned()
}
