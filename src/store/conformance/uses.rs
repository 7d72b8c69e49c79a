//! Last use is a mark of the latest time.

use std::time::Duration;

use crate::store::CLOCK_TOLERANCE;
use crate::store::conformance::maker::use_of;
use crate::store::conformance::{Maker, Subject};

/// Last use moves forward and never back, for several keys in one call.
///
/// # Panics
/// When the store breaks this promise.
pub async fn last_use_moves_forward_only<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "last_use_moves_forward_only");
    let keys = [make.stored().await, make.stored().await];
    let (early, late, latest) = (make.now(), make.now(), make.now());
    let touch = async |at| {
        let uses: Vec<_> = keys.iter().map(|key| use_of(key, at)).collect();
        make.answer(make.store().touch(&uses).await, "uses of several keys are written in one call").written
    };
    make.same(&touch(late).await, &2, "a first use is written for each key");
    make.same(&touch(early).await, &0, "an earlier use is not written");
    make.same(&touch(late).await, &0, "the same use is not written again");
    for key in &keys {
        let mut used = key.clone();
        used.head.last_used_at = Some(late);
        make.stands(&used, "the latest use is kept, and nothing else is changed by it").await;
    }
    make.same(&touch(latest).await, &2, "a later use is written for each key");
}

/// A last use in a future that cannot be, more than a day ahead, is corrected by the next use. One that is ahead by less
/// is the later of two uses by clocks that differ, and stays.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_last_use_in_the_far_future_is_corrected<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_last_use_in_the_far_future_is_corrected");
    let second = Duration::from_secs(1);
    let cases = [
        (CLOCK_TOLERANCE.saturating_sub(second), false),
        (CLOCK_TOLERANCE, false),
        (CLOCK_TOLERANCE.saturating_add(second), true),
        (CLOCK_TOLERANCE * 365 * 69, true),
    ];
    for (ahead, is_corrected) in cases {
        let mut key = make.stored().await;
        // A use from before the key would be its predecessor's.
        let now = make.now();
        let future = now.saturating_add(ahead);
        for (at, written) in [(future, 1), (now, u64::from(is_corrected))] {
            let touched = make.answer(make.store().touch(&[use_of(&key, at)]).await, "a use is written");
            make.same(&touched.written, &written, format_args!("a use that is {ahead:?} ahead is corrected, or not"));
        }
        key.head.last_used_at = Some(if is_corrected { now } else { future });
        make.stands(&key, format!("the last use after one that is {ahead:?} ahead")).await;
    }
}

/// Of several uses of one key in one call, the latest is kept, wherever it stands.
///
/// # Panics
/// When the store breaks this promise.
pub async fn of_several_uses_of_one_key_the_latest_is_kept<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "of_several_uses_of_one_key_the_latest_is_kept");
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
        let mut key = make.stored().await;
        let times = [make.now(), make.now(), make.now()];
        let uses = order.map(|place| use_of(&key, times[place]));
        make.answer(make.store().touch(&uses).await, "several uses of one key are no error");
        key.head.last_used_at = Some(times[2]);
        make.stands(&key, format!("the latest use is kept, in the order {order:?}")).await;
    }
}
