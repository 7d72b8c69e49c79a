//! Comparing the tables that are there with those that keyward expects.

mod inspect;
mod obstacles;
mod rights;
mod table;
mod trust;

use std::fmt;

use crate::sql::engine::{Engine, EngineError, Sql, ledger};
use crate::visible::Visible;
use inspect::{Found, FoundColumn, FoundForeignKey, inspect, text};
#[cfg(feature = "postgres")]
pub(crate) use rights::Right;
pub(crate) use rights::{Duty, Lacking, Write};
pub(in crate::sql::engine) use table::own_names;
pub(crate) use table::{Column, ForeignKey, Index, Table, TableName};
pub(crate) use trust::Untrusted;

/// One difference between a table that was found and the table that keyward expects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The table, or the table and the column: `api_keys.scopes`.
    pub object: String,
    /// What keyward expects.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// Whether keyward will not work, or not keep its promises, on this table. The others are worth knowing.
    pub breaking: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, expected, found, .. } = self;
        write!(f, "{}: expected {}, found {}", Visible(object), Visible(expected), Visible(found))
    }
}

impl Engine {
    /// Compares the tables that are there with `tables`, and names every difference: in their form, in what the role may
    /// do with them, in what the database does to their rows, and in whose they are. It only reads.
    pub(crate) async fn differences(&self, tables: &[&Table]) -> Result<Vec<Difference>, EngineError> {
        let mut differences = Vec::new();
        for table in tables {
            let rights = rights::differences(self, table).await?;
            // Of what cannot be read the catalogue does not tell either.
            if !rights.iter().any(|difference| difference.expected.starts_with("USAGE")) {
                differences.extend(compare(self, table).await?.into_iter().map(|finding| finding.difference));
            }
            for difference in rights.into_iter().chain(obstacles::differences(self, table).await?) {
                // A schema that may not be used is named once.
                if !differences.contains(&difference) {
                    differences.push(difference);
                }
            }
        }
        differences.extend(rights::differences(self, &ledger::SHAPE).await?.into_iter().filter(|found| found.breaking));
        differences.extend(trust::differences(self, tables).await?);
        Ok(differences)
    }
}

/// A difference, and what is to be done about it where something is missing.
pub(super) struct Finding {
    pub(super) difference: Difference,
    pub(super) gap: Gap,
}

