//! Keys bound to an owner: keys of others are not there, whatever is asked of them.

use keyward::KeysError;
use keyward::key::{KeyName, OwnerId};
use keyward::schemas::standard::{Standard, StandardUpdate};
use keyward::store::{KeyFilter, StoreError};

use super::{Fixture, HOUR, acme, get, verdict};
use crate::support::over;

over![every_store of Standard:
    a_key_of_another_owner_is_not_found_and_nothing_is_changed,
    an_owner_does_with_its_own_keys_what_it_likes,
    owners_are_compared_letter_for_letter,
];

fn rename() -> StandardUpdate {
    StandardUpdate::new().rename(KeyName::new("mine now").unwrap())
}

async fn a_key_of_another_owner_is_not_found_and_nothing_is_changed(fixture: Fixture) {
    let theirs = fixture.issue("acme").await;
    let mine = fixture.issue("stranger").await;
    let id = &theirs.record.head.id;
    let stranger = fixture.keys.of(&mine.record.head.owner);
    let outcomes = [
        ("get", stranger.get(id).await.map(|_| ())),
        ("rotate", stranger.rotate(id, HOUR, None).await.map(|_| ())),
        ("revoke", stranger.revoke(id, None).await.map(|_| ())),
        ("update", stranger.update(id, 1, rename()).await.map(|_| ())),
        ("disable", stranger.disable(id, None).await.map(|_| ())),
        ("enable", stranger.enable(id, None).await.map(|_| ())),
        ("history", stranger.history(id).await.map(|_| ())),
        ("resolve", stranger.resolve(id.as_str()).await.map(|_| ())),
        ("resolve a start", stranger.resolve(&id.as_str()[..12]).await.map(|_| ())),
    ];
    for (call, outcome) in outcomes {
        // The start of an identity is the time, so that the stranger's own key may have the same.
        let is_own = call == "resolve a start" && outcome.is_ok();
        assert!(is_own || matches!(outcome, Err(KeysError::NotFound)), "{call}: {outcome:?}");
    }
    assert_eq!(stranger.resolve(&mine.record.head.id.as_str()[..12]).await.unwrap(), mine.record);
    let page = stranger.list(10, Some(id)).await.map(|_| ());
    assert!(matches!(page, Err(StoreError::UnknownCursor)), "{page:?}");
    let listed = [
        stranger.list(10, None).await.unwrap().keys,
        // An owner that a filter names is replaced.
        stranger.search(KeyFilter::new().of(acme()), 10, None).await.unwrap().keys,
    ];
    for listed in listed {
        assert_eq!(listed, std::slice::from_ref(&mine.record));
    }
    assert_eq!(stranger.count(KeyFilter::new().of(acme())).await.unwrap(), 1);
    assert_eq!(stranger.revoke_all(None).await.unwrap().count, 1);

    assert_eq!(get(&fixture.keys, id).await, theirs.record);
    assert_eq!(fixture.keys.history(id).await.unwrap().len(), 1);
    assert_eq!(verdict(&fixture.keys, &theirs).await, "accepted");
    assert_eq!(verdict(&fixture.keys, &mine).await, "revoked");
}

async fn an_owner_does_with_its_own_keys_what_it_likes(fixture: Fixture) {
    let issued = fixture.issue("acme").await;
    let bystander = fixture.issue("stranger").await;
    let id = &issued.record.head.id;
    let keys = fixture.keys.of(&acme());
    assert_eq!(keys.get(id).await.unwrap(), issued.record);
    assert_eq!(keys.resolve(id.as_str()).await.unwrap(), issued.record);
    assert_eq!(keys.update(id, 1, rename()).await.unwrap().key.details.name.as_str(), "mine now");
    assert_eq!(keys.disable(id, None).await.unwrap().key.head.version, 3);
    assert_eq!(keys.enable(id, None).await.unwrap().key.head.version, 4);
    let successor = keys.rotate(id, HOUR, None).await.unwrap().successor;
    assert!(!keys.revoke(id, None).await.unwrap().already);
    assert_eq!(keys.history(id).await.unwrap().len(), 6);
    assert_eq!(keys.count(KeyFilter::new()).await.unwrap(), 2);
    assert_eq!(keys.revoke_all(None).await.unwrap().count, 1);
    assert_eq!(verdict(&fixture.keys, &successor).await, "revoked");
    assert_eq!(verdict(&fixture.keys, &bystander).await, "accepted");
}

async fn owners_are_compared_letter_for_letter(fixture: Fixture) {
    let issued = fixture.issue("acme").await;
    for other in ["Acme", "ACME", "acme ", "acm%", "acme\u{301}", "acm"] {
        let other = fixture.keys.of(&OwnerId::new(other).unwrap());
        assert!(matches!(other.get(&issued.record.head.id).await, Err(KeysError::NotFound)), "{}", other.owner());
        assert_eq!(other.list(10, None).await.unwrap().keys, []);
        assert_eq!(other.revoke_all(None).await.unwrap().count, 0);
    }
    assert_eq!(verdict(&fixture.keys, &issued).await, "accepted");
}
