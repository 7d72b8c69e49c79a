//! Migrations for hosts that want keyward to make its tables, or to add to theirs what is missing: each runs once, in
//! order, in all processes together.

use std::error::Error;

use crate::sql::engine::check::{Difference, Gap, Table, compare};
use crate::sql::engine::checksum::checksum;
use crate::sql::engine::ledger::{self, Ledger};
use crate::sql::engine::{Engine, EngineError, Script, ScriptError, Sql, Statement, Step};
use crate::time::Timestamp;
use crate::unfit::Unfit;

/// One migration, for both engines. Hosts with a migration tool of their own may run its text instead.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    version: u32,
    name: &'static str,
    change: Change,
}

impl Migration {
    pub(crate) const fn new(version: u32, name: &'static str, change: Change) -> Self {
        Self { version, name, change }
    }

    /// Its place in the order, from 1.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it runs on PostgreSQL, with `keyward` as the schema of keyward's own tables, which has to be there. Empty
    /// where the host's own table is all there is to it.
    #[must_use]
    pub const fn postgres(&self) -> &'static str {
        self.sql().postgres
    }

    /// What it runs on SQLite. Empty where the host's own table is all there is to it.
    #[must_use]
    pub const fn sqlite(&self) -> &'static str {
        self.sql().sqlite
    }

    /// Whether a table of our own, or a column of one, is a result of it.
    pub(super) fn makes(&self, result: &str) -> bool {
        matches!(self.change, Change::Run { makes, .. } if makes.contains(&result))
    }

    const fn sql(&self) -> Sql {
        match self.change {
            Change::Run { sql, .. } => sql,
            Change::Adopt(Table { create: Some(sql), .. }) => *sql,
            Change::Adopt(_) => Sql { postgres: "", sqlite: "" },
        }
    }
}

/// What a migration does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// Runs a text of which `makes` names the results: tables of our own by their bare names, such as `revocations`, and
    /// their columns, such as `revocations.note`. The text runs where one of them is missing, even if it ran before, so
    /// whatever it makes beside a named column has to be made only where it is missing.
    Run { sql: Sql, makes: &'static [&'static str] },
    /// Takes a table of the host's as it is, adds what it lacks, and makes it where there is none. It looks each time;
    /// the checksum that is recorded is that of the text that makes the table.
    Adopt(&'static Table),
}

/// A migration that was applied just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppliedMigration {
    /// Whose migration it is.
    pub schema: &'static str,
    /// Its place in the order.
    pub version: u32,
    /// What it is called.
    pub name: &'static str,
}

impl std::fmt::Display for AppliedMigration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.schema, self.version, self.name)
    }
}

/// A migration could not be applied. What was applied before it stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The tables are another version's, or somebody else's. Nothing was changed.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The host's table lacks what keyward needs and cannot add. Nothing was changed.
    #[error("the table {table} lacks what keyward needs: {}", listed(.missing))]
    Incompatible {
        /// The table.
        table: String,
        /// What it lacks.
        missing: Vec<Difference>,
    },
    /// The database is out of reach or too busy; the same call may succeed later.
    #[error("{backend} is unavailable")]
    Unavailable {
        /// Which engine.
        backend: &'static str,
        /// What it reported.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database answered with an error that the same call will meet again, such as a right that is missing.
    #[error("the database refused the migration")]
    Failed {
        /// What it reported.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

fn listed(differences: &[Difference]) -> String {
    differences.iter().map(Difference::to_string).collect::<Vec<_>>().join("; ")
}

impl From<EngineError> for MigrateError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Unavailable { backend, source } => Self::Unavailable { backend, source },
            EngineError::Failed { source, .. }
            | EngineError::Denied { source, .. }
            | EngineError::Undecryptable { source, .. } => Self::Failed { source },
            EngineError::Violation(_) | EngineError::Unsupported(_) => Self::Failed { source: error.into() },
        }
    }
}

/// The lock of every migration, of all schemas, in all processes.
const LOCK: &str = "migrations";

/// How often another process may get ahead before a call gives up.
const ATTEMPTS: u32 = 16;

/// Why nothing of a migration stays.
#[derive(Debug)]
enum Refusal {
    /// Another process was faster.
    Overtaken,
    /// Somebody else made a table of ours meanwhile.
    Untrusted,
}

impl Engine {
    /// Applies what has not been applied yet, in order, and names what was made. Running it again, or in several
    /// processes at once, does nothing more. `at` is the time that is recorded; `tables` are those that the migrations
    /// make or adopt, in their final form.
    pub(crate) async fn apply(
        &self,
        schema: &'static str,
        migrations: &[Migration],
        tables: &[&Table],
        at: Timestamp,
    ) -> Result<Vec<AppliedMigration>, MigrateError> {
        self.require_trusted(tables).await?;
        let mut ledger = self.ledger(schema, migrations).await?;
        // Before anything is changed, so that a table that will not do costs nothing.
        for migration in migrations {
            self.work(migration, &ledger).await?;
        }
        self.require_own_shape(migrations, tables).await?;
        let mut applied = Vec::new();
        for migration in migrations {
            let mut attempts = 0;
            let done = loop {
                let work = self.work(migration, &ledger).await?;
                match self.carry_out(schema, migration, tables, &ledger, &work, at).await {
                    Ok(()) => break !work.batches.is_empty(),
                    Err(ScriptError::Refused(Refusal::Overtaken)) if attempts < ATTEMPTS => attempts += 1,
                    Err(ScriptError::Refused(Refusal::Overtaken)) => {
                        return Err(MigrateError::Failed { source: "other processes migrate all the time".into() });
                    }
                    Err(ScriptError::Refused(Refusal::Untrusted)) => {
                        self.require_trusted(tables).await?;
                        return Err(MigrateError::Failed {
                            source: "a table was made by another role meanwhile".into(),
                        });
                    }
                    // What is there needs no rights; that it cannot be recorded changes nothing.
                    Err(ScriptError::Engine(EngineError::Denied { .. })) if work.batches.is_empty() => break false,
                    Err(ScriptError::Engine(error)) => return Err(error.into()),
                }
                ledger = self.ledger(schema, migrations).await?;
            };
            if done {
                applied.push(AppliedMigration { schema, version: migration.version, name: migration.name });
            }
        }
        Ok(applied)
    }

