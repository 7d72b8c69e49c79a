//! Read replicas: servers that do what the primary does, a while later; and how far they have got.
//!
//! How far a replica is behind is never taken from a clock of the servers'. The primary is asked for the end of its
//! write-ahead log now and then; a replica that has replayed the log up to there has everything that was committed before
//! the primary was asked. Each connection is measured by itself, as nothing says which server another one reaches.

mod policy;
mod position;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgPool;
use tokio::sync::Mutex;

use crate::sql::engine::postgres::Postgres;
use crate::sql::engine::postgres::connection;
use crate::sql::engine::postgres::gathered::{GatheredReader, Kept};
use crate::sql::engine::postgres::text::Prepared;
use crate::visible::Causes;
pub use policy::ReplicaPolicy;
pub(crate) use position::Taken;
use position::{POSITION, Position};

/// Within the longest lag, the primary is asked so often for its position, as long as somebody needs to know.
const QUESTIONS: u32 = 4;

/// Where the primary was, and when.
pub(crate) struct Positions {
    primary: Postgres,
    /// The tables that are read, separated by commas.
    tables: String,
    max_lag: Duration,
    /// Whoever holds it asks.
    asking: Mutex<Asking>,
    /// The latest comes last.
    known: std::sync::Mutex<VecDeque<(Taken, Position)>>,
}

/// A session of the primary's for questions about its position, where it has sessions of its own; so that a question that is
/// given up leaves the host's pool alone.
#[derive(Debug, Default)]
struct Asking {
    reader: GatheredReader,
    /// Answered or not.
    last: Option<Taken>,
}

impl Positions {
    pub(crate) fn new(primary: &Postgres, tables: String) -> Self {
        Self {
            primary: primary.clone(),
            tables,
            max_lag: primary.replica_policy.max_lag,
            asking: Mutex::default(),
            known: std::sync::Mutex::default(),
        }
    }

    /// Asks the primary, unless it was asked lately, or somebody else is asking.
    async fn renew(&self, now: Taken) {
        let Ok(mut asking) = self.asking.try_lock() else { return };
        if asking.last.is_some_and(|last| last.until(now) <= self.max_lag / QUESTIONS) {
            return;
        }
        let taken = Taken::now();
        asking.last = Some(taken);
        let limit = self.primary.patience_with_replicas() / 4;
        let position = tokio::time::timeout(limit, self.primary.position(&mut asking.reader, &self.tables)).await;
        if let Some(position) = position.ok().flatten() {
            let mut known = self.known();
            known.retain(|(earlier, _)| earlier.until(taken) <= self.max_lag);
            known.push_back((taken, position));
        } else {
            tracing::debug!(event = "replica.primary_not_asked", "it did not say where its log ends");
        }
    }

    /// The latest moment of which this replica has everything that was committed before.
    fn reached_by(&self, replica: &Position) -> Option<Taken> {
        self.known().iter().rev().find(|(_, primary)| replica.has_reached(primary)).map(|(taken, _)| *taken)
    }

    /// Whether this is no replica of the primary that was asked last.
    fn is_foreign(&self, replica: &Position) -> bool {
        self.known().back().is_some_and(|(_, primary)| !replica.is_of_the_same(primary))
    }

    // It is changed by single calls of the standard library's, so a panic elsewhere leaves it whole.
    fn known(&self) -> MutexGuard<'_, VecDeque<(Taken, Position)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Positions").field("max_lag", &self.max_lag).finish_non_exhaustive()
    }
}

impl Postgres {
    /// The replicas, each as a database of its own that is read by its readers alone.
    pub(crate) fn replica_handles(&self) -> Vec<Self> {
        let handle = |pool: &PgPool| Self {
            pool: pool.clone(),
            sessions: self.sessions.of_another_server(),
            caution: Arc::default(),
            gathered_readers: self.replica_policy.readers,
            reader_timeout: Some(self.patience_with_replicas()),
            replicas: Arc::default(),
            ..self.clone()
        };
        self.replicas.iter().map(handle).collect()
    }

    pub(crate) const fn replica_policy(&self) -> ReplicaPolicy {
        self.replica_policy
    }

    /// How long a lookup waits for replicas.
    pub(crate) fn patience_with_replicas(&self) -> Duration {
        self.replica_policy.patience.min(self.limits.read() / 2)
    }

    /// Nothing unless this reader's server is shown not to be too far behind.
    pub(crate) async fn replayed(&self, reader: &mut GatheredReader, positions: &Positions) -> Option<()> {
        let now = Taken::now();
        let is_behind = |as_of: Option<Taken>, lag| as_of.is_none_or(|as_of| as_of.until(now) > lag);
        if is_behind(reader.as_of(), positions.max_lag / 2) {
            positions.renew(now).await;
            let mut kept = self.kept(reader).await?;
            let own = self.ask_for_position(&mut kept, &positions.tables).await?;
            if positions.is_foreign(&own) {
                tracing::debug!(
                    event = "replica.foreign",
                    "it is no replica of the primary, its database or its tables"
                );
                return None;
            }
            kept.as_of = positions.reached_by(&own).or(kept.as_of);
            reader.keep(kept);
        }
        if is_behind(reader.as_of(), positions.max_lag) {
            tracing::debug!(event = "replica.behind", "it is further behind than it may be");
            return None;
        }
        Some(())
    }

    /// Where this server stands, asked on a session of its own where it has those.
    async fn position(&self, reader: &mut GatheredReader, tables: &str) -> Option<Position> {
        if self.sessions.are_known_to_be_shared() {
            return self.read(&POSITION, &[tables.into()], Position::read).await.ok()?.pop().flatten();
        }
        let mut kept = self.kept(reader).await?;
        let position = self.ask_for_position(&mut kept, tables).await?;
        reader.keep(kept);
        Some(position)
    }

    async fn ask_for_position(&self, kept: &mut Kept, tables: &str) -> Option<Position> {
        let statement = self.texts.bound(POSITION.sql().postgres, &[tables.into()], Prepared::Named);
        match connection::fetch(statement, &mut kept.connection, &POSITION, Position::read).await {
            Ok(rows) => rows.into_iter().flatten().next(),
            Err(error) => {
                tracing::debug!(event = "replica.no_position", error = %Causes(&error), "it did not say where it stands");
                None
            }
        }
    }
}
