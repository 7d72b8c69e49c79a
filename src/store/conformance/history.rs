//! Every change leaves one entry in the history of its key.

use crate::key::{Action, HistoryEntry, KeyId, Schema};
use crate::store::RevokeAllRequest;
use crate::store::conformance::{Maker, Record, Subject};

/// The history of a key has one entry for each change, oldest first, without a gap in the versions, and with who made
/// it, when, why, and which fields it changed.
///
/// # Panics
/// When the store breaks this promise.
pub async fn the_history_is_complete_and_in_order<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "the_history_is_complete_and_in_order");
    if !make.abilities().changes {
        return;
    }
    let key = make.stored().await;
    let mut promised = vec![issued(&make, &key)];
    let update = make.change(&key);
    let disabling = make.disabling(&update.key);
    let enabling = make.enabling(&disabling.key);
    for change in [&update, &disabling, &enabling] {
        make.make_change(change).await;
        promised.push(change.entry.clone());
    }
    let mut version = enabling.key.head.version;

    if make.abilities().several_keys_per_owner {
        let rotation = make.rotation(enabling.key, make.grace());
        make.rotate(&rotation).await;
        version += 1;
        promised.push(HistoryEntry::new(Action::Rotated, version, rotation.at).with(rotation.by.clone(), None));
        let successor = &rotation.successor;
        let promised = vec![issued(&make, successor)];
        make.same(&history(&make, &successor.head.id).await, &promised, "a successor starts with its own issue");
    }

    let revocation = make.revocation(&key);
    make.revoke(&revocation).await;
    version += 1;
    let entry = HistoryEntry::new(Action::Revoked, version, revocation.at);
    promised.push(entry.with(revocation.by.clone(), revocation.reason.clone()));
    let found = history(&make, &key.head.id).await;
    make.same(&found, &promised, "every change has its entry, oldest first");
    make.check(found.windows(2).all(|pair| pair[0].to_version == pair[1].from_version), "versions have no gaps");
    let stored = make.get(&key.head.id).await.map(|key| key.head.version);
    make.same(&stored, &Some(version), "the last entry leads to the version that the key has");

    let other = make.stored().await;
    let all = RevokeAllRequest::new(other.head.owner.clone(), make.now()).because(make.reason()).by(make.actor());
    make.answer(make.store().revoke_all(&all).await, "all keys of an owner can be revoked");
    let entry = HistoryEntry::new(Action::Revoked, 2, all.at).with(all.by.clone(), all.reason.clone());
    let promised = vec![issued(&make, &other), entry];
    make.same(&history(&make, &other.head.id).await, &promised, "a revocation of all keys has an entry for each");
}

/// What was refused, or changed nothing, has no entry.
///
/// # Panics
/// When the store breaks this promise.
pub async fn failures_leave_no_trace_in_the_history<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "failures_leave_no_trace_in_the_history");
    if !make.abilities().changes {
        return;
    }
    let store = make.store();
    let key = make.stored().await;
    let (stale, rotation) = (make.disabling(&key), make.rotation(key.clone(), make.grace()));
    let mut same_id = make.key(&key.head.owner);
    same_id.head.id = key.head.id.clone();
    make.conflict(store.insert(&same_id).await, "a taken identity is a conflict");
    let change = make.change(&key);
    make.make_change(&change).await;
    make.conflict(store.change(&stale).await, "a change of an older version is a conflict");
    make.conflict(store.rotate(&rotation).await, "a rotation of an older version is a conflict");
    let stranger = make.owner().await;
    let not_found = make.answer(store.revoke(&make.revocation(&key).of(stranger)).await, "absence is an answer");
    make.check(not_found.is_none(), "a key of another owner is not found");
    let promised = vec![issued(&make, &key), change.entry];
    make.same(&history(&make, &key.head.id).await, &promised, "what was refused has no entry");
    let successor = history(&make, &rotation.successor.head.id).await;
    let expected = if rotation.successor.head.id == key.head.id { promised } else { Vec::new() };
    make.same(&successor, &expected, "a successor that was not added has no history");

    make.revoke(&make.revocation(&key)).await;
    let before = history(&make, &key.head.id).await;
    make.revoke(&make.revocation(&key)).await;
    let all = RevokeAllRequest::new(key.head.owner.clone(), make.now()).because(make.reason()).by(make.actor());
    make.answer(store.revoke_all(&all).await, "all keys of an owner can be revoked");
    make.same(&history(&make, &key.head.id).await, &before, "a revocation that changed nothing has no entry");
}

/// The first entry of a key's history.
pub(super) fn issued<S: Subject>(make: &Maker<'_, S>, key: &Record<S>) -> HistoryEntry {
    let at = key.head.created_at.unwrap_or_else(|| make.now());
    HistoryEntry::new(S::Schema::origin(&key.details), 1, at).with(key.head.created_by.clone(), None)
}

pub(super) async fn history<S: Subject>(make: &Maker<'_, S>, id: &KeyId) -> Vec<HistoryEntry> {
    make.answer(make.store().history(id).await, "the history of a key is read")
}
