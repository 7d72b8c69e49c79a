//! Changes of one key after its issue, made at the same time: one for each version, and none of a revoked key.

use keyward::key::{Action, HistoryEntry, KeyChange, KeyId, KeyName};
use keyward::schemas::standard::{Standard, StandardUpdate};
use keyward::store::StoreError;
use keyward::{Keys, KeysError};

use super::{ACME, HOUR, issue, key_by_id};
use crate::support::concurrency::{PROCESSES, RACERS, processes, race};
use crate::support::{Fixture, START, over};

over![
    every_store of Standard:
    of_many_updates_of_one_version_one_is_made,
    a_change_that_races_with_a_revocation_never_revives_the_key,
    of_a_rotation_and_a_change_of_the_expiry_that_were_worked_out_together_one_is_made,
];

fn renamed(racer: usize, version: u64) -> StandardUpdate {
    StandardUpdate::new().rename(name(racer, version))
}

/// Another name for each racer and version, so that every update changes something.
fn name(racer: usize, version: u64) -> KeyName {
    KeyName::new(format!("racer {racer} of version {version}")).unwrap()
}

/// The key's history, which must lead from version to version without a gap.
async fn gapless_history(keys: &Keys<Standard>, id: &KeyId) -> Vec<HistoryEntry> {
    let history = keys.history(id).await.unwrap();
    for (position, entry) in history.iter().enumerate() {
        let from = position as u64;
        assert_eq!((entry.from_version, entry.to_version), (from, from + 1), "{history:?}");
    }
    assert_eq!(history.len() as u64, key_by_id(keys, id).await.head.version, "{history:?}");
    history
}

async fn of_many_updates_of_one_version_one_is_made(fixture: Fixture<Standard>) {
    let processes = processes(&fixture).await;
    let id = fixture.issue(ACME).await.record.head.id;
    for version in 1..=5 {
        let racers = (0..RACERS).map(|racer| {
            let (keys, id) = (processes[racer % PROCESSES].clone(), id.clone());
            move || async move { (racer, keys.update(&id, version, renamed(racer, version)).await) }
        });
        let (won, lost): (Vec<_>, Vec<_>) = race(racers).await.into_iter().partition(|(_, outcome)| outcome.is_ok());
        let [(winner, Ok(changed))] = &won[..] else { panic!("there must be one winner: {won:?}") };
        assert_eq!(changed.key.head.version, version + 1);
        for (_, outcome) in &lost {
            let learns = matches!(outcome, Err(KeysError::Changed { version: now }) if *now == version + 1);
            assert!(learns, "every loser learns of the version that it is at: {outcome:?}");
        }
        let stored = key_by_id(&fixture.keys, &id).await;
        assert_eq!(stored.details.name, name(*winner, version));
        assert_eq!(stored, changed.key);
    }
    assert_eq!(gapless_history(&fixture.keys, &id).await.len(), 6);
}

async fn a_change_that_races_with_a_revocation_never_revives_the_key(fixture: Fixture<Standard>) {
    let processes = processes(&fixture).await;
    for _ in 0..5 {
        let issued = fixture.issue(ACME).await;
        let id = &issued.record.head.id;
        let racers = (0..RACERS).map(|racer| {
            let (keys, id) = (processes[racer % PROCESSES].clone(), id.clone());
            move || async move {
                match racer % 4 {
                    _ if racer == RACERS - 1 => keys.revoke(&id, None).await.map(|_| ()),
                    0 => keys.disable(&id, None).await.map(|_| ()),
                    1 => keys.enable(&id, None).await.map(|_| ()),
                    _ => keys.update(&id, 1, renamed(racer, 1)).await.map(|_| ()),
                }
            }
        });
        let outcomes = race(racers).await;
        assert!(outcomes.last().unwrap().is_ok(), "a revocation needs no version");
        for outcome in &outcomes {
            let lost = matches!(outcome, Ok(()) | Err(KeysError::Changed { .. } | KeysError::Change(_)));
            assert!(lost, "a loser learns that it lost: {outcome:?}");
        }
        assert!(key_by_id(&fixture.keys, id).await.head.is_revoked(), "{outcomes:?}");
        let history = gapless_history(&fixture.keys, id).await;
        assert_eq!(history.last().map(|entry| entry.action), Some(Action::Revoked), "nothing follows a revocation");
        for keys in &processes {
            let refusal = keys.verify(issued.secret.expose_secret()).await.unwrap_err();
            assert_eq!(refusal.reason().code(), "revoked");
        }
    }
}

/// Both have seen the key alive, unrotated and with one and the same expiry.
async fn of_a_rotation_and_a_change_of_the_expiry_that_were_worked_out_together_one_is_made(
    fixture: Fixture<Standard>,
) {
    let processes = processes(&fixture).await;
    let later = StandardUpdate::new().expires_at(Some(START.saturating_add(2 * HOUR)));
    for round in 0..16 {
        let seen = issue(&fixture.keys, Some(START.saturating_add(HOUR))).await.record().clone();
        let rotation = fixture.keys.prepare_rotation(seen.clone(), HOUR / 2, None).unwrap();
        let successor = rotation.rotation().successor.head.id.clone();
        let change = KeyChange::update(&seen, later.clone(), None, START).unwrap().unwrap();
        let racers = [(processes[0].clone(), Some(rotation), None), (processes[1].clone(), None, Some(change))];
        // Whoever is named first has the better start; take turns.
        let mut racers = racers.map(|(keys, rotation, change)| {
            move || async move {
                match (rotation, change) {
                    (Some(rotation), _) => ("rotation", keys.store().rotate(rotation.rotation()).await.map(|_| ())),
                    (_, Some(change)) => ("change", keys.store().change(&change).await),
                    _ => unreachable!("each racer has one of them"),
                }
            }
        });
        if round % 2 == 1 {
            racers.reverse();
        }
        let outcomes = race(racers).await;
        let won: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(what, _)| *what).collect();
        let lost = outcomes.iter().find_map(|(_, outcome)| outcome.as_ref().err());
        assert!(matches!(lost, Some(StoreError::Conflict)), "{outcomes:?}");
        let [winner] = won[..] else { panic!("there must be one winner: {outcomes:?}") };

        let stored = key_by_id(&fixture.keys, &seen.head.id).await.head;
        let was_rotated = winner == "rotation";
        assert_eq!(stored.successor.is_some(), was_rotated);
        assert_eq!(fixture.keys.get(&successor).await.unwrap().is_some(), was_rotated);
        let expires_at = START.saturating_add(if was_rotated { HOUR / 2 } else { 2 * HOUR });
        assert_eq!(stored.expires_at, Some(expires_at));
        gapless_history(&fixture.keys, &seen.head.id).await;
    }
}
