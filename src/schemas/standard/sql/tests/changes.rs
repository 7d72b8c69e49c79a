//! Changes of keys, and the history that they leave.

use std::time::Duration;

use super::{named, on_each, on_engines, owner, reason};
use crate::key::{
    Action, Actor, Environment, FieldChange, HistoryEntry, KeyChange, KeyName, Metadata, PrepareError, RateLimit,
    RefusalReason, Scope, Scopes, Status,
};
use crate::schemas::standard::{Standard, StandardUpdate};
use crate::service::KeysError;
use crate::sql::SqlKeyStore;
use crate::store::{KeyUse, RevokeRequest, StoreError};

fn rename(name: &str) -> StandardUpdate {
    StandardUpdate::new().rename(KeyName::new(name).unwrap())
}

#[tokio::test]
async fn of_two_updates_of_one_version_the_second_learns_that_it_lost() {
    on_each(|subject| async move {
        let issued = subject.issue(named("import").scope("a").unwrap().metadata("{}").unwrap()).await;
        let id = &issued.record.head.id;
        let update = rename("export").scopes([Scope::new("b").unwrap(), Scope::new("c").unwrap()]);
        let update =
            update.rate_limit(RateLimit::per_minute(5).unwrap()).unwrap().description(Some("d".parse().unwrap()));
        let changed = subject.keys.update(id, 1, update.metadata(Some(Metadata::new(" {} ").unwrap()))).await.unwrap();
        assert_eq!(changed.key.head.version, 2);
        assert_eq!(subject.get(id).await, changed.key);
        assert_eq!(subject.verdict(&issued).await, "accepted");
        let accepted = subject.keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(accepted.details().scopes.to_string(), "b c", "in force at once");

        let lost = subject.keys.update(id, 1, rename("third")).await.unwrap_err();
        assert!(matches!(lost, KeysError::Changed { version: 2 }), "{lost:?}");
        let change = KeyChange::update(&issued.record, rename("fourth"), None, subject.keys.now()).unwrap().unwrap();
        let lost = subject.keys.store().change(&change).await.unwrap_err();
        assert!(matches!(lost, StoreError::Conflict), "{lost:?}");
        assert_eq!(subject.get(id).await, changed.key, "nothing of it stays");
        assert_eq!(subject.keys.history(id).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_key_is_refused_until_it_is_enabled() {
    on_each(|subject| async move {
        let issued = subject.issue(named("import")).await;
        let id = &issued.record.head.id;
        let disabled = subject.keys.disable(id, Some(reason("noisy"))).await.unwrap();
        assert_eq!(subject.get(id).await, disabled.key);
        assert!(matches!(&disabled.key.head.status, Status::Disabled(how) if how.reason == Some(reason("noisy"))));
        assert_eq!(subject.verdict(&issued).await, "disabled");
        assert!(subject.keys.rotate(id, Duration::ZERO, None).await.is_err());
        let enabled = subject.keys.enable(id, None).await.unwrap();
        assert_eq!(enabled.key.head.version, 3);
        assert_eq!(subject.get(id).await, enabled.key);
        assert_eq!(subject.verdict(&issued).await, "accepted");
    })
    .await;
}

#[tokio::test]
async fn a_rotation_links_both_keys_and_happens_once() {
    on_each(|subject| async move {
        let first = subject.issue(named("import").scope("a").unwrap().requests_per_minute(7).unwrap()).await;
        let id = &first.record.head.id;
        let rotated = subject.keys.rotate(id, Duration::from_mins(1), None).await.unwrap();
        let second = &rotated.successor;
        assert_eq!(subject.get(&second.record.head.id).await, second.record);
        assert_eq!(second.record.details.predecessor.as_ref(), Some(id));
        assert_eq!(second.record.details.scopes, first.record.details.scopes);
        let retired = subject.get(id).await.head;
        assert_eq!((retired.successor.as_ref(), retired.version), (Some(&second.record.head.id), 2));
        assert_eq!(retired.expires_at, Some(rotated.accepted_until));
        let again = subject.keys.rotate(id, Duration::ZERO, None).await.unwrap_err();
        assert!(matches!(again, KeysError::AlreadyRotated { .. } | KeysError::Prepare(_)), "{again:?}");

        let third = subject.keys.rotate(&second.record.head.id, Duration::ZERO, None).await.unwrap().successor;
        assert_eq!(&third.record.details.lineage, id, "the first of all of them");
        assert_eq!([subject.verdict(&first).await, subject.verdict(second).await], ["accepted", "revoked"]);
        subject.clock.advance(Duration::from_mins(1));
        assert_eq!([subject.verdict(&first).await, subject.verdict(&third).await], ["expired", "accepted"]);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_loses_to_any_change_that_came_first() {
    on_each(|subject| async move {
        let prepare = async |id| {
            let seen = subject.get(id).await;
            subject.keys.prepare_rotation(seen, Duration::from_secs(9), None).unwrap()
        };
        let issued = subject.issue(named("import").scope("admin").unwrap()).await;
        let id = &issued.record.head.id;
        let late = prepare(id).await;
        subject.keys.update(id, 1, StandardUpdate::new().scopes([])).await.unwrap();
        let lost = subject.keys.store().rotate(late.rotation()).await.unwrap_err();
        assert!(matches!(lost, StoreError::Conflict), "permissions that were cut stay cut: {lost:?}");

        let late = prepare(id).await;
        subject.keys.revoke(id, None).await.unwrap();
        subject.keys.store().rotate(late.rotation()).await.unwrap_err();
        assert_eq!(subject.keys.store().get(&late.rotation().successor.head.id).await.unwrap(), None);
        assert_eq!(subject.keys.history(id).await.unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_key_of_another_environment_is_not_rotated_into_one_of_this() {
    on_engines(|store| async move {
        let test = Standard::new("acme").unwrap().environment(Environment::TEST).unwrap();
        let test = SqlKeyStore::open(store.engine(), test).await.unwrap();
        let [live, test] = [store, test].map(|store| super::Subject::new(std::sync::Arc::new(store)));
        let issued = test.issue(named("import")).await;
        let id = &issued.record.head.id;
        let refused = live.keys.rotate(id, Duration::ZERO, None).await.unwrap_err();
        let expected = PrepareError::NotLive(RefusalReason::OtherEnvironment);
        assert!(matches!(&refused, KeysError::Prepare(error) if *error == expected), "{refused:?}");
        assert_eq!((test.verdict(&issued).await, live.verdict(&issued).await), ("accepted", "other_environment"));
        test.keys.rotate(id, Duration::ZERO, None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn revoking_again_keeps_the_first_time_reason_and_entry() {
    on_each(|subject| async move {
        let issued = subject.issue(named("import")).await;
        let head = &issued.record.head;
        let other_owner = RevokeRequest::new(head.id.clone(), subject.keys.now()).of(owner("other"));
        assert_eq!(subject.keys.store().revoke(&other_owner).await.unwrap(), None);
        let other_digest = RevokeRequest::new(head.id.clone(), subject.keys.now());
        let other_digest = other_digest.seen(Some(crate::key::KeyDigest::of("other")));
        assert_eq!(subject.keys.store().revoke(&other_digest).await.unwrap(), None);
        assert_eq!(subject.verdict(&issued).await, "accepted");

        let first = subject.keys.revoke(&head.id, Some(reason("leaked"))).await.unwrap();
        assert!(!first.already);
        subject.tick();
        let again = subject.keys.revoke(&head.id, Some(reason("again"))).await.unwrap();
        assert!(again.already);
        assert_eq!(again.revocation, first.revocation);
        assert_eq!(subject.verdict(&issued).await, "revoked");
        assert_eq!(subject.get(&head.id).await.head.version, 2);
        assert_eq!(subject.keys.history(&head.id).await.unwrap().len(), 2);
        subject.keys.enable(&head.id, None).await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn revoking_all_keys_of_an_owner_appends_to_exactly_those_histories() {
    on_each(|subject| async move {
        let [early, first, second] = ["early", "first", "second"].map(named);
        let early = subject.issue(early).await;
        subject.keys.revoke(&early.record.head.id, Some(reason("early"))).await.unwrap();
        let (first, second) = (subject.issue(first).await, subject.issue(second).await);
        let stranger = subject.issue(crate::schemas::standard::StandardKey::new("Customer", "x").unwrap()).await;
        let by = subject.keys.by(Actor::new("operator").unwrap());
        assert_eq!(by.revoke_all(&owner("customer"), Some(reason("gone"))).await.unwrap().count, 2);
        assert_eq!(by.revoke_all(&owner("customer"), Some(reason("gone"))).await.unwrap().count, 0);

        for issued in [&first, &second] {
            assert_eq!(subject.verdict(issued).await, "revoked");
            let history = subject.keys.history(&issued.record.head.id).await.unwrap();
            let expected = HistoryEntry::new(Action::Revoked, 2, subject.keys.now());
            assert_eq!(history[1..], [expected.with(Some(Actor::new("operator").unwrap()), Some(reason("gone")))]);
        }
        assert_eq!(subject.keys.history(&early.record.head.id).await.unwrap().len(), 2);
        assert_eq!(subject.verdict(&stranger).await, "accepted");
    })
    .await;
}

#[tokio::test]
async fn the_history_has_every_change_in_order() {
    on_each(|subject| async move {
        let issued = subject.issue(named("import")).await;
        let id = &issued.record.head.id;
        let by = subject.keys.by(Actor::new("operator").unwrap());
        by.update(id, 1, rename("export").metadata(Some(Metadata::new("\"\n").unwrap()))).await.unwrap();
        by.disable(id, Some(reason("noisy"))).await.unwrap();
        by.enable(id, None).await.unwrap();
        by.rotate(id, Duration::from_secs(9), None).await.unwrap();
        by.revoke(id, None).await.unwrap();

        let history = by.history(id).await.unwrap();
        let actions: Vec<_> = history.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["issued", "updated", "disabled", "enabled", "rotated", "revoked"]);
        for (entry, to_version) in history.iter().zip(1..) {
            assert_eq!((entry.from_version, entry.to_version), (to_version - 1, to_version));
            assert_eq!(entry.by.is_some(), entry.action != Action::Issued);
        }
        let changes = [
            FieldChange::new("name", Some("import".to_owned()), Some("export".to_owned())),
            FieldChange::new("metadata", None, Some("\"\n".to_owned())),
        ];
        assert_eq!(history[1].changes, changes);
        assert_eq!(history[2].reason, Some(reason("noisy")));
        assert!(by.history(&"none".parse().unwrap()).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn last_use_moves_forward_only_and_only_for_the_very_key() {
    on_each(|subject| async move {
        let issued = subject.issue(named("import")).await;
        let head = &issued.record.head;
        let digest = head.digest.unwrap();
        let (early, late) = (subject.keys.now(), subject.keys.now().saturating_add(Duration::from_micros(1)));
        let store = subject.keys.store();
        let used = |at| KeyUse::new(head.id.clone(), digest, at);
        let gone = KeyUse::new("gone".parse().unwrap(), digest, late);
        let other = KeyUse::new(head.id.clone(), crate::key::KeyDigest::of("other"), late);
        assert_eq!(store.touch(&[gone, other]).await.unwrap().written, 0);
        assert_eq!(store.touch(&[used(late)]).await.unwrap().written, 1);
        assert_eq!(store.touch(&[used(early)]).await.unwrap().written, 0);
        assert_eq!(store.touch(&[]).await.unwrap().written, 0);
        let found = subject.get(&head.id).await.head;
        assert_eq!((found.last_used_at, found.version), (Some(late), 1));
    })
    .await;
}

#[tokio::test]
async fn what_would_be_read_back_as_something_else_is_not_stored() {
    on_engines(|store| async move {
        let subject = super::Subject::new(std::sync::Arc::new(store));
        let mut record = subject.keys.prepare(named("import")).unwrap().record().clone();
        record.details.scopes = Scopes::from_stored(["jobs admin"]);
        let refused = subject.keys.store().insert(&record).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unsupported(_)), "{refused:?}");
        record.details.scopes = Scopes::default();
        record.details.rate_limit = RateLimit::DenyAll;
        let refused = subject.keys.store().insert(&record).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unsupported(_)), "{refused:?}");
        record.details.rate_limit = RateLimit::ServiceDefault;
        record.head.status = Status::Revoked(crate::key::Revocation::default());
        subject.keys.store().insert(&record).await.unwrap();
        assert!(subject.get(&record.head.id).await.head.is_revoked(), "a dead key is not revived by a copy");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_races_every_version_has_one_entry_in_the_history() {
    on_each(|subject| async move {
        let ids = [subject.issue(named("a")).await, subject.issue(named("b")).await].map(|key| key.record.head.id);
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..12 {
            let (keys, ids) = (subject.keys.clone(), ids.clone());
            tasks.spawn(async move {
                for round in 0..4 {
                    let id = &ids[(task + round) % 2];
                    let outcome = match (task + round) % 6 {
                        0 => keys.disable(id, None).await.map(|_| ()),
                        1 => keys.enable(id, None).await.map(|_| ()),
                        2 => keys.rotate(id, Duration::from_secs(9), None).await.map(|_| ()),
                        3 if round == 3 => {
                            keys.revoke_all(&owner("customer"), None).await.map(|_| ()).map_err(Into::into)
                        }
                        4 if round == 3 => keys.revoke(id, None).await.map(|_| ()),
                        _ => keys.update(id, 1, rename(&format!("{task} {round}"))).await.map(|_| ()),
                    };
                    if let Err(KeysError::Store(error)) = outcome {
                        assert!(matches!(error, StoreError::Conflict), "{error:?}");
                    }
                }
            });
        }
        tasks.join_all().await;
        for id in &ids {
            let history = subject.keys.history(id).await.unwrap();
            assert_eq!(history.len() as u64, subject.get(id).await.head.version);
            assert!(history.iter().zip(1..).all(|(entry, version)| entry.to_version == version));
        }
    })
    .await;
}
