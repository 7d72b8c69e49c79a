//! Comparing the tables that a host brings with those that keyward expects.

mod inspect;

use std::fmt;

use crate::sql::Driver;
use crate::sql::check::inspect::{Found, FoundColumn, inspect};
use crate::store::StoreError;

/// A table as keyward's own migration makes it.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
    /// Whether keyward does without it, with fewer abilities.
    pub(crate) optional: bool,
    /// Whether the host keeps other things in it, which are none of our business.
    pub(crate) shared: bool,
    pub(crate) columns: &'static [Column],
    pub(crate) primary_key: &'static str,
    /// Columns that together are unique, separated by commas.
    pub(crate) unique: &'static [&'static str],
    /// Columns that together are indexed, separated by commas.
    pub(crate) indexes: &'static [&'static str],
    pub(crate) foreign_keys: &'static [ForeignKey],
}

/// A column as keyward's own migration makes it.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) nullable: bool,
    /// The default's text on PostgreSQL and on SQLite; empty for none.
    pub(crate) default: (&'static str, &'static str),
}

impl Column {
    pub(crate) const fn required(name: &'static str, postgres: &'static str, sqlite: &'static str) -> Self {
        Self { name, postgres, sqlite, nullable: false, default: ("", "") }
    }

    pub(crate) const fn optional(name: &'static str, postgres: &'static str, sqlite: &'static str) -> Self {
        Self { name, postgres, sqlite, nullable: true, default: ("", "") }
    }

    pub(crate) const fn defaulting(self, postgres: &'static str, sqlite: &'static str) -> Self {
        Self { default: (postgres, sqlite), ..self }
    }
}

/// A reference to another table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignKey<T = &'static str> {
    pub(crate) column: T,
    /// The other table, without its schema.
    pub(crate) table: T,
    pub(crate) on_update: T,
    pub(crate) on_delete: T,
}

impl<T: fmt::Display> fmt::Display for ForeignKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, table, on_update, on_delete } = self;
        write!(f, "foreign key ({column}) to {table} on update {on_update} on delete {on_delete}")
    }
}

/// The side tables, see `ddl/side_tables.*.sql`.
pub(crate) const REVOCATIONS: Table = Table {
    postgres: "keyward_revocations",
    sqlite: "keyward_revocations",
    optional: true,
    shared: false,
    columns: &[
        Column::required("system", "text", "TEXT"),
        Column::required("key_id", "text", "TEXT"),
        Column::required("key_hash", "text", "TEXT"),
        Column::required("revoked_at", "timestamp without time zone", "TIMESTAMP"),
        Column::optional("reason", "text", "TEXT"),
    ],
    primary_key: "system,key_id,key_hash",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
};

/// See [`REVOCATIONS`].
pub(crate) const ROTATIONS: Table = Table {
    postgres: "keyward_rotations",
    sqlite: "keyward_rotations",
    optional: true,
    shared: false,
    columns: &[
        Column::required("system", "text", "TEXT"),
        Column::required("key_id", "text", "TEXT"),
        Column::required("key_hash", "text", "TEXT"),
        Column::required("successor_id", "text", "TEXT"),
        Column::required("rotated_at", "timestamp without time zone", "TIMESTAMP"),
        Column::required("accepted_until", "timestamp without time zone", "TIMESTAMP"),
    ],
    primary_key: "system,key_id,key_hash",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
};

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
        write!(f, "{object}: expected {expected}, found {found}")
    }
}

pub(crate) async fn compare<D: Driver>(driver: &D, expected: &[Table]) -> Result<Vec<Difference>, StoreError> {
    let mut differences = Differences(Vec::new());
    for table in expected {
        let name = D::dialect(crate::sql::Sql { postgres: table.postgres, sqlite: table.sqlite });
        match inspect(driver, name).await? {
            None => differences.push(name, "a table", "none", !table.optional),
            Some(found) => differences.compare::<D>(name, table, &found),
        }
    }
    Ok(differences.0)
}

struct Differences(Vec<Difference>);

impl Differences {
    fn push(
        &mut self,
        object: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        breaking: bool,
    ) {
        let (object, expected, found) = (object.into(), expected.into(), found.into());
        self.0.push(Difference { object, expected, found, breaking });
    }

