//! Opening a store of grants, and its tables: made, and checked.

use crate::sql::engine::check::{Difference, Lacking};
use crate::sql::engine::migrate::{AppliedMigration, MigrateError};
use crate::sql::engine::{Engine, EngineError};
use crate::sql::grants::statements::{clients, reads};
use crate::sql::grants::store::interpret;
use crate::sql::grants::{BrokerTables, SqlGrantStore, tables};
use crate::store::{StoreError, Unfit};
use crate::time::Timestamp;

impl SqlGrantStore {
    /// The tables of the host's and of keyward's own in the database of `engine`.
    ///
    /// Tables that are still to be made are no error: [`migrate`](Self::migrate) makes them. Those that somebody else has
    /// made are, those that another version of keyward has made, and those that the database role may not read.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] says why the tables will not do; otherwise when the database could not answer.
    pub async fn open(engine: impl Into<Engine>, tables: BrokerTables) -> Result<Self, StoreError> {
        let engine = engine.into();
        require_trusted(&engine).await.map_err(|error| engine.unfit(error))?;
        let store = Self { engine, tables };
        let engine = &store.engine;
        match engine.presence(tables::NAME, tables::MIGRATIONS, &tables::ALL).await {
            Ok(presence) => {
                for table in &presence.lost {
                    tracing::error!(
                        event = "table.lost",
                        table,
                        "a table that was made is gone: migrate makes it again"
                    );
                }
            }
            Err(error) => return Err(store.denied().await.unwrap_or_else(|| engine.unfit(error))),
        }
        for query in [&reads::FIND_ACCESS, &reads::FIND_REFRESH, &reads::FIND_CODE, &clients::CLIENT] {
            match engine.read(query, &["".into()], |_| ()).await {
                Err(error @ EngineError::Denied { .. }) => {
                    return Err(store.denied().await.unwrap_or_else(|| interpret(error)));
                }
                Err(error @ EngineError::Unavailable { .. }) => return Err(interpret(error)),
                // Tables that are still to be made are for `check` and `migrate` to say.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(store)
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Makes what is missing: the host's tables, where there are none, and those of keyward's own. Tables of the host's that
    /// are there are left as they are. Running it again, or in several processes at once, does nothing more. `at` is the time
    /// that is recorded.
    ///
    /// # Errors
    /// As [`SqlKeyStore::migrate`](crate::SqlKeyStore::migrate).
    pub async fn migrate(&self, at: Timestamp) -> Result<Vec<AppliedMigration>, MigrateError> {
        require_trusted(&self.engine).await?;
        self.engine.apply(tables::NAME, tables::MIGRATIONS, &tables::ALL, at).await
    }

    /// Compares the tables that are there with those that keyward expects, and names every difference. It only reads.
    ///
    /// # Errors
    /// [`StoreError`] when the database could not answer.
    pub async fn check(&self) -> Result<Vec<Difference>, StoreError> {
        let mut differences = self.engine.differences(&tables::OWN).await.map_err(interpret)?;
        for table in tables::HOST {
            for difference in self.engine.differences(&[table]).await.map_err(interpret)? {
                if !differences.contains(&difference) {
                    differences.push(difference);
                }
            }
        }
        match self.engine.version_differences(tables::NAME, tables::MIGRATIONS).await {
            Ok(versions) => differences.extend(versions),
            // What may not be read was named already.
            Err(_) if self.denied().await.is_some() => {}
            Err(error) => return Err(self.engine.unfit(error)),
        }
        Ok(differences)
    }

    /// Which right is lacking.
    async fn denied(&self) -> Option<StoreError> {
        let Lacking { object, right, columns } = self.engine.unreadable(&tables::ALL).await.ok()??;
        let object = if columns.is_empty() { object } else { format!("{object} ({columns})") };
        Some(Unfit::Denied { object, right }.into())
    }
}

/// None of the host's tables may be hidden by another one, and our own have to be our own.
async fn require_trusted(engine: &Engine) -> Result<(), MigrateError> {
    engine.require_trusted(&tables::OWN).await?;
    for table in tables::HOST {
        engine.require_trusted(&[table]).await?;
    }
    Ok(())
}
