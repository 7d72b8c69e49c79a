//! The script of limits does what [`Bucket`] does, and both scripts touch one key.

use keyward::Timestamp;
use keyward::key::{Bucket, Rate, Taken};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::number;
use crate::support::redis::{connect, prefix, url};

const LIMITS: &str = include_str!("../../../src/redis_store/limits.lua");
const QUOTAS: &str = include_str!("../../../src/redis_store/quotas.lua");

#[tokio::test]
async fn it_admits_and_says_what_a_bucket_does_whatever_the_clock_shows() {
    // With the time as an argument.
    let text = LIMITS.replace("redis.call('TIME')", "{ARGV[3], ARGV[4]}");
    assert_ne!(text, LIMITS);
    let mut connection = connect(url()).await;
    for seed in 0..40 {
        let mut random = StdRng::seed_from_u64(seed);
        let per_minute = [1, 7, 60, 1_000, 50_000_000][random.random_range(0..5)];
        let rate = Rate::per_minute(number(per_minute)).with_burst(number(random.random_range(1..20)));
        let key = format!("{}:{seed}", prefix());
        let distance = i64::from(60_000_000 / per_minute) + 1;
        let mut now = 1_893_456_000_000_000_i64;
        let mut bucket = Bucket::new(Timestamp::from_micros(now));
        for _ in 0..60 {
            now += match random.random_range(0..10) {
                0..6 => random.random_range(0..2 * distance),
                6 => random.random_range(0..100 * distance),
                7 => random.random_range(-1_000_001..=0),
                8 => -random.random_range(1_000_001..1_000_000_000_000),
                _ => 0,
            };
            let mut command = redis::cmd("EVAL");
            command.arg(&text).arg(1).arg(&key);
            command.arg(&[i64::from(per_minute), rate.burst().get().into(), now / 1_000_000, now % 1_000_000]);
            let (is_admitted, used): (bool, u64) = command.query_async(&mut connection).await.unwrap();
            let taken = bucket.take(rate, Timestamp::from_micros(now));
            assert_eq!(Taken::new(rate, is_admitted, used), taken, "seed {seed}: {rate:?} at {now}");
        }
    }
}

#[test]
fn a_script_names_no_key_but_the_one_that_it_is_given() {
    for (script, expected) in [(LIMITS, 3), (QUOTAS, 3)] {
        let calls: Vec<_> = script.split("redis.call(").skip(1).collect();
        assert_eq!(calls.len(), expected);
        for call in calls {
            assert!(call.starts_with("'TIME')") || call.contains("', KEYS[1]"), "{call}");
        }
        assert!(!script.contains("KEYS[2]"));
    }
}
