//! The history of a key: every change, in order, with its author and reason, and nothing that did not happen.

use keyward::KeysError;
use keyward::key::{Action, Actor, FieldChange, HistoryEntry, KeyId, KeyName};
use keyward::schemas::standard::{Standard, StandardUpdate};

use super::{Fixture, HOUR, acme, get, named, reason};
use crate::support::{START, over};

over![every_store of Standard:
    the_history_names_every_change_its_author_and_its_reason,
    a_revocation_of_all_keys_appends_to_each_history,
    what_did_not_happen_leaves_no_entry,
    a_key_that_does_not_exist_has_no_history,
];

fn actor(name: &str) -> Actor {
    Actor::new(name).unwrap()
}

fn rename(name: &str) -> StandardUpdate {
    StandardUpdate::new().rename(KeyName::new(name).unwrap())
}

async fn the_history_names_every_change_its_author_and_its_reason(fixture: Fixture) {
    let (ada, bob) = (fixture.keys.by(actor("ada")), fixture.keys.by(actor("bob")));
    let mut expected = Vec::new();
    let mut step = |action, by: Option<&str>, why: Option<&str>, version: u32, changes| {
        let at = START.saturating_add((version - 1) * HOUR);
        let mut entry = HistoryEntry::new(action, u64::from(version), at).with(by.map(actor), why.map(reason));
        entry.changes = changes;
        expected.push(entry);
        fixture.clock.advance(HOUR);
    };

    let issued = ada.issue(named("import")).await.unwrap();
    let id = &issued.record.head.id;
    assert_eq!(issued.record.head.created_by, Some(actor("ada")));
    step(Action::Issued, Some("ada"), None, 1, vec![]);
    bob.update(id, 1, rename("export").description(None)).await.unwrap();
    let name = |from: &str, to: &str| FieldChange::new("name", Some(from.to_owned()), Some(to.to_owned()));
    step(Action::Updated, Some("bob"), None, 2, vec![name("import", "export")]);
    fixture.keys.disable(id, Some(reason("unpaid"))).await.unwrap();
    step(Action::Disabled, None, Some("unpaid"), 3, vec![]);
    ada.enable(id, Some(reason("paid"))).await.unwrap();
    step(Action::Enabled, Some("ada"), Some("paid"), 4, vec![]);
    let rotated = bob.rotate(id, HOUR, None).await.unwrap();
    step(Action::Rotated, Some("bob"), None, 5, vec![]);
    ada.revoke(id, Some(reason("leaked"))).await.unwrap();
    step(Action::Revoked, Some("ada"), Some("leaked"), 6, vec![]);
    assert_eq!(fixture.another_process().await.history(id).await.unwrap(), expected);
    assert_eq!(get(&fixture.keys, id).await.head.version, 6);

    let successor = &rotated.successor.record.head;
    assert_eq!(successor.created_by, Some(actor("bob")));
    let at = START.saturating_add(4 * HOUR);
    let first = HistoryEntry::new(Action::Issued, 1, at).with(Some(actor("bob")), None);
    assert_eq!(fixture.keys.history(&successor.id).await.unwrap(), [first]);
}

async fn a_revocation_of_all_keys_appends_to_each_history(fixture: Fixture) {
    let [one, other] = [fixture.issue("acme").await, fixture.issue("acme").await];
    let stranger = fixture.issue("somebody else").await;
    let early = fixture.issue("acme").await;
    fixture.keys.revoke(&early.record.head.id, Some(reason("early"))).await.unwrap();
    let revoked = fixture.keys.by(actor("ada")).revoke_all(&acme(), Some(reason("gone"))).await.unwrap();
    assert_eq!(revoked.count, 2);
    let expected = HistoryEntry::new(Action::Revoked, 2, START).with(Some(actor("ada")), Some(reason("gone")));
    for key in [&one, &other] {
        let history = fixture.keys.history(&key.record.head.id).await.unwrap();
        assert_eq!(history[1..], *std::slice::from_ref(&expected));
        assert_eq!(get(&fixture.keys, &key.record.head.id).await.head.version, 2);
    }
    assert_eq!(fixture.keys.history(&stranger.record.head.id).await.unwrap().len(), 1);
    let before = fixture.keys.history(&early.record.head.id).await.unwrap();
    assert_eq!((before.len(), &before[1].reason), (2, &Some(reason("early"))));
}

async fn what_did_not_happen_leaves_no_entry(fixture: Fixture) {
    let issued = fixture.issue("acme").await;
    let id = &issued.record.head.id;
    fixture.keys.update(id, 2, rename("stale")).await.unwrap_err();
    fixture.keys.enable(id, None).await.unwrap();
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
    fixture.keys.flush_last_used().await.unwrap();
    assert_eq!(fixture.keys.history(id).await.unwrap().len(), 1);
    fixture.keys.revoke(id, Some(reason("leaked"))).await.unwrap();
    fixture.keys.revoke(id, Some(reason("again"))).await.unwrap();
    fixture.keys.rotate(id, HOUR, None).await.unwrap_err();
    let history = fixture.keys.history(id).await.unwrap();
    assert_eq!((history.len(), &history[1].reason), (2, &Some(reason("leaked"))));
    // Nothing of the key itself stands in it.
    let shown = format!("{history:?}");
    assert!(!shown.contains(issued.secret.expose_secret()));
}

async fn a_key_that_does_not_exist_has_no_history(fixture: Fixture) {
    fixture.issue("acme").await;
    let history = fixture.keys.history(&KeyId::new("no such key").unwrap()).await;
    assert!(matches!(history, Err(KeysError::NotFound)), "{history:?}");
}
