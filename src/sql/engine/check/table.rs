//! Tables as data: what keyward expects of one, and how what is missing is added.

use crate::sql::engine::check::Write;
use crate::sql::engine::{Engine, Sql};

/// A table as keyward expects it.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: TableName,
    /// What makes the table where it is missing, if keyward does.
    pub(crate) create: Option<Sql>,
    /// Whether keyward does without it, with fewer abilities.
    pub(crate) optional: bool,
    /// Whether the host keeps other things in it, which are none of our business.
    pub(crate) shared: bool,
    pub(crate) columns: &'static [Column],
    /// Columns separated by commas.
    pub(crate) primary_key: &'static str,
    pub(crate) unique: &'static [Index],
    pub(crate) indexes: &'static [Index],
    pub(crate) foreign_keys: &'static [ForeignKey],
    /// What keyward writes to it, beside reading its columns.
    pub(crate) writes: &'static [Write],
}

/// How a table is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableName {
    /// A table of the host's, by its name on each engine.
    Host(Sql),
    /// A table of our own, by its bare name.
    Own(&'static str),
}

impl TableName {
    /// With its schema, where it names one.
    pub(crate) fn on(self, engine: &Engine) -> String {
        match self {
            Self::Host(name) => engine.dialect(name).to_owned(),
            Self::Own(name) => engine.own_table(name),
        }
    }

    /// The schema, and the name in it. A table without a schema is looked for on the search path.
    pub(in crate::sql::engine) fn place(self, engine: &Engine) -> (Option<String>, String) {
        let name = self.on(engine);
        match name.split_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
            None => (None, name),
        }
    }
}

/// A column as keyward expects it.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Its type on PostgreSQL and on SQLite.
    pub(crate) kind: Sql,
    pub(crate) nullable: bool,
    /// Whether a row in which it is NULL would be a key that can be neither named nor told from another.
    pub(crate) vital: bool,
    /// The default's text; empty for none.
    pub(crate) default: Sql,
    /// What adds the column to a table that lacks it.
    pub(crate) add: Option<Sql>,
}

impl Column {
    pub(crate) const fn required(name: &'static str, postgres: &'static str, sqlite: &'static str) -> Self {
        let default = Sql { postgres: "", sqlite: "" };
        Self { name, kind: Sql { postgres, sqlite }, nullable: false, vital: false, default, add: None }
    }

    pub(crate) const fn optional(name: &'static str, postgres: &'static str, sqlite: &'static str) -> Self {
        Self { nullable: true, ..Self::required(name, postgres, sqlite) }
    }

    pub(crate) const fn defaulting(self, postgres: &'static str, sqlite: &'static str) -> Self {
        Self { default: Sql { postgres, sqlite }, ..self }
    }

    pub(crate) const fn addable(self, add: Sql) -> Self {
        Self { add: Some(add), ..self }
    }

    /// An identity, or a digest.
    pub(crate) const fn vital(self) -> Self {
        Self { vital: true, ..self }
    }
}

/// Columns that together are indexed, or unique.
#[derive(Debug)]
pub(crate) struct Index {
    /// Separated by commas.
    pub(crate) columns: &'static str,
    /// What adds the index to a table that lacks it. Running it again does nothing.
    pub(crate) add: Option<Sql>,
}

impl Index {
    pub(crate) const fn on(columns: &'static str) -> Self {
        Self { columns, add: None }
    }

    pub(crate) const fn addable(self, add: Sql) -> Self {
        Self { add: Some(add), ..self }
    }
}

/// A reference to another table.
#[derive(Debug)]
pub(crate) struct ForeignKey {
    pub(crate) column: &'static str,
    pub(crate) table: TableName,
    pub(crate) on_update: &'static str,
    pub(crate) on_delete: &'static str,
}

/// The bare names of our own tables among these.
pub(in crate::sql::engine) fn own_names<'t>(tables: &'t [&Table]) -> impl Iterator<Item = &'static str> + 't {
    tables.iter().filter_map(|table| match table.name {
        TableName::Own(name) => Some(name),
        TableName::Host(_) => None,
    })
}
