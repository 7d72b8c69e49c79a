//! How long anything may wait for PostgreSQL.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::sql::engine::EngineError;
use crate::sql::engine::postgres::error::BACKEND;

/// Below this, PostgreSQL takes a lock timeout for none.
const LEAST: Duration = Duration::from_millis(1);

/// The longest lock timeout that PostgreSQL takes, and enough for anything else: 24 days.
const MOST: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64);

/// What a change may take beside its wait for one lock.
const BESIDE_LOCK: Duration = Duration::from_secs(8);

/// What a migration may take beside its wait for one lock: time to build an index over a table of keys.
const MIGRATION: Duration = Duration::from_mins(1);

/// How long a migration waits for those of other processes, which may take that long themselves.
const OTHER_MIGRATIONS: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    lock: Duration,
    read: Duration,
}

impl Limits {
    pub(super) const fn new(lock: Duration, read: Duration) -> Self {
        Self { lock, read }
    }

    pub(super) fn with_lock(self, lock: Duration) -> Self {
        Self { lock: lock.clamp(LEAST, MOST), ..self }
    }

    pub(super) fn with_read(self, read: Duration) -> Self {
        Self { read: read.clamp(LEAST, MOST), ..self }
    }

    /// For a read from the wait for a connection to the last row, and for a change's wait for a connection.
    pub(super) const fn read(self) -> Duration {
        self.read
    }

    /// For a change from the wait for a connection to the end of its commit.
    pub(super) const fn change(self) -> Duration {
        self.lock.saturating_add(BESIDE_LOCK)
    }

    /// For a migration from the wait for a connection to the end of its commit.
    pub(super) const fn migration(self) -> Duration {
        self.lock.saturating_add(MIGRATION)
    }

    /// For the wait of a migration for those of other processes.
    pub(super) fn other_migrations_millis(self) -> u128 {
        self.lock.max(OTHER_MIGRATIONS).as_millis()
    }

    pub(super) const fn lock_millis(self) -> u128 {
        self.lock.as_millis()
    }

    /// Begins a transaction in which every statement sees what was committed before it, whatever the database's default:
    /// a lock that was waited for would be worth nothing otherwise.
    pub(super) fn begin_change(self) -> SqlStr {
        let millis = self.lock_millis();
        number(format!("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '{millis}ms'"))
    }

    /// Begins a transaction that the server ends before its caller gives it up.
    pub(super) fn begin_read(self) -> SqlStr {
        let millis = (self.read * 3 / 4).max(LEAST).as_millis();
        number(format!("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL lock_timeout = '{millis}ms'"))
    }

    /// Sets the lock timeout of the transaction that is open.
    pub(super) fn set_lock(millis: u128) -> SqlStr {
        number(format!("SET LOCAL lock_timeout = '{millis}ms'"))
    }
}

/// Sets how long each statement of a session may take.
pub(super) fn set_statement_timeout(timeout: Duration) -> SqlStr {
    let millis = timeout.clamp(LEAST, MOST).as_millis();
    number(format!("SET statement_timeout = '{millis}ms'"))
}

/// A statement into which nothing but a number was put.
fn number(text: String) -> SqlStr {
    AssertSqlSafe(text).into_sql_str()
}

/// Gives up `work` after `limit`.
pub(super) async fn given_up_after<T, E: From<EngineError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let too_late = |_| EngineError::Unavailable { backend: BACKEND, source: TooLate(limit).into() };
    tokio::time::timeout(limit, work).await.unwrap_or_else(|elapsed| Err(too_late(elapsed).into()))
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {} ms", .0.as_millis())]
struct TooLate(Duration);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_so_short_that_it_would_be_none() {
        let least = Limits::new(LEAST, LEAST);
        for limits in [least.with_lock(Duration::ZERO), least.with_read(Duration::ZERO)] {
            assert_eq!(limits.begin_change().as_str().split_once("lock_timeout = ").unwrap().1, "'1ms'");
            assert_eq!(limits.begin_read().as_str().split_once("lock_timeout = ").unwrap().1, "'1ms'");
        }
        let most = least.with_lock(Duration::MAX).with_read(Duration::MAX);
        assert!(most.begin_change().as_str().ends_with("'2147483647ms'"));
        assert!(most.begin_read().as_str().ends_with("'1610612735ms'"));
        assert!(most.change() > MOST && most.migration() > MOST);
        assert_eq!([least, most].map(Limits::other_migrations_millis), [30_000, MOST.as_millis()]);
    }
}
