//! What is there before a migration, or instead of one: whose tables, of which version and form, and which are gone.

use crate::sql::engine::check::{Difference, Table, TableName, Untrusted, compare, own_names};
use crate::sql::engine::migrate::{MigrateError, Migration, newest};
use crate::sql::engine::{Engine, ledger};
use crate::unfit::Unfit;

/// What is there of our own tables.
pub(crate) struct Presence {
    /// By their bare names.
    pub(crate) found: Vec<&'static str>,
    /// Those that were recorded as made and are not there, with their schema.
    pub(crate) lost: Vec<String>,
}

impl Engine {
    /// Which of our own tables are there, and which were made and are gone.
    ///
    /// # Errors
    /// [`Unfit::Newer`] and [`Unfit::Changed`] when another version of keyward has made them.
    pub(crate) async fn presence(
        &self,
        schema: &'static str,
        migrations: &[Migration],
        tables: &[&Table],
    ) -> Result<Presence, MigrateError> {
        let ledger = self.ledger(schema, migrations).await?;
        let mut presence = Presence { found: Vec::new(), lost: Vec::new() };
        for name in own_names(tables) {
            let is_recorded = migrations.iter().any(|one| one.makes(name) && ledger.has(one.version()));
            if ledger::exists(self, name).await? {
                presence.found.push(name);
            } else if is_recorded {
                presence.lost.push(self.own_table(name));
            }
        }
        Ok(presence)
    }

    /// In what the versions that were recorded differ from those that are known.
    pub(crate) async fn version_differences(
        &self,
        schema: &'static str,
        migrations: &[Migration],
    ) -> Result<Vec<Difference>, MigrateError> {
        let known = newest(migrations);
        let object = self.own_table(ledger::TABLE);
        let difference =
            |expected: String, found: String, breaking| vec![Difference { object, expected, found, breaking }];
        match self.ledger(schema, migrations).await {
            Ok(ledger) => Ok(match ledger.newest() {
                Some(newest) if newest < known => {
                    difference(format!("{schema} at version {known}"), format!("version {newest}"), false)
                }
                // Where nothing was recorded, the host has made the tables with a tool of its own.
                _ => Vec::new(),
            }),
            Err(MigrateError::Unfit(Unfit::Newer { found, .. })) => {
                Ok(difference(format!("{schema} at version {known}"), format!("version {found}"), true))
            }
            Err(MigrateError::Unfit(Unfit::Changed { version, name, .. })) => {
                let expected = format!("{schema} {version} {name} as this version of keyward applies it");
                Ok(difference(expected, "another form of it".to_owned(), true))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn require_trusted(&self, tables: &[&Table]) -> Result<(), MigrateError> {
        match self.untrusted(tables).await? {
            Some(Untrusted { object, owner }) => Err(Unfit::Untrusted { object, owner }.into()),
            None => Ok(()),
        }
    }

    /// Our own tables that are there have to be what the migrations make of them, or they are somebody else's. What a
    /// migration adds later may still be missing.
    pub(super) async fn require_own_shape(
        &self,
        migrations: &[Migration],
        tables: &[&Table],
    ) -> Result<(), MigrateError> {
        for table in tables.iter().copied().chain([&ledger::SHAPE]) {
            let TableName::Own(own) = table.name else { continue };
            if !ledger::exists(self, own).await? {
                continue;
            }
            let is_added = |difference: &Difference| {
                let column = difference.object.rsplit('.').next().unwrap_or_default();
                let result = format!("{own}.{column}");
                migrations.iter().any(|migration| migration.makes(&result))
            };
            let missing = compare(self, table).await?.into_iter().map(|finding| finding.difference);
            let missing: Vec<_> = missing.filter(|found| found.breaking && !is_added(found)).collect();
            if !missing.is_empty() {
                return Err(MigrateError::Incompatible { table: table.name.on(self), missing });
            }
        }
        Ok(())
    }
}
