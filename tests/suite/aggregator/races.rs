//! Several processes at one aggregator: one key is left, and everybody knows whether it is theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward::key::{KeyHead, RefusalReason, Revocation, Status};
use keyward::schemas::aggregator::Aggregator;
use keyward::store::StoreError;
use keyward::{Keys, KeysError, ManualClock};
use tokio::task::{JoinSet, yield_now};

use super::host::{DID, Host, draft, has_lost, owner, refusal, refusal_of, revoked_at, revoked_before};
use crate::support::concurrency::race;
use crate::support::{Fixture, START, keys, over};

/// How many race, each with a store of its own.
const RACERS: usize = 8;
const ROUNDS: usize = 5;

over![everywhere of Aggregator:
    eight_racing_creates_leave_one_key_of_a_caller_who_knows_it,
    eight_racing_replacements_leave_one_key_of_a_caller_who_knows_it,
    of_eight_first_keys_that_were_prepared_together_one_wins,
    of_eight_replacements_that_were_prepared_together_one_wins,
    of_eight_racing_revocations_one_revokes_and_seven_learn_since_when,
    a_revocation_never_hits_the_key_that_a_racing_create_has_made,
    during_a_replacement_exactly_one_key_is_accepted,
];

over![every_database of Aggregator: a_create_that_races_with_the_rows_deletion_leaves_nothing_behind];

/// Issues eight keys for [`DID`] at once, and looks at what is left of them.
async fn race_for_the_key(host: &Host, processes: &[Keys<Aggregator>]) {
    let racers = processes.iter().cloned().map(|keys| move || async move { keys.issue_only(draft(DID)).await });
    let outcomes = race(racers).await;
    let mut accepted = Vec::new();
    for outcome in &outcomes {
        match outcome {
            Ok(issued) if refusal(&host.keys, &issued.secret).await.is_none() => accepted.push(issued),
            Ok(replaced) => {
                assert_eq!(refusal(&host.keys, &replaced.secret).await, Some(RefusalReason::Unknown));
            }
            lost => has_lost(lost),
        }
    }
    let [winner] = accepted[..] else { panic!("one key must be accepted: {outcomes:?}") };
    assert_eq!(host.only_key().await.unwrap(), winner.record);
}

async fn eight_racing_creates_leave_one_key_of_a_caller_who_knows_it(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    race_for_the_key(&host, &host.another_processes::<RACERS>().await).await;
}

async fn eight_racing_replacements_leave_one_key_of_a_caller_who_knows_it(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let processes = host.another_processes::<RACERS>().await;
    for round in 0..ROUNDS {
        let old = host.issue().await;
        if round % 2 == 1 {
            host.keys.revoke_seen(&old.record.head, None).await.unwrap();
        }
        race_for_the_key(&host, &processes).await;
        assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Unknown));
    }
}

/// One of the racers knows that it won, all others that they lost, and the winner's key is the one that is there.
async fn one_has_won(host: &Host, outcomes: Vec<(KeyHead, Result<(), StoreError>)>) {
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
    assert_eq!((won.len(), lost.len()), (1, RACERS - 1));
    assert!(lost.iter().all(|(_, outcome)| matches!(outcome, Err(StoreError::Conflict))), "{lost:?}");
    assert_eq!(host.only_key().await.unwrap().head, won[0].0);
}

/// The contract at its sharpest: all of the racers have seen that there is no key.
async fn of_eight_first_keys_that_were_prepared_together_one_wins(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let racers = host.another_processes::<RACERS>().await.into_iter().map(|keys| {
        let prepared = keys.prepare(draft(DID)).unwrap();
        move || async move { (prepared.record().head.clone(), keys.store().insert(prepared.record()).await) }
    });
    one_has_won(&host, race(racers).await).await;
}

async fn of_eight_replacements_that_were_prepared_together_one_wins(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let processes = host.another_processes::<RACERS>().await;
    for _ in 0..ROUNDS {
        let seen = host.issue_and_look().await;
        let racers = processes.iter().cloned().map(|keys| {
            let prepared = keys.prepare_replacement(seen.clone(), draft(DID)).unwrap();
            move || async move {
                let head = prepared.rotation().successor.head.clone();
                (head, keys.store().rotate(prepared.rotation()).await.map(|_| ()))
            }
        });
        one_has_won(&host, race(racers).await).await;
    }
}

