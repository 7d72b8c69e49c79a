//! Last use is a mark of the latest time.

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
