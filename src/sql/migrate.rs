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

const RECORDED: Sql = Sql {
    postgres: "SELECT checksum FROM keyward_migrations WHERE name = $1",
    sqlite: "SELECT checksum FROM keyward_migrations WHERE name = ?1",
};

/// Applies what has not been applied yet and names it.
pub(crate) async fn apply<D: Driver>(
    driver: &D,
    migrations: &'static [Migration],
    at: Timestamp,
) -> Result<Vec<&'static str>, MigrateError> {
    let mut applied = Vec::new();
    for migration in migrations {
        let name = migration.name;
        let checksum = hex::encode(Sha256::digest(D::dialect(migration.sql)));
        // The record comes first: whoever finds it written leaves the rest to its writer.
        let script = Script::locked(
            "migrations".to_owned(),
            [
                Step::Batch(CREATE_BOOKKEEPING),
                Step::some(
                    Statement::new(RECORD, [name.into(), checksum.as_str().into(), at.into()]),
                    Otherwise::Conflict,
                ),
                Step::Batch(migration.sql),
            ],
        );
        match driver.script(script).await {
            Ok(_) => applied.push(name),
            Err(StoreError::Conflict) => {
                let recorded = driver.rows(Statement::new(RECORDED, [name.into()])).await?;
                if recorded != [[Cell::Text(checksum)]] {
                    return Err(MigrateError::Changed { name });
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(applied)
}
