//! Migrations for hosts that want keyward to make its tables: each runs once, in order, in all processes together.

use sha2::{Digest, Sha256};

use crate::sql::{Cell, Driver, Otherwise, Script, Sql, Statement, Step};
use crate::store::StoreError;
use crate::time::Timestamp;

/// One migration, for both engines. Hosts with a migration tool of their own may run its text instead.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its name in `keyward_migrations`.
    pub(crate) name: &'static str,
    /// The table that it makes last. Where the host has it, in whichever schema, there is nothing to make.
    pub(crate) table: Sql,
    pub(crate) sql: Sql,
}

impl Migration {
    /// Its name in `keyward_migrations`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it runs on PostgreSQL.
    #[must_use]
    pub const fn postgres(&self) -> &'static str {
        self.sql.postgres
    }

    /// What it runs on SQLite.
    #[must_use]
    pub const fn sqlite(&self) -> &'static str {
        self.sql.sqlite
    }
}

/// Tables of our own for what a system's table cannot hold.
pub(crate) const SIDE_TABLES: Migration = Migration {
    name: "0001_side_tables",
    table: Sql { postgres: "keyward_rotations", sqlite: "keyward_rotations" },
    sql: Sql {
        postgres: include_str!("ddl/side_tables.postgres.sql"),
        sqlite: include_str!("ddl/side_tables.sqlite.sql"),
    },
};

/// A migration could not be applied. What was applied before it stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// A migration of this name was applied with another text: another version of keyward has changed this database.
    #[error("the migration {name} was applied in another form before")]
    Changed {
        /// The migration.
        name: &'static str,
    },
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const CREATE_BOOKKEEPING: Sql = Sql {
    postgres: "CREATE TABLE IF NOT EXISTS keyward_migrations (
        name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamp NOT NULL)",
    sqlite: "CREATE TABLE IF NOT EXISTS keyward_migrations (
        name TEXT PRIMARY KEY NOT NULL, checksum TEXT NOT NULL, applied_at TIMESTAMP NOT NULL)",
};

const RECORD: Sql = Sql {
    postgres: "INSERT INTO keyward_migrations (name, checksum, applied_at) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO NOTHING RETURNING 1",
    sqlite: "INSERT INTO keyward_migrations (name, checksum, applied_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (name) DO NOTHING RETURNING 1",
};

/// `$1` a table, with its schema or wherever the search path finds it.
const EXISTS: Sql = Sql {
    postgres: "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
    sqlite: "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1",
};

const RECORDED: Sql = Sql {
    postgres: "SELECT checksum FROM keyward_migrations WHERE name = $1",
    sqlite: "SELECT checksum FROM keyward_migrations WHERE name = ?1",
};

/// Applies what has not been applied yet and names what it made.
pub(crate) async fn apply<D: Driver>(
    driver: &D,
    migrations: &'static [Migration],
    at: Timestamp,
) -> Result<Vec<&'static str>, MigrateError> {
    let mut applied = Vec::new();
    for migration in migrations {
        // Looked at first, so that a role that may not make tables passes where there is nothing to make.
        if is_recorded(driver, migration).await? {
            continue;
        }
        let is_there = exists(driver, D::dialect(migration.table)).await?;
        match driver.script(script::<D>(migration, is_there, at)).await {
            Ok(_) if is_there => {}
            Ok(_) => applied.push(migration.name),
            // Another process was faster.
            Err(StoreError::Conflict) if is_recorded(driver, migration).await? => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(applied)
}

/// The record comes first: whoever finds it written leaves the rest to its writer.
fn script<D: Driver>(migration: &Migration, is_there: bool, at: Timestamp) -> Script {
    let record = [migration.name.into(), checksum::<D>(migration).into(), at.into()];
    let mut steps =
        vec![Step::Batch(CREATE_BOOKKEEPING), Step::some(Statement::new(RECORD, record), Otherwise::Conflict)];
    if !is_there {
        steps.push(Step::Batch(migration.sql));
    }
    Script::locked("migrations".to_owned(), steps)
}

async fn is_recorded<D: Driver>(driver: &D, migration: &Migration) -> Result<bool, MigrateError> {
    if !exists(driver, "keyward_migrations").await? {
        return Ok(false);
    }
    let recorded = driver.rows(Statement::new(RECORDED, [migration.name.into()])).await?;
    if recorded.is_empty() {
        return Ok(false);
    }
    if recorded == [[Cell::Text(checksum::<D>(migration))]] {
        return Ok(true);
    }
    Err(MigrateError::Changed { name: migration.name })
}

async fn exists<D: Driver>(driver: &D, table: &str) -> Result<bool, StoreError> {
    Ok(!driver.rows(Statement::new(EXISTS, [table.into()])).await?.is_empty())
}

fn checksum<D: Driver>(migration: &Migration) -> String {
    hex::encode(Sha256::digest(D::dialect(migration.sql)))
}
