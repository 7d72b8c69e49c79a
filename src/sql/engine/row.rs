//! Reading: a query that knows its columns by name, and a row that lends its cells.

use std::fmt;
use std::sync::OnceLock;

use crate::sql::engine::Sql;
use crate::sql::engine::timestamp::parse_timestamp;
use crate::time::Timestamp;

/// A read: its text in both dialects, and the names of the columns that its reader asks for.
///
/// Where these columns stand is looked up once in each dialect, by name, so that no reader depends on the order in which
/// a text selects. Declare it as `static FIND: Query = Query::new(Sql { .. }, COLUMNS)`.
#[derive(Debug)]
pub(crate) struct Query {
    sql: Sql,
    columns: &'static [&'static str],
    #[cfg(feature = "postgres")]
    on_postgres: OnceLock<Box<[usize]>>,
    #[cfg(feature = "sqlite")]
    on_sqlite: OnceLock<Box<[usize]>>,
}

impl Query {
    pub(crate) const fn new(sql: Sql, columns: &'static [&'static str]) -> Self {
        Self {
            sql,
            columns,
            #[cfg(feature = "postgres")]
            on_postgres: OnceLock::new(),
            #[cfg(feature = "sqlite")]
            on_sqlite: OnceLock::new(),
        }
    }

    pub(crate) const fn sql(&self) -> Sql {
        self.sql
    }

    #[cfg(feature = "postgres")]
    pub(super) fn on_postgres(&self, find: impl Fn(&str) -> Option<usize>) -> Result<&[usize], MissingColumn> {
        self.positions(&self.on_postgres, find)
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn on_sqlite(&self, find: impl Fn(&str) -> Option<usize>) -> Result<&[usize], MissingColumn> {
        self.positions(&self.on_sqlite, find)
    }

    fn positions<'q>(
        &self,
        known: &'q OnceLock<Box<[usize]>>,
        find: impl Fn(&str) -> Option<usize>,
    ) -> Result<&'q [usize], MissingColumn> {
        if let Some(positions) = known.get() {
            return Ok(positions);
        }
        let position = |column: &&'static str| find(column).ok_or(MissingColumn(column));
        let positions = self.columns.iter().map(position).collect::<Result<Box<[usize]>, _>>()?;
        Ok(known.get_or_init(|| positions))
    }
}

/// A statement does not return a column that its reader asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the statement does not return the column {0}")]
pub(super) struct MissingColumn(&'static str);

/// A row in the driver's own memory.
pub(crate) struct Row<'r> {
    cells: Cells<'r>,
    positions: &'r [usize],
}

#[derive(Clone, Copy)]
enum Cells<'r> {
    #[cfg(feature = "postgres")]
    Postgres(&'r sqlx::postgres::PgRow),
    #[cfg(feature = "sqlite")]
    Sqlite(&'r rusqlite::Row<'r>),
}

impl<'r> Row<'r> {
    #[cfg(feature = "postgres")]
    pub(super) const fn postgres(row: &'r sqlx::postgres::PgRow, positions: &'r [usize]) -> Self {
        Self { cells: Cells::Postgres(row), positions }
    }

    #[cfg(feature = "sqlite")]
    pub(super) const fn sqlite(row: &'r rusqlite::Row<'r>, positions: &'r [usize]) -> Self {
        Self { cells: Cells::Sqlite(row), positions }
    }

    /// The cell in the column that stands at `column` among the names of the [`Query`].
    pub(crate) fn cell(&self, column: usize) -> Cell<'_> {
        let Some(&position) = self.positions.get(column) else { return Cell::Unreadable };
        match self.cells {
            #[cfg(feature = "postgres")]
            Cells::Postgres(row) => super::postgres::cell(row, position),
            #[cfg(feature = "sqlite")]
            Cells::Sqlite(row) => super::sqlite::cell(row, position),
        }
    }
}

/// What stands in one place of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell<'r> {
    Null,
    Integer(i64),
    Text(&'r str),
    /// A UUID, which PostgreSQL keeps as 16 bytes and everybody else reads as a text.
    #[cfg_attr(all(not(feature = "postgres"), not(test)), expect(dead_code, reason = "SQLite keeps texts"))]
    Uuid(UuidText),
    Bytes(&'r [u8]),
    #[cfg_attr(all(not(feature = "postgres"), not(test)), expect(dead_code, reason = "SQLite keeps instants as texts"))]
    Timestamp(Timestamp),
    /// Something of a type that no column of ours has, or not what its type says.
    Unreadable,
}

impl Cell<'_> {
    /// The text, also of a UUID; `None` for everything else.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Uuid(uuid) => Some(uuid.as_str()),
            _ => None,
        }
    }

    /// An instant, also from a text in the forms in which SQLite's functions and people write one; `None` for NULL.
    pub(crate) fn timestamp(self) -> Result<Option<Timestamp>, Unreadable> {
        match self {
            Self::Null => Ok(None),
            Self::Timestamp(at) => Ok(Some(at)),
            Self::Text(text) => parse_timestamp(text).map(Some).ok_or(Unreadable),
            Self::Integer(_) | Self::Uuid(_) | Self::Bytes(_) | Self::Unreadable => Err(Unreadable),
        }
    }
}

/// A cell does not hold what its reader asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// A UUID as text, in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct UuidText([u8; 36]);

impl UuidText {
    #[cfg_attr(all(not(feature = "postgres"), not(test)), expect(dead_code, reason = "SQLite keeps texts"))]
    pub(super) fn new(uuid: [u8; 16]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";

        let mut text = [b'-'; 36];
        let digits = uuid.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        let places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
        for (place, digit) in places.zip(digits) {
            text[place] = digit;
        }
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        // It is ASCII, see above.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for UuidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_as_its_text() {
        let uuid = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes();
        let cell = Cell::Uuid(UuidText::new(uuid));
        assert_eq!(cell.as_text(), Some("01234567-89ab-cdef-0123-456789abcdef"));
        assert_eq!(format!("{cell:?}"), "Uuid(01234567-89ab-cdef-0123-456789abcdef)");
    }

    #[test]
    fn only_an_instant_or_its_text_reads_as_one() {
        assert_eq!(Cell::Null.timestamp(), Ok(None));
        assert_eq!(Cell::Timestamp(Timestamp::MAX).timestamp(), Ok(Some(Timestamp::MAX)));
        assert_eq!(Cell::Text("1970-01-01").timestamp(), Ok(Some(Timestamp::from_micros(0))));
        for cell in [Cell::Text("never"), Cell::Integer(1_893_585_600), Cell::Bytes(b"1970-01-01"), Cell::Unreadable] {
            assert_eq!(cell.timestamp(), Err(Unreadable));
        }
    }
}
