//! Instants: RFC 3339, and the forms that SQLite's functions and people write.

use keyward::Timestamp;

#[path = "../../../../src/sql/engine/timestamp.rs"]
mod timestamp;

use timestamp::{parse_timestamp, stored_timestamp};

/// What is read is written back and read again as the same instant, and plain forms mean what the calendar says.
pub(crate) fn instants(data: &[u8]) {
    if let Some(micros) = data.first_chunk::<8>() {
        let at = Timestamp::from_micros(i64::from_le_bytes(*micros));
        assert_eq!(parse_timestamp(&stored_timestamp(at)), Some(at));
        assert_eq!(at.to_string().parse(), Ok(at));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(at) = text.parse::<Timestamp>() {
        assert!((Timestamp::MIN..=Timestamp::MAX).contains(&at));
        assert_eq!(at.to_string().parse(), Ok(at), "{text:?}");
    }
    let read = parse_timestamp(text);
    if let Some(at) = read {
        assert_eq!(parse_timestamp(&stored_timestamp(at)), Some(at), "{text:?}");
    }
    match plain(text) {
        Plain::At(micros) => assert_eq!(read, Some(Timestamp::from_micros(micros)), "{text:?}"),
        Plain::NoInstant => assert_eq!(read, None, "{text:?}"),
        Plain::Other => {}
    }
}

/// What a text of the form `YYYY-MM-DD HH:MM:SS[.ffffff]` is by the calendar.
enum Plain {
    At(i64),
    /// There is no such day or time.
    NoInstant,
    /// Another form, a leap second or the year 0: what becomes of them is not promised.
    Other,
}

fn plain(text: &str) -> Plain {
    let bytes = text.as_bytes();
    let form = "dddd-dd-dd dd:dd:dd.dddddd";
    let has_form = |(byte, form): (&u8, u8)| if form == b'd' { byte.is_ascii_digit() } else { *byte == form };
    if !matches!(bytes.len(), 19 | 26) || !bytes.iter().zip(form.bytes()).all(has_form) {
        return Plain::Other;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap_or_default();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let micros = if bytes.len() == 26 { number(20, 26) } else { 0 };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days_of_month = usize::try_from(month - 1).ok().and_then(|month| days_of.get(month));
    let is_day = days_of_month.is_some_and(|days| (1..=*days).contains(&day));
    if !is_day || hour > 23 || minute > 59 {
        return Plain::NoInstant;
    }
    if second > 59 || year == 0 {
        return if second > 60 { Plain::NoInstant } else { Plain::Other };
    }
    let before = year - 1;
    let days = before * 365 + before / 4 - before / 100 + before / 400 - 719_162
        + days_of[..usize::try_from(month - 1).unwrap_or_default()].iter().sum::<i64>()
        + day
        - 1;
    Plain::At((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micros)
}