pub(super) enum Gap {
    /// Nothing that keyward needs is missing.
    None,
    /// `sql` adds what is missing; it may run once where that is a column.
    Addable { sql: Sql, column: Option<&'static str> },
    /// Something is missing, and keyward has no text to add it.
    Open,
}

impl Gap {
    const fn filled_by(add: Option<Sql>) -> Self {
        match add {
            Some(sql) => Self::Addable { sql, column: None },
            None => Self::Open,
        }
    }
}

pub(super) async fn compare(engine: &Engine, table: &Table) -> Result<Vec<Finding>, EngineError> {
    let name = table.name.on(engine);
    let mut findings = Findings { engine, name: &name, found: Vec::new() };
    match inspect(engine, &name).await? {
        None => {
            let is_needed = table.create.is_some() || !table.optional;
            let gap = if is_needed { Gap::filled_by(table.create) } else { Gap::None };
            findings.push_gap(&name, "a table", "none", !table.optional, gap);
        }
        Some(found) => findings.compare(table, &found),
    }
    Ok(findings.found)
}

struct Findings<'e> {
    engine: &'e Engine,
    name: &'e str,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn push(
        &mut self,
        object: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        breaking: bool,
    ) {
        self.push_gap(object, expected, found, breaking, Gap::None);
    }

    fn push_gap(
        &mut self,
        object: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        breaking: bool,
        gap: Gap,
    ) {
        let (object, expected, found) = (object.into(), expected.into(), found.into());
        self.found.push(Finding { difference: Difference { object, expected, found, breaking }, gap });
    }

    /// In the order in which what is missing is added: columns, then what stands on them.
    fn compare(&mut self, expected: &Table, found: &Found) {
        for column in expected.columns {
            let object = format!("{}.{}", self.name, column.name);
            match found.columns.iter().find(|found| found.name == column.name) {
                None => {
                    let add = |sql| Gap::Addable { sql, column: Some(column.name) };
                    self.push_gap(object, "a column", "none", true, column.add.map_or(Gap::Open, add));
                }
                Some(found) => self.compare_column(&object, column, found),
            }
        }
        self.compare_keys(expected, found);
        if !expected.shared {
            self.compare_extras(expected, found);
        }
    }

    fn compare_column(&mut self, object: &str, expected: &Column, found: &FoundColumn) {
        let kind = self.engine.dialect(expected.kind);
        if !kind.eq_ignore_ascii_case(&found.kind) {
            // On SQLite each value has its own type, whatever the column is declared as.
            let is_compatible = match self.engine {
                #[cfg(feature = "sqlite")]
                Engine::Sqlite(_) => true,
                #[cfg(feature = "postgres")]
                Engine::Postgres(_) => is_compatible(kind, &found.kind),
            };
            self.push(object, kind, &found.kind, !is_compatible);
        }
        let nullability = |nullable: bool| if nullable { "NULL allowed" } else { "NOT NULL" };
        if expected.nullable != found.nullable {
            let breaking = expected.nullable || expected.vital;
            self.push(object, nullability(expected.nullable), nullability(found.nullable), breaking);
        }
        let default = |text: &str| if text.is_empty() { "no default".to_owned() } else { format!("default {text}") };
        let expected_default = self.engine.dialect(expected.default);
        if folded(expected_default) != folded(&found.default) {
            self.push(object, default(expected_default), default(&found.default), false);
        }
    }

    /// What keyward relies on: that an identity, or a digest, stands there once, and that the lookups are quick.
    fn compare_keys(&mut self, expected: &Table, found: &Found) {
        if found.primary_key != expected.primary_key {
            let found = if found.primary_key.is_empty() { "none" } else { &found.primary_key };
            let expected = format!("primary key ({})", expected.primary_key);
            self.push_gap(self.name, expected, found, true, Gap::Open);
        }
        for Index { columns, add } in expected.unique {
            if !found.unique.iter().chain([&found.primary_key]).any(|found| found == columns) {
                self.push_gap(self.name, format!("unique ({columns})"), "none", true, Gap::filled_by(*add));
            }
        }
        for Index { columns, add } in expected.indexes {
            let serving = found.indexes.iter().chain(&found.unique).chain([&found.primary_key]);
            if !serving.into_iter().any(|found| found == columns) {
                // It works without, only more slowly.
                let gap = if add.is_some() { Gap::filled_by(*add) } else { Gap::None };
                self.push_gap(self.name, format!("index ({columns})"), "none", false, gap);
            }
        }
    }

    /// What a table that is for keys alone has beside what is expected, or lacks.
    fn compare_extras(&mut self, expected: &Table, found: &Found) {
        for extra in &found.columns {
            if expected.columns.iter().all(|column| column.name != extra.name) {
                let must_be_filled = !extra.nullable && extra.default.is_empty();
                let found = if must_be_filled { "a column that has to be filled" } else { "a column" };
                self.push(format!("{}.{}", self.name, extra.name), "no column", found, must_be_filled);
            }
        }
        let expects = |indexes: &[Index], columns: &str| indexes.iter().any(|index| index.columns == columns);
        for columns in &found.unique {
            if !expects(expected.unique, columns) {
                self.push(self.name, format!("no unique ({columns})"), "one", true);
            }
        }
        for columns in &found.partly_unique {
            self.push(self.name, format!("no unique ({columns}) among some rows"), "one", true);
        }
        for columns in &found.indexes {
            if !expects(expected.indexes, columns) {
                self.push(self.name, format!("no index ({columns})"), "one", false);
            }
        }
        let expected: Vec<_> = expected.foreign_keys.iter().map(|key| self.foreign_key(key)).collect();
        for key in expected.iter().filter(|key| !found.foreign_keys.contains(key)) {
            self.push(self.name, key.to_string(), "none like it", true);
        }
        for key in found.foreign_keys.iter().filter(|key| !expected.contains(key)) {
            self.push(self.name, "none like it", key.to_string(), false);
        }
    }

    /// As the engine's catalogue shows it.
    fn foreign_key(&self, key: &ForeignKey) -> FoundForeignKey {
        let table = key.table.on(self.engine);
        FoundForeignKey {
            column: key.column.to_owned(),
            table: table.rsplit('.').next().unwrap_or_default().to_owned(),
            on_update: key.on_update.to_owned(),
            on_delete: key.on_delete.to_owned(),
        }
    }
}

/// SQL without regard to the case of its keywords; what stands in quotes is kept.
fn folded(sql: &str) -> String {
    let part = |(position, part): (usize, &str)| {
        if position % 2 == 0 { part.to_ascii_lowercase() } else { part.to_owned() }
    };
    sql.split('\'').enumerate().map(part).collect::<Vec<_>>().join("'")
}

/// Whether keyward reads and writes both of PostgreSQL's types alike: texts that are long enough.
#[cfg(feature = "postgres")]
fn is_compatible(expected: &str, found: &str) -> bool {
    text_length(expected).zip(text_length(found)).is_some_and(|(expected, found)| found >= expected)
}

/// How many characters fit into one of PostgreSQL's types; `None` for what is no text.
#[cfg(feature = "postgres")]
fn text_length(kind: &str) -> Option<u32> {
    if matches!(kind, "text" | "character varying") {
        return Some(u32::MAX);
    }
    let start = ["character varying(", "character("].iter().find_map(|start| kind.strip_prefix(start))?;
    start.strip_suffix(')')?.parse().ok()
}
