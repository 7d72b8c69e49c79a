//! What a rotation takes over from the predecessor, and what it leaves of it.

use std::time::Duration;

use crate::key::Rotation;
use crate::store::conformance::{Maker, Record, Subject};

const DAY: Duration = Duration::from_hours(24);

/// A rotation is worked out on the expiry that the caller saw. If the key has another one by now, nothing happens: it
/// could give the predecessor a longer life than it has.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotation_of_a_key_whose_expiry_changed_changes_nothing<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_rotation_of_a_key_whose_expiry_changed_changes_nothing");
    let abilities = make.abilities();
    if !abilities.expiry {
        return;
    }
    if abilities.changes {
        // A changed expiry is another version.
        let seen = make.stored().await;
        let rotation = make.rotation(seen.clone(), DAY * 3);
        let change = make.change(&seen);
        make.make_change(&change).await;
        unchanged(&make, &rotation, &change.key).await;
        return;
    }
    let at = make.now();
    for (stored, seen) in [(Some(DAY), Some(DAY * 2)), (Some(DAY), None), (None, Some(DAY))] {
        let [stored, seen] = [stored, seen].map(|life| life.map(|life| at.saturating_add(life)));
        let key = make.key_with(&make.owner().await, stored, make.details());
        make.insert(&key).await;
        let mut as_seen = key.clone();
        as_seen.head.expires_at = seen;
        unchanged(&make, &make.rotation(as_seen, DAY * 3), &key).await;
    }
}

async fn unchanged<S: Subject>(make: &Maker<'_, S>, rotation: &Rotation<S::Schema>, key: &Record<S>) {
    let (stored, seen) = (key.head.expires_at, rotation.predecessor.expires_at);
    let answer = make.store().rotate(rotation).await;
    make.conflict(answer, format_args!("a key that expires at {stored:?} is not the one that expires at {seen:?}"));
    make.absent(&rotation.successor.head, "a rotation that lost adds no successor").await;
    make.stands(key, "the key keeps its own expiry").await;
}

/// A rotation returns the successor just as it is stored, and as whoever reads it finds it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotation_returns_the_successor_as_it_is_stored<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_rotation_returns_the_successor_as_it_is_stored");
    for details in subject.details() {
        let key = make.key_with(&make.owner().await, None, details);
        make.insert(&key).await;
        let rotation = make.rotation(key, make.grace());
        let returned = make.answer(make.store().rotate(&rotation).await, "a live key can be rotated");
        let stored = make.get(&rotation.successor.head.id).await;
        make.same(&Some(returned.clone()), &stored, "what a rotation returns is what is stored");
        make.same(&returned.head.digest, &rotation.successor.head.digest, "the successor has the new key's digest");
    }
}

/// The successor's details are a copy of what the predecessor's row says at the moment of the rotation, and not of what
/// the caller read before: permissions that were cut meanwhile stay cut.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotation_copies_the_details_that_are_stored<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_rotation_copies_the_details_that_are_stored");
    if !make.abilities().several_keys_per_owner {
        return;
    }
    let samples = subject.details();
    for (stored, seen) in samples.iter().zip(samples.iter().skip(1)) {
        let key = make.key_with(&make.owner().await, None, stored.clone());
        make.insert(&key).await;
        let mut rotation = make.rotation(key, make.grace());
        let copy = rotation.successor.clone();
        rotation.successor.details = seen.clone();
        make.rotate(&rotation).await;
        make.stands(&copy, "the successor has the details of the stored row").await;
    }
}

/// A rotation without a grace period revokes the predecessor: it is dead for a reader, too, whose clock is behind.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotation_without_grace_revokes_the_predecessor<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_rotation_without_grace_revokes_the_predecessor");
    let key = make.stored().await;
    let rotation = make.rotation(key.clone(), Duration::ZERO);
    make.rotate(&rotation).await;
    let earlier = rotation.at.saturating_sub(DAY);
    for (clock, now) in [("right", rotation.at), ("a day behind", earlier)] {
        let found = make.find(&key.head).await;
        let standing = found.map(|key| key.head.standing(now));
        let what = format_args!("the predecessor is dead where the clock is {clock}; it is {standing:?}");
        make.check(standing.is_none_or(|standing| standing.is_err()), what);
    }
    make.stands(&rotation.successor, "the successor is there").await;
}
