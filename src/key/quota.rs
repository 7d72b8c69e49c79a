//! How often a key may be used in a period, such as a month.

use std::num::NonZeroU32;

use chrono::{DateTime, Datelike as _, Months, NaiveTime, Utc};

use crate::time::Timestamp;

/// How often a key may be used in each period. Where it stands, such as in a plan of the host's, is up to the host: no schema
/// records one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Quota {
    units: u64,
    period: Period,
}

impl Quota {
    /// The most units that are told from more: what a number of JSON or Lua holds exactly.
    pub const MAX_UNITS: u64 = (1 << 53) - 1;

    /// So many units in each period, at most [`MAX_UNITS`](Self::MAX_UNITS). Zero permits nothing.
    #[must_use]
    pub const fn new(units: u64, period: Period) -> Self {
        Self { units: if units < Self::MAX_UNITS { units } else { Self::MAX_UNITS }, period }
    }

    /// So many units in each calendar month in UTC.
    #[must_use]
    pub const fn per_month(units: u64) -> Self {
        Self::new(units, Period::Month)
    }

    /// Units in each period.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.units
    }

    /// The period.
    #[must_use]
    pub const fn period(self) -> Period {
        self.period
    }
}

/// How long a quota lasts, and when the next one begins. All boundaries are in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Period {
    /// From the first of a month to the first of the next.
    Month,
    /// So many seconds, counted from 1970 on.
    Seconds(NonZeroU32),
}

impl Period {
    /// From midnight to midnight.
    pub const DAY: Self = Self::Seconds(NonZeroU32::new(86_400).unwrap());

    /// The one that `now` lies in.
    #[must_use]
    pub fn span(self, now: Timestamp) -> PeriodSpan {
        match self {
            Self::Month => PeriodSpan::of_month(now),
            Self::Seconds(seconds) => PeriodSpan::of_length(now, seconds.get().into()),
        }
    }
}

/// One period: its first instant, and the first one that no longer belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PeriodSpan {
    /// The first instant.
    pub start: Timestamp,
    /// The first instant of the next one.
    pub end: Timestamp,
}

impl PeriodSpan {
    fn of_length(now: Timestamp, seconds: i64) -> Self {
        let start = now.as_seconds().div_euclid(seconds) * seconds;
        Self { start: Timestamp::from_seconds(start), end: Timestamp::from_seconds(start + seconds) }
    }

    fn of_month(now: Timestamp) -> Self {
        let date = DateTime::<Utc>::from_timestamp_micros(now.as_micros()).unwrap_or_default().date_naive();
        let first = date.with_day(1).unwrap_or(date);
        let midnight =
            |day: chrono::NaiveDate| Timestamp::from_micros(day.and_time(NaiveTime::MIN).and_utc().timestamp_micros());
        let next = first.checked_add_months(Months::new(1));
        Self { start: midnight(first), end: next.map_or(Timestamp::MAX, midnight) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(period: Period, now: &str) -> [String; 2] {
        let PeriodSpan { start, end } = period.span(now.parse().unwrap());
        [start, end].map(|at| at.to_string())
    }

    #[test]
    fn a_month_ends_where_the_next_one_begins() {
        let leap = ["2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"];
        for now in ["2028-02-01T00:00:00Z", "2028-02-29T23:59:59.999999Z", "2028-03-01T00:59:59+01:00"] {
            assert_eq!(span(Period::Month, now), leap, "{now}");
        }
        let december = span(Period::Month, "2029-12-31T23:59:59Z");
        assert_eq!(december, ["2029-12-01T00:00:00Z", "2030-01-01T00:00:00Z"]);
        assert_eq!(span(Period::Month, "1969-12-31T00:00:00Z")[1], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn other_periods_are_counted_from_1970_in_both_directions() {
        assert_eq!(span(Period::DAY, "2030-01-31T12:00:00Z"), ["2030-01-31T00:00:00Z", "2030-02-01T00:00:00Z"]);
        let hours = Period::Seconds(3_600.try_into().unwrap());
        assert_eq!(span(hours, "2030-01-31T12:59:59.999999Z"), ["2030-01-31T12:00:00Z", "2030-01-31T13:00:00Z"]);
        assert_eq!(span(hours, "1969-12-31T23:30:00Z"), ["1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"]);
    }

    #[test]
    fn the_ends_of_the_calendar_lie_in_a_period_too() {
        for period in [Period::DAY, Period::Month, Period::Seconds(NonZeroU32::MAX)] {
            for now in [Timestamp::MIN, Timestamp::MAX] {
                let PeriodSpan { start, end } = period.span(now);
                assert!(start <= now && now <= end && start < end, "{period:?} {now}");
            }
        }
    }
}
