//! A key is replaced once, whole, and only as the caller saw it.

use std::time::Duration;

use crate::store::conformance::{Maker, Subject};

const HOUR: Duration = Duration::from_hours(1);

/// After a rotation the successor is accepted, and the predecessor until the end of its grace and never for longer than
/// its own expiry.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotation_adds_the_successor_and_retires_the_predecessor<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_rotation_adds_the_successor_and_retires_the_predecessor");
    if !make.abilities().expiry {
        let old = make.stored().await;
        let rotation = make.rotation(old.clone(), Duration::ZERO);
        make.rotate(&rotation).await;
        make.stands(&rotation.successor, "the successor is there").await;
        let found = make.find(&old.head).await;
        make.check(found.is_none_or(|old| old.head.standing(rotation.at).is_err()), "the old key is dead at once");
        return;
    }
    let soon = make.now().saturating_add(HOUR / 2);
    let late = make.now().saturating_add(HOUR * 48);
    for own_expiry in [None, Some(late), Some(soon)] {
        let old = make.key_with(&make.owner().await, own_expiry, make.details());
        make.insert(&old).await;
        let rotation = make.rotation(old.clone(), HOUR);
        make.rotate(&rotation).await;
        make.stands(&rotation.successor, "the successor is there").await;

        let grace_end = rotation.at.saturating_add(HOUR);
        let promised = own_expiry.map_or(grace_end, |own| own.min(grace_end));
        let retired = make.find(&old.head).await;
        make.check(retired.is_some(), "the predecessor is still there in its grace period");
        let Some(retired) = retired else { return };
        if make.abilities().rotation_memory {
            make.same(&retired.head.expires_at, &Some(promised), "the predecessor dies at the end of its grace");
            let again = make.rotation(retired, HOUR / 4);
            make.conflict(make.store().rotate(&again).await, "a key is rotated once");
            make.absent(&again.successor.head, "a second successor is not added").await;
        } else {
            // Such a store needs a moment to tell that it has been here: a moment less, never more.
            let least = promised.saturating_sub(Duration::from_millis(1));
            let is_near = retired.head.expires_at.is_some_and(|at| (least..=promised).contains(&at));
            make.check(is_near, "the predecessor dies at the end of its grace, or a millisecond before");
        }
    }
}

/// Where rotations are remembered, the predecessor says which key replaced it.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotated_key_names_its_successor<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_rotated_key_names_its_successor");
    let abilities = make.abilities();
    if !abilities.rotation_memory || !abilities.several_keys_per_owner {
        return;
    }
    let first = make.stored().await;
    let second = make.rotation(first.clone(), make.grace());
    make.rotate(&second).await;
    let third = make.rotation(second.successor.clone(), make.grace());
    make.rotate(&third).await;
    let chain = [
        (&first.head.id, Some(&second.successor.head.id)),
        (&second.successor.head.id, Some(&third.successor.head.id)),
        (&third.successor.head.id, None),
    ];
    for (id, successor) in chain {
        let found = make.get(id).await.and_then(|key| key.head.successor);
        make.same(&found.as_ref(), &successor, "a key names the key that replaced it, and no other");
    }
}

/// A rotation that cannot happen changes nothing: of a key that is dead, gone or changed, or whose successor is taken.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotation_happens_whole_or_not_at_all<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_rotation_happens_whole_or_not_at_all");
    let store = make.store();

    let revoked = make.stored().await;
    let rotation = make.rotation(revoked.clone(), make.grace());
    make.revoke(&make.revocation(&revoked)).await;
    make.conflict(store.rotate(&rotation).await, "a key that was revoked meanwhile is not rotated");
    make.absent(&rotation.successor.head, "a key that was revoked meanwhile gets no successor").await;

    let rotated = make.stored().await;
    let first = make.rotation(rotated.clone(), make.grace());
    let second = make.rotation(rotated, make.grace());
    make.rotate(&first).await;
    make.conflict(store.rotate(&second).await, "a key that was rotated meanwhile is not rotated again");
    make.absent(&second.successor.head, "a key that was rotated meanwhile gets no second successor").await;

    let unknown = make.rotation(make.key(&make.owner().await), make.grace());
    make.conflict(store.rotate(&unknown).await, "a key that is not there is not rotated");
    make.absent(&unknown.successor.head, "a key that is not there gets no successor").await;

    let taken = make.stored().await;
    let old = make.stored().await;
    let mut rotation = make.rotation(old.clone(), make.grace());
    rotation.successor.head.digest = taken.head.digest;
    rotation.successor.head.prefix = taken.head.prefix.clone();
    make.conflict(store.rotate(&rotation).await, "a successor whose digest is taken is not added");
    make.stands(&old, "the predecessor stays as it was without its successor").await;
    make.stands(&taken, "the key that has the digest stays as it was").await;
}

/// A rotation that was worked out before a change does not happen: the successor would be a copy of what the key is no
/// longer.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_rotation_of_an_older_version_changes_nothing<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_rotation_of_an_older_version_changes_nothing");
    if !make.abilities().changes {
        return;
    }
    let seen = make.stored().await;
    let rotation = make.rotation(seen.clone(), make.grace());
    let disabling = make.disabling(&seen);
    make.make_change(&disabling).await;
    make.conflict(make.store().rotate(&rotation).await, "a key that was switched off meanwhile is not rotated");
    let enabling = make.enabling(&disabling.key);
    make.make_change(&enabling).await;
    make.conflict(make.store().rotate(&rotation).await, "a key whose version is another by now is not rotated");
    make.absent(&rotation.successor.head, "no copy of an older version is added").await;
    make.stands(&enabling.key, "the key stays as the changes left it").await;

    let rotation = make.rotation(enabling.key, make.grace());
    make.rotate(&rotation).await;
    make.stands(&rotation.successor, "a key is rotated as it is now").await;
}
