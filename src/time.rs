//! Instants and where they come from: [`Timestamp`], [`Clock`] and its two implementations.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

/// An instant in UTC with microsecond precision, the finest that both engines keep.
///
/// It prints and parses as RFC 3339 and spans the years 1 to 9999; anything outside saturates, so that
/// every `Timestamp` has a printed form, and PostgreSQL's `infinity` reads as the last one, which is written as it prints.
///
/// ```
/// use keyward::Timestamp;
///
/// let noon: Timestamp = "2030-01-01T13:00:00+01:00".parse()?;
/// assert_eq!(noon.to_string(), "2030-01-01T12:00:00Z");
/// assert!("tomorrow".parse::<Timestamp>().is_err());
/// # Ok::<(), keyward::InvalidTimestamp>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z, the earliest instant.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z, the latest instant.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The instant `micros` microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down: how JWT (RFC 7519 section 2) and OAuth have times.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The instant `seconds` seconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// This instant plus `duration`, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// This instant minus `duration`, at least [`Timestamp::MIN`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        })
    }
}

/// An instant that the platform's `SystemTime` cannot hold becomes 1970-01-01.
impl From<Timestamp> for SystemTime {
    fn from(at: Timestamp) -> Self {
        let distance = Duration::from_micros(at.0.unsigned_abs());
        let shifted =
            if at.0 < 0 { Self::UNIX_EPOCH.checked_sub(distance) } else { Self::UNIX_EPOCH.checked_add(distance) };
        shifted.unwrap_or(Self::UNIX_EPOCH)
    }
}

#[cfg(feature = "chrono")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "chrono")))]
impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self::from_micros(time.timestamp_micros())
    }
}

#[cfg(feature = "chrono")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "chrono")))]
impl From<Timestamp> for DateTime<Utc> {
    fn from(at: Timestamp) -> Self {
        // Every `Timestamp` lies within what chrono can hold.
        Self::from_timestamp_micros(at.0).unwrap_or_default()
    }
}

#[cfg(feature = "jiff")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "jiff")))]
impl From<jiff::Timestamp> for Timestamp {
    fn from(time: jiff::Timestamp) -> Self {
        Self::from_micros(time.as_microsecond())
    }
}

/// An instant beyond what jiff can hold, within a day of the year 10,000, becomes jiff's last one.
#[cfg(feature = "jiff")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "jiff")))]
impl From<Timestamp> for jiff::Timestamp {
    fn from(at: Timestamp) -> Self {
        Self::from_microsecond(at.0).unwrap_or(Self::MAX)
    }
}

/// RFC 3339, as it prints.
#[cfg(feature = "serde")]
impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// RFC 3339.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&utc.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTimestamp)?;
        Ok(Self::from_micros(parsed.timestamp_micros()))
    }
}

/// The text is not an RFC 3339 date and time, such as `2030-01-31T12:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date and time, such as 2030-01-31T12:00:00Z")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidTimestamp;

/// Where the time comes from. Production takes [`SystemClock`]; a host that verifies millions of keys a
/// second may supply a coarser one, and tests take [`ManualClock`].
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;

    /// How long ago some moment was that stays the same as long as the program runs, by a clock that nobody sets: what
    /// the age of a cached record is measured by beside [`now`](Self::now), so that a clock that is set back lengthens
    /// nothing. Unless a clock has its own, the operating system's.
    fn elapsed(&self) -> Duration {
        static ANCHOR: LazyLock<Stopwatch> = LazyLock::new(Stopwatch::start);
        ANCHOR.elapsed()
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to grow")]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// How long something has taken, by a clock that is never set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock for limits to waiting")]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    /// In microseconds: all ways forward, and none back.
    elapsed: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self { now: AtomicI64::new(start.0), elapsed: AtomicU64::new(0) }
    }

    /// Moves the clock to `to`, backwards too. The time that has [elapsed](Clock::elapsed) goes on where it moves
    /// forward, and stands still otherwise.
    pub fn set(&self, to: Timestamp) {
        let before = self.now.swap(to.0, Ordering::SeqCst);
        let forward = u64::try_from(to.0.saturating_sub(before)).unwrap_or_default();
        self.elapsed.fetch_add(forward, Ordering::SeqCst);
    }

    /// Moves the clock forward by `duration`.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().saturating_add(duration));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extreme_prints_and_parses_back() {
        for at in [Timestamp::MIN, Timestamp::MAX, Timestamp::from_micros(0), Timestamp::from_micros(1)] {
            assert_eq!(at.to_string().parse(), Ok(at));
        }
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
    }

    #[test]
    fn a_fraction_of_a_second_is_cut_off_on_both_sides_of_1970() {
        assert_eq!(Timestamp::from_micros(1_999_999).as_seconds(), 1);
        assert_eq!(Timestamp::from_micros(-1).as_seconds(), -1);
        assert_eq!(Timestamp::from_seconds(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_seconds(Timestamp::MIN.as_seconds()), Timestamp::MIN);
    }

    #[test]
    fn a_manual_clock_that_is_set_back_has_run_on() {
        let clock = ManualClock::new(Timestamp::from_seconds(100));
        clock.advance(Duration::from_secs(5));
        clock.set(Timestamp::from_seconds(50));
        assert_eq!(clock.elapsed(), Duration::from_secs(5));
        clock.set(Timestamp::from_seconds(51));
        assert_eq!((clock.now(), clock.elapsed()), (Timestamp::from_seconds(51), Duration::from_secs(6)));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
    }
}
