//! What a table looks like, read from the engine's own catalogue.

use crate::sql::check::ForeignKey;
use crate::sql::{Cell, Driver, Sql, Statement};
use crate::store::StoreError;

#[derive(Default)]
pub(super) struct Found {
    pub(super) columns: Vec<FoundColumn>,
    /// The columns of each, separated by commas.
    pub(super) primary_key: String,
    pub(super) unique: Vec<String>,
    /// Unique among some of the rows.
    pub(super) partly_unique: Vec<String>,
    pub(super) indexes: Vec<String>,
    pub(super) foreign_keys: Vec<ForeignKey<String>>,
}

pub(super) struct FoundColumn {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) nullable: bool,
    pub(super) default: String,
}

const COLUMNS: Sql = Sql {
    postgres: "
        SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), (NOT a.attnotnull)::int,
               coalesce(pg_get_expr(d.adbin, d.adrelid), CASE WHEN a.attidentity <> '' THEN 'identity' END, '')
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum",
    sqlite: r#"
        SELECT name, type, NOT ("notnull" OR pk), coalesce(dflt_value, '') FROM pragma_table_info(?1) ORDER BY cid"#,
};

const INDEXES: Sql = Sql {
    postgres: "
        SELECT CASE WHEN i.indisprimary THEN 'primary' WHEN NOT i.indisunique THEN 'plain'
                    WHEN i.indpred IS NULL THEN 'unique' ELSE 'partly unique' END,
               (SELECT string_agg(coalesce(a.attname::text, '(expression)'), ',' ORDER BY k.position)
                FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
                LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                WHERE k.position <= i.indnkeyatts)
        FROM pg_index i WHERE i.indrelid = to_regclass($1) AND i.indisvalid
        ORDER BY 2, 1",
    sqlite: r#"
        SELECT CASE WHEN l.origin = 'pk' THEN 'primary' WHEN NOT l."unique" THEN 'plain'
                    WHEN NOT l.partial THEN 'unique' ELSE 'partly unique' END,
               (SELECT group_concat(name, ',')
                FROM (SELECT coalesce(name, '(expression)') AS name FROM pragma_index_info(l.name) ORDER BY seqno))
        FROM pragma_index_list(?1) l
        ORDER BY 2, 1"#,
};

const FOREIGN_KEYS: Sql = Sql {
    postgres: "
        SELECT (SELECT string_agg(a.attname::text, ',') FROM pg_attribute a
                WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)),
               (SELECT relname::text FROM pg_class WHERE oid = c.confrelid),
               CASE c.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END,
               CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END
        FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = to_regclass($1)
        ORDER BY 1, 2",
    sqlite: r#"
        SELECT "from", "table", on_update, on_delete FROM pragma_foreign_key_list(?1) ORDER BY 1, 2"#,
};

pub(super) async fn inspect<D: Driver>(driver: &D, table: &str) -> Result<Option<Found>, StoreError> {
    let ask = |sql| driver.rows(Statement::new(sql, [table.into()]));
    let columns: Vec<_> = ask(COLUMNS)
        .await?
        .into_iter()
        .map(|row| {
            let [name, kind, nullable, default] = texts(row);
            FoundColumn { name, kind, nullable: nullable == "1", default }
        })
        .collect();
    if columns.is_empty() {
        return Ok(None);
    }
    let mut found = Found { columns, ..Found::default() };
    for row in ask(INDEXES).await? {
        let [kind, columns] = texts(row);
        match kind.as_str() {
            "primary" => found.primary_key = columns,
            "unique" => found.unique.push(columns),
            "partly unique" => found.partly_unique.push(columns),
            _ => found.indexes.push(columns),
        }
    }
    for row in ask(FOREIGN_KEYS).await? {
        let [column, table, on_update, on_delete] = texts(row);
        found.foreign_keys.push(ForeignKey { column, table, on_update, on_delete });
    }
    Ok(Some(found))
}

/// The cells as texts; the catalogues hold nothing else but small numbers.
fn texts<const N: usize>(row: Vec<Cell>) -> [String; N] {
    let mut cells = row.into_iter().map(|cell| match cell {
        Cell::Text(text) => text,
        Cell::Integer(number) => number.to_string(),
        Cell::Null | Cell::Timestamp(_) | Cell::Unreadable => String::new(),
    });
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}