    /// Makes what is made on request alone, and is looked for rather than recorded. `tables` are those of our own that it
    /// makes; the texts do nothing more when they run again.
    #[cfg(feature = "postgres")]
    pub(crate) async fn make(
        &self,
        tables: &[&Table],
        texts: impl IntoIterator<Item = Sql>,
    ) -> Result<(), MigrateError> {
        self.require_trusted(tables).await?;
        let ledger = Ledger::read(self, "").await?;
        let make = |(guard, sql)| [Step::refuse(guard, Refusal::Overtaken), Step::batch(sql)];
        let mut steps: Vec<_> = ledger.missing(self).into_iter().flat_map(make).collect();
        steps.extend(texts.into_iter().map(Step::batch));
        steps.push(Step::refuse(self.find_untrusted(tables), Refusal::Untrusted));
        match self.run(Script::locked(LOCK, steps)).await {
            Ok(_) => Ok(()),
            Err(ScriptError::Engine(error)) => Err(error.into()),
            Err(ScriptError::Refused(_)) => {
                self.require_trusted(tables).await?;
                Err(MigrateError::Failed { source: "another process migrates at the same time".into() })
            }
        }
    }

    /// What was recorded, which has to be what `migrations` say.
    pub(super) async fn ledger(&self, schema: &'static str, migrations: &[Migration]) -> Result<Ledger, MigrateError> {
        let ledger = Ledger::read(self, schema).await?;
        let known = newest(migrations);
        if let Some(found) = ledger.newest().filter(|newest| *newest > known) {
            return Err(Unfit::Newer { schema, found, known }.into());
        }
        for migration in migrations {
            let Migration { version, name, .. } = *migration;
            if ledger.checksum(version).is_some_and(|recorded| recorded != self.checksum(migration)) {
                return Err(Unfit::Changed { schema, version, name }.into());
            }
        }
        Ok(ledger)
    }

    fn checksum(&self, migration: &Migration) -> String {
        checksum(self.dialect(migration.sql()))
    }

    async fn work(&self, migration: &Migration, ledger: &Ledger) -> Result<Work, MigrateError> {
        match migration.change {
            Change::Run { sql, makes } => {
                let mut guards = Vec::new();
                for result in makes {
                    if !ledger::exists(self, result).await? {
                        guards.push(ledger::find(self, result));
                    }
                }
                // A text that makes nothing to be found runs once.
                let is_done = guards.is_empty() && (!makes.is_empty() || ledger.has(migration.version));
                Ok(Work { guards, batches: if is_done { Vec::new() } else { vec![sql] } })
            }
            Change::Adopt(table) => self.adoption(table).await,
        }
    }

    async fn adoption(&self, table: &Table) -> Result<Work, MigrateError> {
        let name = table.name.on(self);
        let mut work = Work { guards: Vec::new(), batches: Vec::new() };
        let mut missing = Vec::new();
        for finding in compare(self, table).await? {
            match finding.gap {
                Gap::None => {}
                Gap::Open => missing.push(finding.difference),
                Gap::Addable { sql, column } => {
                    work.batches.push(sql);
                    work.guards.extend(column.map(|column| ledger::find_column(&name, column)));
                }
            }
        }
        if missing.is_empty() { Ok(work) } else { Err(MigrateError::Incompatible { table: name, missing }) }
    }

    /// The record comes first: whoever finds it written leaves the rest to its writer.
    async fn carry_out(
        &self,
        schema: &'static str,
        migration: &Migration,
        tables: &[&Table],
        ledger: &Ledger,
        work: &Work,
        at: Timestamp,
    ) -> Result<(), ScriptError<Refusal>> {
        let is_recorded = ledger.has(migration.version);
        if is_recorded && work.batches.is_empty() {
            return Ok(());
        }
        let make = |(guard, sql)| [Step::refuse(guard, Refusal::Overtaken), Step::batch(sql)];
        let mut steps: Vec<_> = ledger.missing(self).into_iter().flat_map(make).collect();
        if !is_recorded {
            let record = ledger::record(schema, migration.version, migration.name, self.checksum(migration), at);
            steps.push(Step::require(record, Refusal::Overtaken));
        }
        steps.extend(work.guards.iter().cloned().map(|guard| Step::refuse(guard, Refusal::Overtaken)));
        steps.extend(work.batches.iter().copied().map(Step::batch));
        // What `IF NOT EXISTS` passed over may have been made by anybody since it was looked for.
        steps.push(Step::refuse(self.find_untrusted(tables), Refusal::Untrusted));
        self.run(Script::locked(LOCK, steps)).await?;
        Ok(())
    }
}

pub(super) fn newest(migrations: &[Migration]) -> u32 {
    migrations.iter().map(Migration::version).max().unwrap_or(0)
}

/// What is left to do for a migration.
struct Work {
    /// Each returns a row once another process has done this work.
    guards: Vec<Statement>,
    batches: Vec<Sql>,
}
