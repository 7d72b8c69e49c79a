//! Reading a row: every cell becomes a value or the row's defect, never an error.

use chrono::{NaiveDate, NaiveDateTime};

use crate::key::{Defect, KeyDigest};
use crate::time::Timestamp;

/// What a driver found in one place of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite keeps instants as text"))]
    Timestamp(Timestamp),
    /// Something of a type that no column of ours has.
    Unreadable,
}

/// The cells of a row, read from left to right. What cannot be understood reads as absent and is remembered as the
/// row's defect, which keeps its key from being accepted.
#[derive(Debug)]
pub(crate) struct Row {
    table: &'static str,
    cells: std::vec::IntoIter<Cell>,
    defect: Option<Defect>,
}

impl Row {
    pub(crate) fn new(table: &'static str, cells: Vec<Cell>) -> Self {
        Self { table, cells: cells.into_iter(), defect: None }
    }

    /// The next cell as it is.
    pub(crate) fn cell(&mut self) -> Cell {
        self.cells.next().unwrap_or(Cell::Unreadable)
    }

    /// Whether the next cell is NULL.
    pub(crate) fn is_null(&mut self) -> bool {
        self.cell() == Cell::Null
    }

    pub(crate) fn optional_text(&mut self, column: &'static str) -> Option<String> {
        match self.cell() {
            Cell::Text(text) => Some(text),
            Cell::Null => None,
            Cell::Integer(_) | Cell::Timestamp(_) | Cell::Unreadable => self.spoiled(column),
        }
    }

    /// A text that must be there; empty where it is not.
    pub(crate) fn text(&mut self, column: &'static str) -> String {
        match self.cell() {
            Cell::Text(text) => text,
            _ => self.spoiled(column).unwrap_or_default(),
        }
    }

    pub(crate) fn digest(&mut self) -> Option<KeyDigest> {
        match self.cell() {
            Cell::Text(hex) => KeyDigest::from_hex(&hex),
            _ => None,
        }
    }

    pub(crate) fn timestamp(&mut self, column: &'static str) -> Option<Timestamp> {
        match self.cell() {
            Cell::Null => None,
            Cell::Timestamp(at) => Some(at),
            Cell::Text(text) => parse_timestamp(&text).or_else(|| self.spoiled(column)),
            Cell::Integer(_) | Cell::Unreadable => self.spoiled(column),
        }
    }

    /// Remembers that `column` holds something that cannot be understood or grants nothing; the first one is kept.
    pub(crate) fn spoiled<T>(&mut self, column: &'static str) -> Option<T> {
        let table = self.table;
        self.defect.get_or_insert(Defect { table, column });
        None
    }

    pub(crate) const fn defect(&self) -> Option<Defect> {
        self.defect
    }
}

/// Reads the forms in which SQLite's own functions and people write an instant: `YYYY-MM-DD`, then optionally a space
/// or `T` and a time with or without seconds and fraction, then optionally `Z` or an offset. Without one it is UTC.
fn parse_timestamp(text: &str) -> Option<Timestamp> {
    parse_canonical(text).or_else(|| {
        if let Ok(at) = text.replacen(' ', "T", 1).parse() {
            return Some(at);
        }
        let text = text.strip_suffix('Z').unwrap_or(text).replacen('T', " ", 1);
        let midnight = || NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
        let without_seconds = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M").ok();
        let with_seconds = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok();
        let at = with_seconds().or_else(without_seconds).or_else(midnight)?;
        Some(Timestamp::from_micros(at.and_utc().timestamp_micros()))
    })
}

/// `YYYY-MM-DD HH:MM:SS` with or without six digits of a fraction, the form that keyward writes, without the general
/// parser: it stands in the path of every verification.
fn parse_canonical(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        bytes[from..to]
            .iter()
            .try_fold(0_u32, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if !matches!(bytes.len(), 19 | 26) || separators.iter().any(|&(at, separator)| bytes[at] != separator) {
        return None;
    }
    let micros = match bytes.get(19) {
        None => 0,
        Some(b'.') => number(20, 26)?,
        Some(_) => return None,
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    let at = date.and_hms_micro_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, micros)?;
    Some(Timestamp::from_micros(at.and_utc().timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_in_which_an_instant_is_written_by_hand() {
        let noon = "2030-01-02T12:00:00Z".parse().ok();
        for text in [
            "2030-01-02 12:00:00",
            "2030-01-02 12:00:00.000000",
            "2030-01-02 12:00:00.000",
            "2030-01-02 12:00",
            "2030-01-02T12:00:00",
            "2030-01-02T12:00:00Z",
            "2030-01-02 12:00:00Z",
            "2030-01-02T13:00:00+01:00",
            "2030-01-02 13:00:00+01:00",
        ] {
            assert_eq!(parse_timestamp(text), noon, "{text}");
        }
        assert_eq!(parse_timestamp("2030-01-02"), "2030-01-02T00:00:00Z".parse().ok());
        assert_eq!(parse_timestamp("2030-01-02 12:00:00.123456"), "2030-01-02T12:00:00.123456Z".parse().ok());
    }

    #[test]
    fn what_is_no_instant_spoils_the_row_and_reads_as_absent() {
        for text in
            ["", "never", "1893585600", "2030-13-01 00:00:00", "2030-01-02 25:00:00", "12:00:00", "2030-01-02 12"]
        {
            let mut row = Row::new("api_keys", vec![Cell::Text(text.to_owned()), Cell::Null]);
            assert_eq!(row.timestamp("expires_at"), None, "{text}");
            assert_eq!(row.defect(), Some(Defect { table: "api_keys", column: "expires_at" }), "{text}");
        }
        for cell in [Cell::Integer(1_893_585_600), Cell::Unreadable] {
            let mut row = Row::new("api_keys", vec![cell]);
            assert_eq!(row.timestamp("expires_at"), None);
            assert!(row.defect().is_some());
        }
        assert!(Row::new("api_keys", vec![]).timestamp("expires_at").is_none());
    }
}
