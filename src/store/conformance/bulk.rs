//! Many keys in one call.

use std::collections::HashMap;

use crate::store::conformance::maker::use_of;
use crate::store::conformance::{Maker, Record, Subject};
use crate::store::{KeyFilter, KeyUse, ListRequest, RevokeAllRequest};

/// More than an engine binds in one statement, or a page holds, by default.
const MANY: u32 = 1_000;

/// The uses of a thousand keys are written in one call, and the thousand keys of an owner are revoked in one call: all
/// of them.
///
/// # Panics
/// When the store breaks this promise.
pub async fn a_thousand_keys_are_touched_and_revoked_at_once<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "a_thousand_keys_are_touched_and_revoked_at_once");
    if !make.abilities().several_keys_per_owner {
        return;
    }
    let store = make.store();
    let owner = make.owner().await;
    let mut uses = Vec::new();
    let mut keys = Vec::new();
    for _ in 0..MANY {
        let key = make.key(&owner);
        make.insert(&key).await;
        uses.push(use_of(&key, make.now()));
        keys.push(key);
    }
    let touched = make.answer(store.touch(&uses).await, "many uses are written in one call");
    make.same(&(touched.busy, touched.refused), &(Vec::new(), Vec::new()), "no use of many is left over");
    make.same(&touched.written, &u64::from(MANY), "each of many uses is written");
    let all = ListRequest::new(KeyFilter::new().of(owner.clone()), u32::MAX, make.now());
    let listed = make.answer(store.list(&all).await, "many keys are listed on one page");
    make.same(&listed.len(), &keys.len(), "each of many keys is listed");
    let used_at: HashMap<_, _> = listed.iter().map(|key| (&key.head.id, key.head.last_used_at)).collect();
    let is_found = |used: &&KeyUse| used_at.get(&used.id) == Some(&Some(used.at));
    make.same(&uses.iter().filter(is_found).count(), &uses.len(), "each of many keys has the time of its own use");

    let stranger = make.stored().await;
    let request = RevokeAllRequest::new(owner, make.now()).because(make.reason()).by(make.actor());
    let revoked = make.answer(store.revoke_all(&request).await, "many keys are revoked in one call");
    make.same(&revoked.count, &u64::from(MANY), "each of many keys is revoked");
    make.same(&revoked.remaining, &Vec::new(), "none of many keys is left over");
    let listed = make.answer(store.list(&all).await, "many keys are listed on one page");
    let is_live = |key: &&Record<S>| key.head.standing(request.at).is_ok();
    make.same(&listed.iter().filter(is_live).count(), &0, "none of many keys is accepted any longer");
    make.stands(&stranger, "keys of others stay as they are").await;
}
