//! How fast requests may come, and the state that a limit keeps of those that came.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::time::Timestamp;

/// What one request fills a bucket with, and what a limit of one request a minute drains in a minute: one unit a
/// microsecond. So the drain of every limit is a whole number of units a microsecond, and no rounding adds up.
const REQUEST: u64 = 60_000_000;

/// Threads that read the clock one after the other may reach a bucket in another order. A clock that shows an earlier
/// time than this before was set back.
const REORDERING: i64 = 1_000_000;

/// How fast requests may come: how many a minute, and how many at once.
///
/// It is a bucket that drains at an even pace and into which each request pours its share: the *generic cell rate
/// algorithm*, GCRA, in its form as a leaky bucket (ITU-T I.371, annex A). A caller that pauses gets up to
/// [`burst`](Self::burst) requests back, no more; so any stretch of `t` minutes sees at most `burst + t × per_minute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_minute: NonZeroU32,
    burst: NonZeroU32,
}

impl Rate {
    /// So many requests a minute, all of them at once if need be.
    #[must_use]
    pub const fn per_minute(requests: NonZeroU32) -> Self {
        Self { per_minute: requests, burst: requests }
    }

    /// At most so many at once, and never more than a minute's. With 1, requests have to keep their distance.
    #[must_use]
    pub fn with_burst(self, requests: NonZeroU32) -> Self {
        Self { burst: requests.min(self.per_minute), ..self }
    }

    /// Requests a minute.
    #[must_use]
    pub const fn requests_per_minute(self) -> NonZeroU32 {
        self.per_minute
    }

    /// Requests at once.
    #[must_use]
    pub const fn burst(self) -> NonZeroU32 {
        self.burst
    }

    /// Of an empty bucket, in units.
    const fn capacity(self) -> u64 {
        // At most 2^32 × 6·10^7, which is less than 2^58.
        self.burst.get() as u64 * REQUEST
    }

    /// How long it takes to drain so many units.
    const fn drains(self, units: u64) -> Duration {
        Duration::from_micros(units.div_ceil(self.per_minute.get() as u64))
    }
}

/// What a limit remembers of the requests so far: how full the bucket was, and when. New ones are empty.
///
/// A clock that jumps forward gives back what is due for that time, at most a burst. One that is set back gives back
/// nothing, and the bucket drains on from the time that the clock shows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    used: u64,
    at: Timestamp,
}

impl Bucket {
    /// An empty one.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { used: 0, at: now }
    }

    /// Admits a request at `now` if there is room for it. One that is refused takes no room. The limit may be another
    /// than the last time: what was used stays used, up to the whole of the new one.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Taken {
        // Both lie within the years 1 to 9999, so nothing overflows.
        let elapsed = now.as_micros() - self.at.as_micros();
        let was_set_back = elapsed < -REORDERING;
        let drained = u64::try_from(elapsed).unwrap_or_default().saturating_mul(rate.per_minute.get().into());
        let left = self.used.saturating_sub(drained);
        let used = left.min(rate.capacity());
        let is_admitted = used + REQUEST <= rate.capacity();
        let used = if is_admitted { used + REQUEST } else { used };
        // A refusal changes nothing that the next call does not work out again. So a store has nothing to write then.
        if is_admitted || was_set_back || left > used {
            self.used = used;
            self.at = if was_set_back { now } else { self.at.max(now) };
        }
        Taken { rate, is_admitted, used }
    }

    /// When it is empty again, and as good as a new one.
    pub(crate) fn is_empty_at(&self, rate: Rate) -> Timestamp {
        self.at.saturating_add(rate.drains(self.used))
    }
}

/// What a bucket answered to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it says whether the request is admitted"]
pub struct Taken {
    rate: Rate,
    is_admitted: bool,
    used: u64,
}

impl Taken {
    /// The units that one request takes up in [`used`](Self::new): microseconds in a minute.
    pub const REQUEST: u64 = REQUEST;

    /// For authors of stores: an answer of a bucket that holds `used` units now, the request included if it was admitted.
    /// A request has [`Taken::REQUEST`] units; the limit drains as many units a microsecond as it permits requests a
    /// minute.
    pub const fn new(rate: Rate, is_admitted: bool, used: u64) -> Self {
        let used = if used < rate.capacity() { used } else { rate.capacity() };
        Self { rate, is_admitted, used }
    }

    /// The limit.
    #[must_use]
    pub const fn rate(self) -> Rate {
        self.rate
    }

    /// Whether the request is admitted.
    #[must_use]
    pub const fn is_admitted(self) -> bool {
        self.is_admitted
    }

    /// How many more would be admitted right now.
    #[must_use]
    pub const fn remaining(self) -> u32 {
        // A quotient of at most `burst`.
        #[expect(clippy::cast_possible_truncation, reason = "it is at most `burst`, which is a u32")]
        let remaining = ((self.rate.capacity() - self.used) / REQUEST) as u32;
        remaining
    }

    /// How long until another one is admitted, rounded up to a microsecond.
    #[must_use]
    pub const fn retry_after(self) -> Duration {
        self.rate.drains((self.used + REQUEST).saturating_sub(self.rate.capacity()))
    }

