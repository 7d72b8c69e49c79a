//! A limit admits a request exactly when no stretch of time would then have seen more than the limit permits.

use std::num::NonZeroU32;

use keyward::Timestamp;
use keyward::key::{Bucket, Rate};
use proptest::collection::vec;
use proptest::prelude::*;

/// A clock that goes back further than this was set back.
const REORDERING: i64 = 1_000_000;
const START: i64 = 1_893_456_000_000_000;
const MINUTE: i128 = 60_000_000;

/// The definition, without a bucket: what was admitted and when, and every stretch of time that ends now.
struct Model {
    per_minute: i128,
    burst: i128,
    /// When each request was admitted, in time that never goes back.
    admitted: Vec<i64>,
    /// Time that never goes back, and what the clock showed last.
    passed: i64,
    shown: i64,
}

impl Model {
    fn admits(&mut self, now: i64) -> bool {
        let before = (self.passed, self.shown);
        let was_set_back = now < self.shown - REORDERING;
        if now >= self.shown {
            self.passed += now - self.shown;
            self.shown = now;
        } else if was_set_back {
            self.shown = now;
        }
        self.admitted.push(self.passed);
        let exceeds = self.admitted.iter().enumerate().any(|(index, since)| {
            let seen = (self.admitted.len() - index) as i128;
            let permitted = self.burst * MINUTE + i128::from(self.passed - since) * self.per_minute;
            seen * MINUTE > permitted
        });
        if exceeds {
            self.admitted.pop();
            // A refusal leaves nothing behind, unless the clock was set back.
            if !was_set_back {
                (self.passed, self.shown) = before;
            }
        }
        !exceeds
    }
}

/// Steps of a clock: mostly forward by about the distance of two requests, now and then still, far, or back.
fn any_step(per_minute: u32) -> impl Strategy<Value = i64> {
    let distance = i64::from(60_000_000 / per_minute) + 1;
    prop_oneof![
        6 => 0..=2 * distance,
        2 => Just(0),
        2 => distance - 2..=distance + 1,
        1 => 0..=200 * distance,
        1 => -REORDERING - 1..=0,
        1 => -1_000_000_000_000_i64..=-REORDERING,
    ]
}

fn any_case() -> impl Strategy<Value = (u32, u32, Vec<i64>)> {
    let per_minute = prop_oneof![1_u32..=10, 1_u32..=1_000, 1_u32..=50_000_000];
    (per_minute, 1_u32..=20)
        .prop_flat_map(|(per_minute, burst)| (Just(per_minute), Just(burst), vec(any_step(per_minute), 1..150)))
}

proptest! {
    #[test]
    fn a_request_is_admitted_exactly_when_every_stretch_of_time_permits_it((per_minute, burst, steps) in any_case()) {
        let number = |number| NonZeroU32::new(number).expect("a positive number");
        let rate = Rate::per_minute(number(per_minute)).with_burst(number(burst));
        let burst = i128::from(rate.burst().get());
        let mut bucket = Bucket::new(Timestamp::from_micros(START));
        let mut model =
            Model { per_minute: per_minute.into(), burst, admitted: Vec::new(), passed: 0, shown: START };
        let mut now = START;
        for step in steps {
            now += step;
            let taken = bucket.take(rate, Timestamp::from_micros(now));
            prop_assert_eq!(taken.is_admitted(), model.admits(now));
            // What is said of the next one is true of it.
            prop_assert_eq!(taken.remaining() > 0, taken.retry_after().is_zero());
            if !taken.retry_after().is_zero() && now >= model.shown {
                let next = Timestamp::from_micros(now).saturating_add(taken.retry_after());
                let one_before = Timestamp::from_micros(next.as_micros() - 1);
                let (mut then, mut before) = (bucket, bucket);
                prop_assert!(then.take(rate, next).is_admitted());
                prop_assert!(!before.take(rate, one_before).is_admitted());
            }
        }
    }
}
