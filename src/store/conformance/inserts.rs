//! A key is added, and none is overwritten.

use crate::store::conformance::{Maker, Subject};

/// A taken identity or digest is a conflict, and the key that has it stays as it is.
///
/// # Panics
/// When the store breaks this promise.
pub async fn insert_never_overwrites<S: Subject>(subject: &S) {
    let make = Maker::new(subject, "insert_never_overwrites");
    let store = make.store();
    let first = make.stored().await;

    let mut same_id = make.key(&first.head.owner);
    same_id.head.id = first.head.id.clone();
    let mut same_digest = make.key(&make.owner_beside(&first).await);
    same_digest.head.digest = first.head.digest;
    same_digest.head.prefix = first.head.prefix.clone();
    make.conflict(store.insert(&same_id).await, "a taken identity is a conflict");
    make.conflict(store.insert(&same_digest).await, "a taken digest is a conflict");
    make.stands(&first, "the key that was there stays as it is").await;
    make.absent(&same_id.head, "the key whose identity was taken is not added").await;
    let second = make.get(&same_digest.head.id).await;
    make.check(second.is_none(), "the key whose digest was taken is not added");
}
