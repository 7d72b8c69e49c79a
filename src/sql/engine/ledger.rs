//! The table that records which migrations were applied, and the questions whether something is there.

use crate::sql::engine::check::{Column, Table, TableName};
use crate::sql::engine::{Cell, Engine, EngineError, Query, Sql, Statement, Value};
use crate::time::Timestamp;

/// The bare name of the table.
pub(super) const TABLE: &str = "migrations";

/// The table, as [`CREATE_TABLE`] makes it.
pub(crate) static SHAPE: Table = Table {
    name: TableName::Own(TABLE),
    create: None,
    optional: true,
    shared: false,
    columns: &[
        Column::required("schema", "text", "TEXT"),
        Column::required("version", "integer", "INTEGER"),
        Column::required("name", "text", "TEXT"),
        Column::required("checksum", "text", "TEXT"),
        Column::required("applied_at", "timestamp without time zone", "TIMESTAMP"),
    ],
    primary_key: "schema,version",
    unique: &[],
    indexes: &[],
    foreign_keys: &[],
    writes: &[],
};

pub(super) const CREATE_SCHEMA: Sql = Sql { postgres: "CREATE SCHEMA IF NOT EXISTS keyward", sqlite: "" };

const CREATE_TABLE: Sql = Sql {
    postgres: "
        CREATE TABLE IF NOT EXISTS keyward.migrations (
            schema text NOT NULL,
            version integer NOT NULL,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamp NOT NULL,
            PRIMARY KEY (schema, version)
        )",
    sqlite: "
        CREATE TABLE IF NOT EXISTS keyward_migrations (
            schema TEXT NOT NULL,
            version INTEGER NOT NULL,
            name TEXT NOT NULL,
            checksum TEXT NOT NULL,
            applied_at TIMESTAMP NOT NULL,
            PRIMARY KEY (schema, version)
        )",
};

const RECORD: Sql = Sql {
    postgres: "
        INSERT INTO keyward.migrations (schema, version, name, checksum, applied_at)
        VALUES ($1, $2, $3, $4, $5::timestamp)
        ON CONFLICT (schema, version) DO NOTHING RETURNING 1",
    sqlite: "
        INSERT INTO keyward_migrations (schema, version, name, checksum, applied_at)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (schema, version) DO NOTHING RETURNING 1",
};

static RECORDED: Query = Query::new(
    Sql {
        postgres: "SELECT version, checksum FROM keyward.migrations WHERE schema::text = $1::text",
        sqlite: "SELECT version AS version, checksum AS checksum FROM keyward_migrations WHERE schema = ?1",
    },
    &["version", "checksum"],
);

// These ask the catalogue's tables, and not a function alone: only a table makes PostgreSQL look at what others have
// committed since the transaction began, and forget what it knew of names before it waited for a lock.

/// `$1` the schema of our own tables. SQLite has no other than the file.
static FIND_SCHEMA: Query = Query::new(
    Sql {
        postgres: "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1::text::name",
        sqlite: "SELECT 1 WHERE ?1 IS NOT NULL",
    },
    &[],
);

/// `$1` a table of our own, with its schema, which a role need not have a right to.
static FIND_TABLE: Query = Query::new(
    Sql {
        postgres: "
            SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = pg_catalog.split_part($1::text, '.'::text, 1)::name
              AND c.relname = pg_catalog.split_part($1::text, '.'::text, 2)::name",
        sqlite: "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1",
    },
    &[],
);

/// `$1` a table, `$2` its column.
static FIND_COLUMN: Query = Query::new(
    Sql {
        postgres: "
            SELECT 1 FROM pg_catalog.pg_attribute
            WHERE attrelid = pg_catalog.to_regclass($1::text) AND attname = $2::text::name AND attnum > 0 AND NOT attisdropped",
        sqlite: "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2",
    },
    &[],
);

/// What was recorded for one schema.
pub(super) struct Ledger {
    recorded: Vec<(u32, String)>,
    has_schema: bool,
    has_table: bool,
}

impl Ledger {
    pub(super) async fn read(engine: &Engine, schema: &str) -> Result<Self, EngineError> {
        let table = engine.own_table(TABLE);
        if is_found(engine, &FIND_TABLE, &[table.as_str().into()]).await? {
            let record = |row: &super::Row<'_>| {
                let version = match row.cell(0) {
                    Cell::Integer(version) => u32::try_from(version).ok(),
                    _ => None,
                };
                // What cannot be a version is none that is known.
                (version.unwrap_or(u32::MAX), row.cell(1).as_text().unwrap_or_default().to_owned())
            };
            let recorded = engine.read(&RECORDED, &[schema.into()], record).await?;
            return Ok(Self { recorded, has_schema: true, has_table: true });
        }
        let has_schema = is_found(engine, &FIND_SCHEMA, &[engine.own_schema().into()]).await?;
        Ok(Self { recorded: Vec::new(), has_schema, has_table: false })
    }

    /// What has to be made before anything can be recorded, each behind a statement that returns a row once another
    /// process has made it. Looked at first, since a role that may not make it passes where it is there.
    pub(super) fn missing(&self, engine: &Engine) -> Vec<(Statement, Sql)> {
        let schema = || (Statement::new(FIND_SCHEMA.sql(), [engine.own_schema().to_owned().into()]), CREATE_SCHEMA);
        let table = || (Statement::new(FIND_TABLE.sql(), [engine.own_table(TABLE).into()]), CREATE_TABLE);
        let missing = [(!self.has_schema).then(schema), (!self.has_table).then(table)];
        missing.into_iter().flatten().collect()
    }

    pub(super) fn newest(&self) -> Option<u32> {
        self.recorded.iter().map(|(version, _)| *version).max()
    }

    pub(super) fn checksum(&self, version: u32) -> Option<&str> {
        self.recorded.iter().find(|(recorded, _)| *recorded == version).map(|(_, checksum)| checksum.as_str())
    }

    pub(super) fn has(&self, version: u32) -> bool {
        self.checksum(version).is_some()
    }
}

/// Returns a row if this is the first record.
pub(super) fn record(
    schema: &'static str,
    version: u32,
    name: &'static str,
    checksum: String,
    at: Timestamp,
) -> Statement {
    let arguments = [schema.into(), i64::from(version).into(), name.into(), checksum.into(), at.into()];
    Statement::new(RECORD, arguments)
}

/// Whether a table of our own is there, or its column: `revocations`, `revocations.note`.
pub(super) async fn exists(engine: &Engine, result: &str) -> Result<bool, EngineError> {
    match result.split_once('.') {
        Some((table, column)) => {
            let table = engine.own_table(table);
            is_found(engine, &FIND_COLUMN, &[table.as_str().into(), column.into()]).await
        }
        None => is_found(engine, &FIND_TABLE, &[engine.own_table(result).into()]).await,
    }
}

/// Returns a row if the table of our own is there, or its column.
pub(super) fn find(engine: &Engine, result: &str) -> Statement {
    match result.split_once('.') {
        Some((table, column)) => find_column(&engine.own_table(table), column),
        None => Statement::new(FIND_TABLE.sql(), [engine.own_table(result).into()]),
    }
}

/// Returns a row if the table has the column.
pub(super) fn find_column(table: &str, column: &str) -> Statement {
    Statement::new(FIND_COLUMN.sql(), [table.to_owned().into(), column.to_owned().into()])
}

async fn is_found(engine: &Engine, query: &'static Query, arguments: &[Value<'_>]) -> Result<bool, EngineError> {
    Ok(!engine.read(query, arguments, |_| ()).await?.is_empty())
}
