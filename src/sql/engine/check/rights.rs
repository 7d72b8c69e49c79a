//! The rights that a role has, and those that keyward needs of it.

use std::fmt;

use crate::sql::engine::check::{Difference, Table, TableName, text};
use crate::sql::engine::{Engine, EngineError, Query, Row, Sql, Value, ledger};

/// What a right to write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Writing when a key was used last.
    LastUse,
    /// Issuing and rotating keys.
    Issue,
    /// Revoking, changing and removing keys.
    Operate,
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LastUse => "last use cannot be written",
            Self::Issue => "no key can be issued or rotated",
            Self::Operate => "no key can be revoked, changed or removed",
        })
    }
}

/// A right to write to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) duty: Duty,
    pub(crate) right: Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Insert,
    /// These columns alone.
    Update(&'static [&'static str]),
    Delete,
}

impl Write {
    pub(crate) const fn insert(duty: Duty) -> Self {
        Self { duty, right: Right::Insert }
    }

    pub(crate) const fn update(duty: Duty, columns: &'static [&'static str]) -> Self {
        Self { duty, right: Right::Update(columns) }
    }

    pub(crate) const fn delete(duty: Duty) -> Self {
        Self { duty, right: Right::Delete }
    }
}

impl Right {
    const fn name(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update(_) => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A right that the role does not have: `SELECT` on `keyward.revocations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// A table, or a schema.
    pub(crate) object: String,
    pub(crate) right: &'static str,
    /// The columns, separated by commas; empty for all of it.
    pub(crate) columns: String,
}

/// `$1` the table's schema, or NULL for one that is found on the search path, `$2` its name, `$3` the right, `$4` the
/// columns as JSON, or NULL for the table as a whole. Returns what the role lacks: the right to the schema, to the table,
/// or the columns. What is not there is not lacked.
static LACKING: Query = Query::new(
    Sql {
        postgres: "
            WITH found AS (
                SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relname = $2::text::name
                  AND (n.nspname = $1::text::name OR $1::text IS NULL AND pg_catalog.pg_table_is_visible(c.oid))
            )
            SELECT 'schema'::text AS kind, n.nspname::text AS name FROM pg_catalog.pg_namespace n
            WHERE n.nspname = $1::text::name AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE'::text)
            UNION ALL
            SELECT 'table'::text, ''::text FROM found
            WHERE $4::text IS NULL AND NOT pg_catalog.has_table_privilege(found.oid, $3::text)
            UNION ALL
            SELECT 'column'::text, a.attname::text
            FROM found JOIN pg_catalog.pg_attribute a ON a.attrelid = found.oid
            WHERE a.attnum > 0 AND NOT a.attisdropped
              AND a.attname::text IN (SELECT pg_catalog.jsonb_array_elements_text($4::text::jsonb))
              AND NOT CASE WHEN $3::text IN ('SELECT'::text, 'UPDATE'::text)
                           THEN pg_catalog.has_column_privilege(found.oid, a.attnum, $3::text) END",
        // Whoever can open the file has every right to it.
        sqlite: "SELECT NULL AS kind, NULL AS name WHERE ?1 IS NULL AND ?2 IS NULL AND ?3 IS NULL AND ?4 IS NULL",
    },
    &["kind", "name"],
);

impl Engine {
    /// The first right that is lacking to read what keyward reads of `tables`, and of its record of migrations.
    pub(crate) async fn unreadable(&self, tables: &[&Table]) -> Result<Option<Lacking>, EngineError> {
        for table in tables.iter().copied().chain([&ledger::SHAPE]) {
            if let Some(lacking) = self.lacking(table, "SELECT", Some(&column_names(table))).await? {
                return Ok(Some(lacking));
            }
        }
        Ok(None)
    }

    async fn lacking(
        &self,
        table: &Table,
        right: &'static str,
        columns: Option<&[&str]>,
    ) -> Result<Option<Lacking>, EngineError> {
        let (schema, name) = table.name.place(self);
        let columns: Value<'static> = columns.map(|columns| serde_json::json!(columns).to_string()).into();
        let arguments = [schema.into(), name.into(), right.into(), columns];
        let found = self.read(&LACKING, &arguments, |row: &Row<'_>| (text(row, 0), text(row, 1))).await?;
        if let Some((_, schema)) = found.iter().find(|(kind, _)| kind == "schema") {
            return Ok(Some(Lacking { object: schema.clone(), right: "USAGE", columns: String::new() }));
        }
        let columns: Vec<_> = found.iter().map(|(_, name)| name.as_str()).collect();
        let lacking = || Lacking { object: table.name.on(self), right, columns: columns.join(",") };
        Ok((!found.is_empty()).then(lacking))
    }
}

/// The rights that are lacking for a table. Without the right to read there is nothing that keyward can do; without one
/// to write, there is something that it cannot, which may well be meant.
pub(super) async fn differences(engine: &Engine, table: &Table) -> Result<Vec<Difference>, EngineError> {
    let mut differences = Vec::new();
    if let Some(lacking) = engine.lacking(table, "SELECT", Some(&column_names(table))).await? {
        let is_own_and_optional = table.optional && matches!(table.name, TableName::Own(_));
        let found = if is_own_and_optional { "no such right: keys cannot be read in full" } else { "no such right" };
        differences.push(lacking.difference(found, true));
        return Ok(differences);
    }
    for Write { duty, right } in table.writes {
        let columns = match right {
            Right::Update(columns) => Some(*columns),
            Right::Insert | Right::Delete => None,
        };
        if let Some(lacking) = engine.lacking(table, right.name(), columns).await? {
            differences.push(lacking.difference(&format!("no such right: {duty}"), false));
        }
    }
    Ok(differences)
}

impl Lacking {
    fn difference(self, found: &str, breaking: bool) -> Difference {
        let Self { object, right, columns } = self;
        let expected =
            if columns.is_empty() { format!("{right} granted") } else { format!("{right} ({columns}) granted") };
        Difference { object, expected, found: found.to_owned(), breaking }
    }
}

fn column_names(table: &Table) -> Vec<&'static str> {
    table.columns.iter().map(|column| column.name).collect()
}
