//! How single values are read. No error repeats what was typed: it may be a key in the wrong place.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use keyward::Timestamp;

/// A length of time, such as `24h`.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "not a duration, such as 24h")
}

/// A JSON document that PostgreSQL's `jsonb` takes too, as it was typed.
pub(crate) fn json(text: &str) -> Result<String, &'static str> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) if !value.to_string().contains("\\u0000") => Ok(text.to_owned()),
        Ok(_) => Err("a JSON document with a NUL character cannot be kept"),
        Err(_) => Err("not a JSON document"),
    }
}

/// The lengths of foreign keys in bytes, such as `32` or `24..64`, both ends included.
pub(crate) fn lengths(text: &str) -> Result<RangeInclusive<usize>, &'static str> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let length = |text: &str| text.trim_start_matches('=').parse::<usize>();
    match (length(first), length(last)) {
        (Ok(first), Ok(last)) => Ok(first..=last),
        _ => Err("not a range of lengths, such as 24..64"),
    }
}

/// A point in time, or a distance from now.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    At(Timestamp),
    Distance(Duration),
}

impl When {
    /// A distance lies ahead.
    pub(crate) fn ahead(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Distance(distance) => now.saturating_add(distance),
        }
    }

    /// A distance lies behind.
    pub(crate) fn ago(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Distance(distance) => now.saturating_sub(distance),
        }
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = || text.parse().map(Self::At);
        let distance = || humantime::parse_duration(text).map(Self::Distance);
        at().or_else(|_| distance()).map_err(|_| "neither a length of time, such as 90d, nor 2030-01-31T12:00:00Z")
    }
}
