//! A change is made on the version that the caller saw, or not at all.

use crate::key::{KeyChange, Status};
use crate::store::conformance::maker::use_of;
use crate::store::conformance::{Maker, Record, Subject};

/// A change takes effect as it was worked out, and counts the version up.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_change_is_stored_whole<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_change_is_stored_whole");
    if !make.abilities().changes {
        return;
    }
    let stranger = make.stored().await;
    let mut key = make.stored().await;
    make.same(&key.head.version, &1, "a new key has version 1");
    for _ in 0..2 {
        let change = make.change(&key);
        make.make_change(&change).await;
        make.same(&change.key.head.version, &(key.head.version + 1), "a change counts the version up");
        make.stands(&change.key, "a change takes effect as it was worked out").await;
        key = change.key;
    }
    make.stands(&stranger, "other keys stay as they are").await;
}

/// A change that was worked out on another version than the key has is a conflict and changes nothing.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_change_of_another_version_changes_nothing<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_change_of_another_version_changes_nothing");
    let abilities = make.abilities();
    if !abilities.changes {
        return;
    }
    let store = make.store();
    let seen = make.stored().await;
    let (first, stale) = (make.change(&seen), make.disabling(&seen));
    make.make_change(&first).await;
    make.conflict(store.change(&stale).await, "a change of an older version is a conflict");
    make.conflict(store.change(&first).await, "a change that was made is not made again");
    let mut early = make.change(&first.key);
    early.seen_version += 1;
    make.conflict(store.change(&early).await, "a change of a version that is not there yet is a conflict");
    make.stands(&first.key, "the key stays as the first change left it").await;

    let unknown = make.key(&make.owner().await);
    make.conflict(store.change(&make.change(&unknown)).await, "a key that is not there cannot be changed");
    make.absent(&unknown.head, "a change adds no key").await;

    if abilities.several_keys_per_owner {
        let rotation = make.rotation(first.key.clone(), make.grace());
        let stale = make.change(&first.key);
        make.rotate(&rotation).await;
        let rotated = make.get(&first.key.head.id).await;
        make.conflict(store.change(&stale).await, "a change that was worked out before a rotation is a conflict");
        let after = make.get(&first.key.head.id).await;
        make.same(&after, &rotated, "a change that was worked out before a rotation does not undo it");
    }
}

/// The last use is no part of a change, so that a use which is written meanwhile is not lost, and makes no conflict.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_change_leaves_the_last_use_alone<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_change_leaves_the_last_use_alone");
    if !make.abilities().changes {
        return;
    }
    let seen = make.stored().await;
    let mut change = make.change(&seen);
    let used_at = make.now();
    make.answer(make.store().touch(&[use_of(&seen, used_at)]).await, "a use is written");
    make.make_change(&change).await;
    change.key.head.last_used_at = Some(used_at);
    make.stands(&change.key, "a use that was written between the read and the change is kept").await;
}

/// A key that is switched off is found and refused, with the time and the reason, until it is switched on again.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_disabled_key_is_refused_until_it_is_enabled<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_disabled_key_is_refused_until_it_is_enabled");
    if !make.abilities().changes {
        return;
    }
    let key = make.stored().await;
    let disabling = make.disabling(&key);
    make.make_change(&disabling).await;
    make.refused(&key.head, "a key that is switched off is found and not accepted").await;
    make.stands(&disabling.key, "a key that is switched off says when and why").await;
    let enabling = make.enabling(&disabling.key);
    make.make_change(&enabling).await;
    make.stands(&enabling.key, "a key that is switched on again says nothing of it").await;
    let found = make.find(&key.head).await;
    make.check(found.is_some_and(|key| key.head.standing(make.now()).is_ok()), "a key that is on is accepted");
}

/// A revoked key stays revoked, whatever version a change was worked out on.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_revoked_key_cannot_be_changed<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_revoked_key_cannot_be_changed");
    if !make.abilities().changes {
        return;
    }
    let key = make.stored().await;
    let disabling = make.disabling(&key);
    make.make_change(&disabling).await;
    make.revoke(&make.revocation(&key)).await;
    let revoked = make.get(&key.head.id).await;
    let version = revoked.as_ref().map(|key| key.head.version);
    make.same(&version, &Some(disabling.key.head.version + 1), "a revocation counts the version up");

    let older = [make.change(&disabling.key), make.enabling(&disabling.key)];
    let on_version = |change: KeyChange<S::Schema>| moved(change, version.unwrap_or_default());
    let newer = [make.change(&disabling.key), make.enabling(&disabling.key)].map(on_version);
    for change in older.iter().chain(&newer) {
        make.conflict(make.store().change(change).await, "a revoked key cannot be changed or switched on");
    }
    make.same(&make.get(&key.head.id).await, &revoked, "a revoked key stays as it is");
    let is_revoked = |key: Record<S>| matches!(key.head.status, Status::Revoked(_));
    make.check(make.find(&key.head).await.is_some_and(is_revoked), "a revoked key stays revoked");
}

/// The same change, as if it had been worked out on `version`.
fn moved<S: crate::key::Schema>(mut change: KeyChange<S>, version: u64) -> KeyChange<S> {
    change.seen_version = version;
    change.key.head.version = version + 1;
    change.entry.from_version = version;
    change.entry.to_version = version + 1;
    change
}
