//! What was reported as written is there when the store is opened again.

use crate::key::{HistoryEntry, KeyHead};
use crate::store::conformance::maker::{as_verified, digest, use_of};
use crate::store::conformance::{Maker, Record, Subject};
use crate::store::{KeyLookup, KeyStore, RevokeAllRequest};

/// A store that can be opened again shows then what it showed before: keys, revocations, rotations, last use, and the
/// history.
///
/// # Panics
/// When the store breaks this promise.
pub async fn what_was_written_is_there_after_reopening<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "what_was_written_is_there_after_reopening");
    if subject.reopen().await.is_none() {
        return;
    }
    let abilities = make.abilities();
    let plain = make.stored().await;
    let revoked = make.stored().await;
    make.revoke(&make.revocation(&revoked)).await;
    let all_revoked = make.stored().await;
    let all = RevokeAllRequest::new(all_revoked.head.owner.clone(), make.now()).because(make.reason()).by(make.actor());
    make.answer(make.store().revoke_all(&all).await, "all keys of an owner can be revoked");
    let used = make.stored().await;
    make.answer(make.store().touch(&[use_of(&used, make.now())]).await, "a use is written");
    let rotated = make.stored().await;
    let rotation = make.rotation(rotated.clone(), make.grace());
    make.rotate(&rotation).await;
    let mut keys = vec![plain, revoked, all_revoked, used, rotated, rotation.successor];
    if abilities.changes {
        let changed = make.stored().await;
        make.make_change(&make.change(&changed)).await;
        keys.push(changed);
    }

    let mut before = Vec::new();
    for key in &keys {
        before.push(seen(&make, make.store(), key).await);
    }
    let Some(reopened) = subject.reopen().await else {
        make.check(false, "a store that was opened again once can be opened again");
        return;
    };
    for (key, before) in keys.iter().zip(before) {
        let after = seen(&make, &*reopened, key).await;
        make.same(&after, &before, "a key, and its history, are the same after the store was opened again");
    }
}

/// What a store shows of a key: by its identity, by its digest, and its history.
async fn seen<S: Subject>(
    make: &Maker<'_, S>,
    store: &dyn KeyStore<Schema = S::Schema>,
    key: &Record<S>,
) -> (Option<Record<S>>, Option<Record<S>>, Vec<HistoryEntry>) {
    let KeyHead { id, prefix, .. } = &key.head;
    let digest = digest(&key.head);
    let got = make.answer(store.get(id).await, "a key is found by its identity, or is absent");
    let found = store.find(KeyLookup::new(&digest, prefix.as_str())).await;
    let found = make.answer(found, "a key is found by its digest, or is absent");
    let found = found.iter().find(|key| key.head.digest == Some(digest)).map(|key| as_verified(key));
    if !make.abilities().changes {
        return (got, found, Vec::new());
    }
    (got, found, make.answer(store.history(id).await, "the history of a key is read"))
}
