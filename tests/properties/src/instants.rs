//! Instants print and parse back, and saturate at the ends of the calendar.

use std::time::{Duration, SystemTime};

use keyward::Timestamp;
use proptest::prelude::*;

/// Instants near and far, the outermost ones included.
fn any_micros() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros(),
        Timestamp::MAX.as_micros() - 5..Timestamp::MAX.as_micros() + 5,
        Timestamp::MIN.as_micros() - 5..Timestamp::MIN.as_micros() + 5,
        (-62_135_596_800_i64..253_402_300_800).prop_map(|seconds| seconds * 1_000_000),
    ]
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
        (0_u64..1_000_000_000_000).prop_map(Duration::from_micros),
        Just(Duration::MAX),
    ]
}

/// The instant that is nearest to `micros`, computed where nothing overflows.
fn nearest(micros: i128) -> Timestamp {
    let clamped = micros.clamp(Timestamp::MIN.as_micros().into(), Timestamp::MAX.as_micros().into());
    Timestamp::from_micros(i64::try_from(clamped).expect("within the range"))
}

proptest! {
    #[test]
    fn instants_print_and_parse_back(micros in any_micros()) {
        let at = Timestamp::from_micros(micros);
        let text = at.to_string();
        prop_assert_eq!(text.parse(), Ok(at), "{}", text);
        prop_assert!(text.ends_with('Z') && text.as_bytes()[10] == b'T', "{}", text);
        prop_assert_eq!(format!("{at:?}"), text);
    }

    #[test]
    fn an_offset_names_the_same_instant(micros in any_micros(), quarters in -56_i32..=56) {
        let whole_second = micros / 1_000_000 * 1_000_000;
        let local = Timestamp::from_micros(whole_second.saturating_add(i64::from(quarters) * 900_000_000));
        let utc = nearest(i128::from(local.as_micros()) - i128::from(quarters) * 900_000_000);
        let (sign, minutes) = (if quarters < 0 { '-' } else { '+' }, quarters.abs() * 15);
        let local = local.to_string();
        let text = format!("{}{sign}{:02}:{:02}", local.trim_end_matches('Z'), minutes / 60, minutes % 60);
        prop_assert_eq!(text.parse(), Ok(utc), "{}", text);
    }

    #[test]
    fn what_lies_outside_of_the_calendar_becomes_its_end(micros in any_micros(), duration in any_duration()) {
        let at = Timestamp::from_micros(micros);
        prop_assert_eq!(at, nearest(micros.into()));
        let long = i128::try_from(duration.as_micros()).expect("a duration fits");
        prop_assert_eq!(at.saturating_add(duration), nearest(i128::from(at.as_micros()) + long));
        prop_assert_eq!(at.saturating_sub(duration), nearest(i128::from(at.as_micros()) - long));
    }

    #[test]
    fn any_time_of_the_system_becomes_the_nearest_instant(duration in any_duration(), before in any::<bool>()) {
        let (time, sign) = if before {
            (SystemTime::UNIX_EPOCH.checked_sub(duration), -1)
        } else {
            (SystemTime::UNIX_EPOCH.checked_add(duration), 1)
        };
        // What the system itself cannot express cannot arrive either.
        prop_assume!(time.is_some());
        // Whole microseconds, for which way the rest of one is rounded is nobody's business.
        let whole = Duration::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        prop_assume!(whole == duration || duration > Duration::from_secs(1 << 40));
        let micros = i128::try_from(duration.as_micros()).expect("a duration fits") * sign;
        prop_assert_eq!(time.map(Timestamp::from), Some(nearest(micros)));
    }

    #[test]
    fn arbitrary_text_never_panics_as_an_instant(text in prop_oneof![
        any::<String>(),
        "[0-9]{1,5}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,12})?(Z|[+-][0-9]{2}:[0-9]{2})",
    ]) {
        if let Ok(at) = text.parse::<Timestamp>() {
            prop_assert!((Timestamp::MIN..=Timestamp::MAX).contains(&at));
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }
    }
}
