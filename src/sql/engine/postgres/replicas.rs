//! Read replicas: servers that do what the primary does, a while later; and how far they have got.
//!
//! How far a replica is behind is never taken from a clock of the servers'. The primary is asked for the end of its
//! write-ahead log now and then; a replica that has replayed the log up to there has everything that was committed before
//! the primary was asked. Each connection is measured by itself, as nothing says which server another one reaches.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::sql::engine::postgres::Postgres;
use crate::sql::engine::postgres::connection;
use crate::sql::engine::postgres::gathered::{GatheredReader, Kept};
use crate::sql::engine::postgres::text::Prepared;
use crate::sql::engine::{Cell, Query, Row, Sql};
use crate::time::{Clock as _, SystemClock, Timestamp};
use crate::visible::Causes;

/// Within the longest lag, the primary is asked so often for its position, as long as somebody needs to know.
const QUESTIONS: u32 = 4;

/// What a lookup may wait for replicas at most, beside a part of the read timeout.
const PATIENCE: Duration = Duration::from_millis(250);

/// How keys are looked up on [replicas](Postgres::replicas).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "pass it to `Postgres::replicas`"]
pub struct ReplicaPolicy {
    max_lag: Duration,
    readers: u8,
    misses_per_second: u32,
}

impl ReplicaPolicy {
    /// How far a replica may be behind unless [`max_lag`](Self::max_lag) says otherwise: 1 second.
    pub const DEFAULT_MAX_LAG: Duration = Duration::from_secs(1);
    /// How many connections each store keeps to each replica unless [`readers`](Self::readers) says otherwise: 2.
    pub const DEFAULT_READERS: u8 = 2;
    /// How many keys that no replica knows the primary is asked for in a second unless
    /// [`misses_per_second`](Self::misses_per_second) says otherwise: 100.
    pub const DEFAULT_MISSES_PER_SECOND: u32 = 100;

    /// The defaults.
    pub const fn new() -> Self {
        Self {
            max_lag: Self::DEFAULT_MAX_LAG,
            readers: Self::DEFAULT_READERS,
            misses_per_second: Self::DEFAULT_MISSES_PER_SECOND,
        }
    }

    /// How far a replica may be behind, at least 100 milliseconds. One that is further behind is not asked; so this
    /// bounds how long a revocation that somebody else makes can go unnoticed by a verification without a cache.
    pub fn max_lag(self, lag: Duration) -> Self {
        Self { max_lag: lag.max(Duration::from_millis(100)), ..self }
    }

    /// How many connections each store keeps to each replica, at least one. As those of
    /// [`Postgres::gathered_readers`], each looks up together what waits at the same time.
    pub const fn readers(self, connections: u8) -> Self {
        Self { readers: if connections == 0 { 1 } else { connections }, ..self }
    }

    /// How many keys that a replica does not know each store asks the primary for in a second, each of which may have been
    /// issued a moment ago. Beyond that, it cannot be told whether a key is valid
    /// ([`StoreError::Throttled`](crate::store::StoreError::Throttled)), so that, while replicas answer, made-up keys in any
    /// number are no load on the primary.
    pub const fn misses_per_second(self, keys: u32) -> Self {
        Self { misses_per_second: keys, ..self }
    }

    pub(crate) const fn longest_lag(self) -> Duration {
        self.max_lag
    }

    pub(crate) const fn most_misses(self) -> u32 {
        self.misses_per_second
    }
}