    /// How long until the whole burst is there again.
    #[must_use]
    pub const fn full_after(self) -> Duration {
        self.rate.drains(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_893_456_000);

    fn rate(per_minute: u32, burst: u32) -> Rate {
        Rate::per_minute(per_minute.try_into().unwrap()).with_burst(burst.try_into().unwrap())
    }

    fn admitted(bucket: &mut Bucket, rate: Rate, now: Timestamp) -> u32 {
        let mut admitted = 0;
        while bucket.take(rate, now).is_admitted() {
            admitted += 1;
        }
        admitted
    }

    #[test]
    fn a_burst_passes_and_then_one_at_each_interval() {
        let (rate, mut bucket) = (rate(60, 10), Bucket::new(NOW));
        assert_eq!(bucket.take(rate, NOW).remaining(), 9);
        assert_eq!(admitted(&mut bucket, rate, NOW), 9);
        let refused = bucket.take(rate, NOW);
        assert_eq!((refused.remaining(), refused.retry_after()), (0, Duration::from_secs(1)));
        assert_eq!(refused.full_after(), Duration::from_secs(10));

        let just_before = NOW.saturating_add(Duration::from_micros(999_999));
        assert_eq!(bucket.take(rate, just_before).retry_after(), Duration::from_micros(1));
        let now = NOW.saturating_add(refused.retry_after());
        assert_eq!(admitted(&mut bucket, rate, now), 1);
        let much_later = now.saturating_add(Duration::from_secs(1_000_000));
        assert_eq!(admitted(&mut bucket, rate, much_later), 10, "a long pause gives back a burst, and no more");
    }

    #[test]
    fn every_limit_is_kept_to_the_request_over_a_day() {
        for per_minute in [1, 7, 59, 61, 1_000_003] {
            let (rate, mut bucket) = (rate(per_minute, 1), Bucket::new(NOW));
            let (mut now, mut passed) = (NOW, 0_u64);
            let end = NOW.saturating_add(Duration::from_hours(if per_minute > 1000 { 0 } else { 24 }));
            let end = end.max(NOW.saturating_add(Duration::from_secs(1)));
            while now <= end {
                let taken = bucket.take(rate, now);
                assert!(taken.is_admitted());
                passed += 1;
                now = now.saturating_add(taken.retry_after());
            }
            let minutes = u64::try_from(end.as_micros() - NOW.as_micros()).unwrap();
            let exact = u64::from(per_minute) * minutes / 60_000_000 + 1;
            assert!(passed <= exact, "{per_minute}: {passed} and not {exact}");
            // Each wait is rounded up to a microsecond.
            assert!(passed + 1 + exact / 30 >= exact, "{per_minute}: {passed} and not {exact}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_neither_lets_a_burst_through_nor_locks_out() {
        let (rate, mut bucket) = (rate(60, 10), Bucket::new(NOW));
        assert_eq!(admitted(&mut bucket, rate, NOW), 10);
        let mut now = Timestamp::from_seconds(0);
        for _ in 0..100 {
            assert_eq!(admitted(&mut bucket, rate, now), 0);
            now = now.saturating_sub(Duration::from_hours(1));
        }
        assert_eq!(bucket.take(rate, now).retry_after(), Duration::from_secs(1));
        assert_eq!(admitted(&mut bucket, rate, now.saturating_add(Duration::from_secs(1))), 1);
    }

    #[test]
    fn threads_that_overtake_each_other_gain_nothing() {
        let (rate, mut bucket) = (rate(60, 1), Bucket::new(NOW));
        assert_eq!(admitted(&mut bucket, rate, NOW), 1);
        let ahead = NOW.saturating_add(Duration::from_millis(100));
        for _ in 0..1_000 {
            assert_eq!(admitted(&mut bucket, rate, ahead), 0);
            assert_eq!(admitted(&mut bucket, rate, NOW), 0);
        }
    }

    #[test]
    fn what_was_used_stays_used_when_the_limit_changes() {
        let mut bucket = Bucket::new(NOW);
        assert_eq!(admitted(&mut bucket, rate(100, 100), NOW), 100);
        assert_eq!(admitted(&mut bucket, rate(10, 10), NOW), 0);
        assert_eq!(bucket.take(rate(10, 10), NOW).retry_after(), Duration::from_secs(6), "of the new limit");
        assert_eq!(admitted(&mut bucket, rate(100, 100), NOW), 90);
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        let highest = rate(u32::MAX, u32::MAX);
        let mut bucket = Bucket::new(Timestamp::MIN);
        assert_eq!(bucket.take(highest, Timestamp::MIN).remaining(), u32::MAX - 1);
        assert_eq!(bucket.take(highest, Timestamp::MAX).remaining(), u32::MAX - 1);
        assert_eq!(bucket.take(highest, Timestamp::MIN).remaining(), u32::MAX - 2);
        let full = Taken::new(highest, false, u64::MAX);
        assert_eq!((full.remaining(), full.full_after()), (0, Duration::from_mins(1)));
        assert_eq!(rate(5, 10).burst().get(), 5, "never more than a minute's");
    }
}
