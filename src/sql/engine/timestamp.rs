//! Instants as text, the form in which SQLite keeps them.

use std::ops::Deref;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};

use crate::time::Timestamp;

/// An instant in the form that both engines read and sort as text: `YYYY-MM-DD HH:MM:SS[.ffffff]`, in UTC. The text
/// stands in place, since a lookup binds one.
pub(crate) fn stored_timestamp(at: Timestamp) -> StoredTimestamp {
    let utc = DateTime::from_timestamp_micros(at.as_micros()).unwrap_or_default().naive_utc();
    let mut bytes = *b"0000-00-00 00:00:00.000000";
    let mut write = |from: usize, to: usize, mut number: u32| {
        for byte in bytes[from..to].iter_mut().rev() {
            *byte = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    };
    // Four digits are enough for every year of a `Timestamp`.
    write(0, 4, utc.year().unsigned_abs());
    write(5, 7, utc.month());
    write(8, 10, utc.day());
    write(11, 13, utc.hour());
    write(14, 16, utc.minute());
    write(17, 19, utc.second());
    let micros = utc.nanosecond() / 1_000;
    write(20, 26, micros);
    StoredTimestamp { bytes, length: if micros == 0 { 19 } else { 26 } }
}

/// The text of an instant, see [`stored_timestamp`].
#[derive(Clone, Copy)]
pub(crate) struct StoredTimestamp {
    bytes: [u8; 26],
    length: usize,
}

impl Deref for StoredTimestamp {
    type Target = str;

    fn deref(&self) -> &str {
        // It is ASCII, see above.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// Reads the forms in which SQLite's own functions and people write an instant: `YYYY-MM-DD`, then optionally a space
/// or `T` and a time with or without seconds and fraction, then optionally `Z` or an offset. Without one it is UTC.
pub(crate) fn parse_timestamp(text: &str) -> Option<Timestamp> {
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
    fn what_is_no_instant_is_not_read_as_one() {
        for text in
            ["", "never", "1893585600", "2030-13-01 00:00:00", "2030-01-02 25:00:00", "12:00:00", "2030-01-02 12"]
        {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn every_instant_is_written_in_the_one_form_and_read_back() {
        for (text, micros) in [
            ("1970-01-01 00:00:00", 0),
            ("1970-01-01 00:00:00.000001", 1),
            ("1969-12-31 23:59:59.999999", -1),
            ("0001-01-01 00:00:00", Timestamp::MIN.as_micros()),
            ("9999-12-31 23:59:59.999999", Timestamp::MAX.as_micros()),
            ("2030-01-02 03:04:05.678900", 1_893_553_445_678_900),
        ] {
            let at = Timestamp::from_micros(micros);
            assert_eq!(&*stored_timestamp(at), text);
            assert_eq!(parse_canonical(text), Some(at));
        }
    }
}