impl Default for ReplicaPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a server stands in the log, and which system, timeline, database and tables this is about. On the primary, that is
/// where the next record is written: behind the header of a page, where a page has just begun, up to which no replica
/// gets before there is a record. A replica learns of a new timeline some time after it follows it.
static POSITION: Query = Query::new(
    Sql {
        postgres: "
            SELECT pg_catalog.pg_is_in_recovery() AS is_replica,
                   CASE WHEN pg_catalog.pg_is_in_recovery()
                        THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0'::pg_catalog.pg_lsn)
                        ELSE (
                            SELECT CASE
                                WHEN pg_catalog.mod(w.place, pg_catalog.pg_size_bytes(
                                         pg_catalog.current_setting('wal_segment_size'::text))::numeric) = 40 THEN w.place - 40
                                WHEN pg_catalog.mod(w.place, pg_catalog.current_setting('wal_block_size'::text)::numeric) = 24
                                    THEN w.place - 24
                                ELSE w.place END
                            FROM (SELECT pg_catalog.pg_wal_lsn_diff(
                                      pg_catalog.pg_current_wal_insert_lsn(), '0/0'::pg_catalog.pg_lsn) AS place) w
                        )
                   END::bigint AS place,
                   (SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() c)
                       || ' '::text || CASE WHEN pg_catalog.pg_is_in_recovery()
                           THEN (SELECT pg_catalog.lpad(pg_catalog.upper(pg_catalog.to_hex(
                                            c.min_recovery_end_timeline)), 8, '0'::text)
                                 FROM pg_catalog.pg_control_recovery() c)
                           ELSE pg_catalog.substr(
                               pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8)
                       END || ' '::text || d.oid::text || ' '::text || (
                           SELECT pg_catalog.string_agg(
                               coalesce(pg_catalog.to_regclass(t.name)::oid::text, '-'::text), ' '::text ORDER BY t.name)
                           FROM pg_catalog.unnest(pg_catalog.string_to_array($1::text, ','::text)) AS t (name)
                       ) AS subject
            FROM pg_catalog.pg_database d
            WHERE d.datname = pg_catalog.current_database()",
        sqlite: "",
    },
    &["is_replica", "place", "subject"],
);

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    is_replica: bool,
    place: i64,
    subject: String,
}

impl Position {
    fn read(row: &Row<'_>) -> Option<Self> {
        let (Cell::Integer(place), Cell::Text(subject)) = (row.cell(1), row.cell(2)) else { return None };
        Some(Self { is_replica: row.cell(0) == Cell::Integer(1), place, subject: subject.to_owned() })
    }

    fn is_of_the_same(&self, primary: &Self) -> bool {
        self.is_replica && !primary.is_replica && self.subject == primary.subject
    }

    /// Whether this replica has everything that was committed when the primary was there.
    fn has_reached(&self, primary: &Self) -> bool {
        self.is_of_the_same(primary) && self.place >= primary.place
    }
}

/// When something was known, by two clocks, of which the one that makes it older counts: one of them stands still while a
/// machine sleeps, and the other one is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    instant: Instant,
    day: Timestamp,
}

impl Taken {
    pub(crate) fn now() -> Self {
        Self { instant: Instant::now(), day: SystemClock.now() }
    }

    /// How long before `later` this was.
    pub(crate) fn until(self, later: Self) -> Duration {
        let by_day = later.day.as_micros().saturating_sub(self.day.as_micros());
        let by_day = Duration::from_micros(u64::try_from(by_day).unwrap_or_default());
        later.instant.saturating_duration_since(self.instant).max(by_day)
    }
}

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
    fn known(&self) -> std::sync::MutexGuard<'_, VecDeque<(Taken, Position)>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
        let handle = |pool: &sqlx::PgPool| Self {
            pool: pool.clone(),
            sessions: self.sessions.of_another_server(),
            caution: std::sync::Arc::default(),
            gathered_readers: self.replica_policy.readers,
            reader_timeout: Some(self.patience_with_replicas()),
            replicas: std::sync::Arc::default(),
            ..self.clone()
        };
        self.replicas.iter().map(handle).collect()
    }

    pub(crate) const fn replica_policy(&self) -> ReplicaPolicy {
        self.replica_policy
    }

    /// How long a lookup waits for replicas.
    pub(crate) fn patience_with_replicas(&self) -> Duration {
        PATIENCE.min(self.limits.read() / 4)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn position(is_replica: bool, place: i64, subject: &str) -> Position {
        Position { is_replica, place, subject: subject.to_owned() }
    }

    #[test]
    fn only_a_replica_of_the_same_tables_that_got_so_far_has_everything() {
        let primary = position(false, 100, "7 5 16384 -");
        assert!(position(true, 100, "7 5 16384 -").has_reached(&primary));
        assert!(position(true, 101, "7 5 16384 -").has_reached(&primary));
        for other in [
            position(true, 99, "7 5 16384 -"),
            // Promoted, or never a replica.
            position(false, 101, "7 5 16384 -"),
            position(true, 101, "8 5 16384 -"),
            position(true, 101, "7 5 16384 16390"),
        ] {
            assert!(!other.has_reached(&primary), "{other:?}");
        }
        // What is taken for the primary is a replica itself.
        assert!(!position(true, 101, "7 5 16384 -").has_reached(&position(true, 100, "7 5 16384 -")));
    }
}