/// Every racer has a time of its own, so that it shows whose revocation stands.
async fn of_eight_racing_revocations_one_revokes_and_seven_learn_since_when(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let processes = host.another_processes::<RACERS>().await;
    for _ in 0..ROUNDS {
        let seen = host.issue_and_look().await;
        let racers = processes.iter().zip(0_u32..).map(|(process, racer)| {
            let at = START.saturating_add(racer * Duration::from_secs(1));
            let keys = keys(Arc::clone(process.store()), &Arc::new(ManualClock::new(at)), 0);
            let seen = seen.clone();
            move || async move { (at, keys.revoke_seen(&seen, None).await.unwrap()) }
        });
        let outcomes = race(racers).await;
        let winners: Vec<_> = outcomes.iter().filter(|(at, revoked)| *revoked == revoked_at(*at)).collect();
        let [(at, _)] = winners[..] else { panic!("one must have revoked it: {outcomes:?}") };
        let stands = Revocation::new(Some(*at), None);
        let late = outcomes.iter().filter(|(_, revoked)| *revoked == revoked_before(&stands)).count();
        assert_eq!(late, RACERS - 1, "{outcomes:?}");
        assert_eq!(host.only_key().await.unwrap().head.status, Status::Revoked(stands));
    }
}

async fn a_revocation_never_hits_the_key_that_a_racing_create_has_made(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let processes = host.another_processes::<RACERS>().await;
    for _ in 0..2 * ROUNDS {
        let old = host.issue().await;
        let seen = host.only_key().await.unwrap().head;
        let racers = processes.iter().cloned().enumerate().map(|(lane, keys)| {
            let seen = seen.clone();
            move || async move {
                if lane == 0 {
                    return Some(keys.issue_only(draft(DID)).await);
                }
                match keys.revoke_seen(&seen, None).await {
                    Ok(_) | Err(KeysError::Store(StoreError::Conflict)) => None,
                    other => panic!("{other:?}"),
                }
            }
        });
        match race(racers).await.swap_remove(0).unwrap() {
            Ok(new) => {
                assert_eq!(host.refusal(&new.secret).await, None);
                assert_eq!(host.only_key().await.unwrap(), new.record);
                assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Unknown));
            }
            // It may lose to a revocation, as long as it knows.
            lost => {
                has_lost(&lost);
                assert_eq!(host.refusal(&old.secret).await, Some(RefusalReason::Revoked));
            }
        }
    }
}

async fn during_a_replacement_exactly_one_key_is_accepted(fixture: Fixture<Aggregator>) {
    let host = Host::over(fixture).await;
    let processes = host.another_processes::<3>().await;
    for _ in 0..ROUNDS {
        let seen = host.issue_and_look().await;
        let old = seen.digest.unwrap();
        let prepared = host.keys.prepare_replacement(seen, draft(DID)).unwrap();
        let new = prepared.rotation().successor.head.digest.unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let mut watchers = JoinSet::new();
        for keys in &processes {
            let (keys, done) = (keys.clone(), Arc::clone(&done));
            watchers.spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    // The old key goes and the new one comes at one moment: whoever sees one of the two has to see the
                    // other.
                    if refusal_of(&keys, &new).await.is_none() {
                        assert_ne!(refusal_of(&keys, &old).await, None, "both keys are accepted");
                    }
                    if refusal_of(&keys, &old).await.is_some() {
                        assert_eq!(refusal_of(&keys, &new).await, None, "neither key is accepted");
                    }
                    yield_now().await;
                }
            });
        }
        host.keys.store().rotate(prepared.rotation()).await.unwrap();
        done.store(true, Ordering::SeqCst);
        watchers.join_all().await;
        assert_eq!(host.refusal_of(&new).await, None);
        assert_eq!(host.refusal_of(&old).await, Some(RefusalReason::Unknown));
    }
}

async fn a_create_that_races_with_the_rows_deletion_leaves_nothing_behind(fixture: Fixture<Aggregator>) {
    let host = Arc::new(Host::over(fixture).await);
    for round in 0..2 * ROUNDS {
        if round % 2 == 1 {
            host.issue().await;
        }
        let racers = [true, false].map(|deletes| {
            let host = Arc::clone(&host);
            move || async move {
                if deletes {
                    host.delete_aggregator(DID).await;
                    return None;
                }
                match host.keys.issue_only(draft(DID)).await {
                    Ok(issued) => Some(issued),
                    Err(KeysError::Store(StoreError::Missing(_) | StoreError::Conflict)) => None,
                    Err(error) => panic!("{error:?}"),
                }
            }
        });
        let issued = race(racers).await.pop().unwrap();
        assert_eq!(host.count_aggregators().await, 0);
        if let Some(issued) = issued {
            assert_eq!(host.refusal(&issued.secret).await, Some(RefusalReason::Unknown));
        }
        host.add_aggregator(DID).await;
        assert_eq!(host.keys.only_key(&owner(DID)).await.unwrap(), None);
    }
}