    fn compare<D: Driver>(&mut self, name: &str, expected: &Table, found: &Found) {
        for column in expected.columns {
            let object = format!("{name}.{}", column.name);
            match found.columns.iter().find(|found| found.name == column.name) {
                None => self.push(object, "a column", "none", true),
                Some(found) => self.compare_column::<D>(&object, column, found),
            }
        }
        if expected.shared {
            self.compare_keys(name, expected, found);
            return;
        }
        for extra in &found.columns {
            if expected.columns.iter().all(|column| column.name != extra.name) {
                let must_be_filled = !extra.nullable && extra.default.is_empty();
                let found = if must_be_filled { "a column that has to be filled" } else { "a column" };
                self.push(format!("{name}.{}", extra.name), "no column", found, must_be_filled);
            }
        }
        self.compare_indexes(name, expected, found);
        for key in expected.foreign_keys {
            if !found.foreign_keys.iter().any(|found| found.to_string() == key.to_string()) {
                self.push(name, key.to_string(), "none like it", true);
            }
        }
        for key in &found.foreign_keys {
            if !expected.foreign_keys.iter().any(|expected| expected.to_string() == key.to_string()) {
                self.push(name, "none like it", key.to_string(), false);
            }
        }
    }

    fn compare_column<D: Driver>(&mut self, object: &str, expected: &Column, found: &FoundColumn) {
        let dialect = |postgres, sqlite| D::dialect(crate::sql::Sql { postgres, sqlite });
        let kind = dialect(expected.postgres, expected.sqlite);
        if !kind.eq_ignore_ascii_case(&found.kind) {
            self.push(object, kind, &found.kind, !is_compatible(kind, &found.kind));
        }
        let nullability = |nullable: bool| if nullable { "NULL allowed" } else { "NOT NULL" };
        if expected.nullable != found.nullable {
            self.push(object, nullability(expected.nullable), nullability(found.nullable), expected.nullable);
        }
        let default = |text: &str| if text.is_empty() { "no default".to_owned() } else { format!("default {text}") };
        let expected_default = dialect(expected.default.0, expected.default.1);
        if expected_default != found.default {
            self.push(object, default(expected_default), default(&found.default), false);
        }
    }

    fn compare_indexes(&mut self, name: &str, expected: &Table, found: &Found) {
        self.compare_keys(name, expected, found);
        for columns in &found.unique {
            if !expected.unique.contains(&columns.as_str()) {
                self.push(name, format!("no unique ({columns})"), "one", true);
            }
        }
        for columns in &found.partly_unique {
            self.push(name, format!("no unique ({columns}) among some rows"), "one", true);
        }
        for columns in expected.indexes {
            let serves = |found: &String| found == columns;
            if !found.indexes.iter().chain(&found.unique).any(serves) {
                self.push(name, format!("index ({columns})"), "none", false);
            }
        }
        for columns in &found.indexes {
            if !expected.indexes.contains(&columns.as_str()) {
                self.push(name, format!("no index ({columns})"), "one", false);
            }
        }
    }

    /// What keyward relies on: that an identity, and a digest where the system says so, stands there once.
    fn compare_keys(&mut self, name: &str, expected: &Table, found: &Found) {
        if found.primary_key != expected.primary_key {
            let found = if found.primary_key.is_empty() { "none" } else { &found.primary_key };
            self.push(name, format!("primary key ({})", expected.primary_key), found, true);
        }
        for columns in expected.unique {
            if !found.unique.iter().any(|found| found == columns) {
                self.push(name, format!("unique ({columns})"), "none", true);
            }
        }
    }
}

/// Whether keyward reads and writes both types alike: PostgreSQL's texts that are long enough, and whatever a column is
/// declared as on SQLite, where each value has its own type.
fn is_compatible(expected: &str, found: &str) -> bool {
    /// How many characters fit in; `None` for what is no text.
    fn text_length(kind: &str) -> Option<u32> {
        let length = match kind {
            "text" | "character varying" => return Some(u32::MAX),
            _ => ["character varying(", "character("]
                .iter()
                .find_map(|start| kind.strip_prefix(start))?
                .strip_suffix(')')?,
        };
        length.parse().ok()
    }

    let is_sqlite = expected.chars().any(|character| character.is_ascii_uppercase());
    let fits = text_length(expected).zip(text_length(found)).is_some_and(|(expected, found)| found >= expected);
    is_sqlite || fits
}
