//! Where a server stands in the log, and when that was.

use std::time::Duration;

use tokio::time::Instant;

use crate::sql::engine::{Cell, Query, Row, Sql};
use crate::time::{Clock as _, SystemClock, Timestamp};

/// Where a server stands in the log, and which system, timeline, database and tables this is about. On the primary, that is
/// where the next record is written: behind the header of a page, where a page has just begun, up to which no replica
/// gets before there is a record. A replica learns of a new timeline some time after it follows it.
pub(super) static POSITION: Query = Query::new(
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
pub(super) struct Position {
    is_replica: bool,
    place: i64,
    subject: String,
}

impl Position {
    pub(super) fn read(row: &Row<'_>) -> Option<Self> {
        let (Cell::Integer(place), Cell::Text(subject)) = (row.cell(1), row.cell(2)) else { return None };
        Some(Self { is_replica: row.cell(0) == Cell::Integer(1), place, subject: subject.to_owned() })
    }

    pub(super) fn is_of_the_same(&self, primary: &Self) -> bool {
        self.is_replica && !primary.is_replica && self.subject == primary.subject
    }

    /// Whether this replica has everything that was committed when the primary was there.
    pub(super) fn has_reached(&self, primary: &Self) -> bool {
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
