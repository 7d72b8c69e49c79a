//! Races over every engine: one winner, losers who know that they lost, and never half of a change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use keyward::key::{
    Authenticated, KeyDigest, KeyId, KeyRecord, OwnerId, PrepareError, Prepared, PreparedRotation, Refusal,
    RefusalReason, Revocation, RevocationReason, Status, decide,
};
use keyward::scraper::ScraperDetails;
use keyward::service::Revoked;
use keyward::store::{KeyLookup, KeyStore, StoreError};
use keyward::{Keys, KeysError, ManualClock, Timestamp};
use tokio::task::yield_now;

use crate::support::concurrency::{Abandon, PROCESSES, RACERS, abandon, processes, race};
use crate::support::{Fixture, START, Store, draft, keys, over_every_database, over_every_store};

const HOUR: Duration = Duration::from_hours(1);

type Record = KeyRecord<ScraperDetails>;

/// Runs each test over memory and over both engines, with and without the side tables.
macro_rules! everywhere {
    ($($test:ident),+ $(,)?) => {
        over_every_database![$($test),+];

        mod memory {
            use crate::support::Fixture;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(Fixture::memory().await).await;
            })+
        }
    };
}

everywhere![
    concurrent_revocations_have_one_winner,
    concurrent_inserts_have_one_winner,
    rotations_that_were_prepared_together_have_one_winner,
    rotations_from_several_processes_have_one_winner,
    a_key_is_rotated_once_whatever_its_expiry,
    during_a_rotation_with_grace_the_old_key_is_accepted_throughout,
    during_a_rotation_without_grace_exactly_one_key_is_accepted,
    no_key_slips_through_while_all_are_revoked,
    an_abandoned_rotation_has_happened_as_a_whole_or_not_at_all,
];

fn acme() -> OwnerId {
    OwnerId::new("acme").unwrap()
}

/// Every key of the client.
async fn all_keys(keys: &Keys<Store>) -> Vec<Record> {
    keys.list(&acme(), 10_000, None).await.unwrap().keys
}

async fn key_by_id(keys: &Keys<Store>, id: &KeyId) -> Record {
    keys.show(id).await.unwrap().unwrap()
}

/// What [`Keys::verify`] does, for a key whose plaintext nobody has yet.
async fn verify_digest(keys: &Keys<Store>, digest: &KeyDigest) -> Result<Authenticated<ScraperDetails>, Refusal> {
    let candidates = keys.store().find(KeyLookup { digest, prefix: "riq_" }).await.unwrap();
    decide(candidates, digest, keys.now())
}

over_every_store![the_time_and_reason_of_the_winning_revocation_stand];

/// Every racer has a time and a reason of its own, so that it shows whose revocation stands.
async fn the_time_and_reason_of_the_winning_revocation_stand(fixture: Fixture) {
    let processes = processes(&fixture).await;
    for _ in 0..5 {
        let id = fixture.keys.issue(draft().into()).await.unwrap().record.head.id;
        let racers = (0..RACERS).map(|racer| {
            let at = START.saturating_add(Duration::from_secs(racer as u64));
            let store = Arc::clone(processes[racer % PROCESSES].store());
            let keys = keys(store, &Arc::new(ManualClock::new(at)), 0);
            let (id, reason) = (id.clone(), RevocationReason::new(format!("racer {racer}")).unwrap());
            move || async move { (at, reason.clone(), keys.revoke(&id, Some(reason)).await.unwrap()) }
        });
        let outcomes = race(racers).await;

        let winners: Vec<_> = outcomes.iter().filter(|(at, _, revoked)| *revoked == Revoked::Now(*at)).collect();
        let [(at, reason, _)] = winners[..] else { panic!("there must be one winner: {outcomes:?}") };
        let stands = Revocation { at: Some(*at), reason: Some(reason.clone()) };
        let told: Vec<_> =
            outcomes.iter().filter(|(_, _, revoked)| *revoked == Revoked::Before(stands.clone())).collect();
        assert_eq!(told.len(), RACERS - 1, "every loser is told of the winner: {outcomes:?}");
        assert_eq!(key_by_id(&fixture.keys, &id).await.head.status, Status::Revoked(stands));
    }
}

async fn concurrent_revocations_have_one_winner(fixture: Fixture) {
    let processes = processes(&fixture).await;
    for _ in 0..5 {
        let issued = fixture.keys.issue(draft().into()).await.unwrap();
        let id = &issued.record.head.id;
        let racers = (0..RACERS).map(|racer| {
            let (keys, id) = (processes[racer % PROCESSES].clone(), id.clone());
            move || async move { keys.revoke(&id, None).await.unwrap() }
        });
        let outcomes = race(racers).await;
        let won = outcomes.iter().filter(|revoked| matches!(revoked, Revoked::Now(_))).count();
        assert_eq!(won, 1, "{outcomes:?}");
        for keys in &processes {
            assert!(keys.verify(issued.secret.expose_secret()).await.is_err(), "a revoked key is accepted");
        }
    }
}

/// Once with one record, once with records that share the identity, and once with records that share the digest.
async fn concurrent_inserts_have_one_winner(fixture: Fixture) {
    let processes = processes(&fixture).await;
    let record = || fixture.keys.prepare(draft().into()).unwrap().record().clone();
    let twins: [fn(&Record, Record) -> Record; 3] = [
        |one, _| one.clone(),
        |one, mut other| {
            other.head.id = one.head.id.clone();
            other
        },
        |one, mut other| {
            other.head.digest = one.head.digest;
            other
        },
    ];
    for (round, twin) in twins.iter().enumerate() {
        let one = record();
        let racers = (0..RACERS).map(|racer| {
            let (keys, record) = (processes[racer % PROCESSES].clone(), twin(&one, record()));
            move || async move {
                let outcome = keys.store().insert(&record).await;
                (record, outcome)
            }
        });
        let outcomes = race(racers).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
        assert_eq!(won.len(), 1);
        assert!(lost.iter().all(|(_, outcome)| matches!(outcome, Err(StoreError::Conflict))), "{lost:?}");
        assert_eq!(all_keys(&fixture.keys).await.len(), round + 1);
        let (winner, _) = &won[0];
        assert_eq!(key_by_id(&fixture.keys, &winner.head.id).await, *winner, "the winner's record stands");
    }
}

/// The expiries that a key may have, and the grace periods that a rotation may give it.
fn expiries_and_graces() -> impl Iterator<Item = (Option<Timestamp>, Duration)> {
    let expiries = [None, Some(START.saturating_add(HOUR)), Some(Timestamp::MAX)];
    let graces = [Duration::ZERO, HOUR / 2, 2 * HOUR, Duration::MAX];
    expiries.into_iter().flat_map(move |expiry| graces.map(|grace| (expiry, grace)))
}

async fn issue(keys: &Keys<Store>, expires_at: Option<Timestamp>) -> Prepared<ScraperDetails> {
    let draft = expires_at.map_or_else(draft, |at| draft().expires_at(at));
    let prepared = keys.prepare(draft.into()).unwrap();
    keys.store().insert(prepared.record()).await.unwrap();
    prepared
}

/// The contract at its sharpest: all of the racers have seen the key alive and unrotated.
async fn rotations_that_were_prepared_together_have_one_winner(fixture: Fixture) {
    let processes = processes(&fixture).await;
    for (expires_at, grace) in expiries_and_graces() {
        let predecessor = issue(&fixture.keys, expires_at).await.record().clone();
        let before = all_keys(&fixture.keys).await.len();
        let racers = (0..RACERS).map(|racer| {
            let keys = processes[racer % PROCESSES].clone();
            let prepared = keys.prepare_rotation(predecessor.clone(), grace, None).unwrap();
            move || async move { keys.store().rotate(prepared.rotation()).await.map(|()| prepared) }
        });
        let (won, lost): (Vec<_>, Vec<_>) = race(racers).await.into_iter().partition(Result::is_ok);
        let told = format!("expiry {expires_at:?}, grace {grace:?}");
        assert_eq!(won.len(), 1, "{told}");
        assert!(lost.iter().all(|outcome| matches!(outcome, Err(StoreError::Conflict))), "{told}: {lost:?}");

        assert_eq!(all_keys(&fixture.keys).await.len(), before + 1, "one successor, {told}");
        let successor = &won[0].as_ref().unwrap().rotation().successor;
        assert_eq!(key_by_id(&fixture.keys, &successor.head.id).await, *successor, "{told}");
    }
}

async fn rotations_from_several_processes_have_one_winner(fixture: Fixture) {
    // Without side tables, a process that reads the key after another has rotated it starts a rotation of its own.
    if !fixture.store().abilities().rotation_memory {
        return;
    }
    let processes = processes(&fixture).await;
    for (expires_at, grace) in expiries_and_graces() {
        let predecessor = issue(&fixture.keys, expires_at).await.record().head.id.clone();
        let before = all_keys(&fixture.keys).await.len();
        let racers = (0..RACERS).map(|racer| {
            let (keys, id) = (processes[racer % PROCESSES].clone(), predecessor.clone());
            move || async move { keys.rotate(&id, grace, None).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) = race(racers).await.into_iter().partition(Result::is_ok);
        let told = format!("expiry {expires_at:?}, grace {grace:?}");
        assert_eq!(won.len(), 1, "{told}");
        let knows_that_it_lost = |error: &KeysError| {
            matches!(error, KeysError::Store(StoreError::Conflict) | KeysError::Prepare(PrepareError::NotLive(_)))
        };
        assert!(lost.iter().all(|outcome| outcome.as_ref().is_err_and(knows_that_it_lost)), "{told}: {lost:?}");

        assert_eq!(all_keys(&fixture.keys).await.len(), before + 1, "one successor, {told}");
        let rotated = won[0].as_ref().unwrap();
        let successor = fixture.keys.verify(rotated.successor.secret.expose_secret()).await.unwrap();
        assert_eq!(successor.into_record(), rotated.successor.record, "{told}");
    }
}

/// No race is needed to lose: it is enough to have read the key before somebody else rotated it. Instants that engines
/// might round are the interesting ones, for without side tables the expiry is all that tells.
async fn a_key_is_rotated_once_whatever_its_expiry(fixture: Fixture) {
    let minute = Timestamp::from_micros(START.as_micros() / 60_000_000 * 60_000_000).saturating_add(HOUR);
    for micros in [
        0, 1, 499, 500, 999, 1_000, 1_500, 999_500, 999_999, 58_999_499, 59_998_600, 59_999_499, 59_999_600, 59_999_999,
    ] {
        let expires_at = minute.saturating_add(Duration::from_micros(micros));
        let predecessor = issue(&fixture.keys, Some(expires_at)).await.record().clone();
        let [first, second] =
            [(); 2].map(|()| fixture.keys.prepare_rotation(predecessor.clone(), 2 * HOUR, None).unwrap());
        fixture.keys.store().rotate(first.rotation()).await.unwrap();
        let second = fixture.keys.store().rotate(second.rotation()).await;
        assert!(matches!(second, Err(StoreError::Conflict)), "rotated twice with expiry {expires_at}: {second:?}");
    }
}

/// Looks at both keys of a rotation over and over until it is done, and at least once more after that.
async fn watch(keys: Keys<Store>, prepared: Arc<PreparedRotation<ScraperDetails>>, done: Arc<AtomicBool>) {
    let rotation = prepared.rotation();
    let old = rotation.predecessor.digest.unwrap();
    let new = rotation.successor.head.digest.unwrap();
    let has_grace = rotation.retire_at > rotation.at;
    loop {
        let is_last_look = done.load(Ordering::SeqCst);
        if let Err(refusal) = verify_digest(&keys, &old).await {
            assert!(!has_grace, "the old key was refused within its grace: {refusal:?}");
            assert_eq!(refusal.reason(), RefusalReason::Expired);
            // The old key is dead, so the rotation has happened, and the new one must be there.
            verify_digest(&keys, &new).await.expect("neither key was accepted");
        }
        if verify_digest(&keys, &new).await.is_ok() {
            // The new key is there, so the rotation has happened, and the old one must be dead.
            assert_eq!(verify_digest(&keys, &old).await.is_ok(), has_grace);
        } else {
            assert!(!is_last_look, "the new key was refused after the rotation");
        }
        if is_last_look {
            return;
        }
        yield_now().await;
    }
}

async fn rotate_under_watch(fixture: &Fixture, grace: Duration) {
    let [rotator, one, other] = [(); 3].map(|()| fixture.another_process());
    let (rotator, one, other) = (rotator.await, one.await, other.await);
    let mut key = issue(&fixture.keys, None).await.record().clone();
    for _ in 0..20 {
        let prepared = Arc::new(rotator.prepare_rotation(key, grace, None).unwrap());
        let done = Arc::new(AtomicBool::new(false));
        let mut running = tokio::task::JoinSet::new();
        for keys in [&one, &other] {
            running.spawn(watch(keys.clone(), Arc::clone(&prepared), Arc::clone(&done)));
        }
        yield_now().await;
        rotator.store().rotate(prepared.rotation()).await.unwrap();
        done.store(true, Ordering::SeqCst);
        running.join_all().await;
        key = prepared.rotation().successor.clone();
    }
}

async fn during_a_rotation_with_grace_the_old_key_is_accepted_throughout(fixture: Fixture) {
    rotate_under_watch(&fixture, HOUR).await;
}

async fn during_a_rotation_without_grace_exactly_one_key_is_accepted(fixture: Fixture) {
    rotate_under_watch(&fixture, Duration::ZERO).await;
}

/// When a call began and ended, counted by one counter for all, and what came of it.
#[derive(Debug)]
struct Call {
    began: u64,
    ended: u64,
    did: Did,
}

#[derive(Debug)]
enum Did {
    Issue(KeyId),
    Rotate { predecessor: KeyId, successor: KeyId },
    RevokeAll(u64),
}

impl Did {
    fn made(&self) -> Option<&KeyId> {
        match self {
            Self::Issue(id) | Self::Rotate { successor: id, .. } => Some(id),
            Self::RevokeAll(_) => None,
        }
    }
}

/// Issues keys, rotates each of them, and rotates the successor of each, while all keys are revoked twice.
///
/// Revoking all promises that a concurrent change comes either before or after it. So a key and its successor share
/// their fate whenever they were made, and what had been made before is dead and what was made after is not.
async fn no_key_slips_through_while_all_are_revoked(fixture: Fixture) {
    let processes = processes(&fixture).await;
    let tick = Arc::new(AtomicU64::new(0));
    for round in 0..8 {
        let start = tick.load(Ordering::SeqCst);
        let existing = issue(&fixture.keys, None).await.record().head.id.clone();
        let makers = (0..RACERS).map(|racer| (racer, processes[racer % PROCESSES].clone(), existing.clone()));
        let tick_of_racer = Arc::clone(&tick);
        let racers = makers.map(move |(racer, keys, existing)| {
            let tick = Arc::clone(&tick_of_racer);
            // Two of them revoke, somewhere in the middle, at another time in every round.
            let revokes_at = (racer < REVOKERS).then(|| start + round * 3 + racer as u64 * 12);
            move || async move {
                match revokes_at {
                    Some(revokes_at) => revoke_all_at(&keys, &tick, revokes_at).await,
                    None => make_keys(&keys, &tick, (racer == REVOKERS).then_some(existing)).await,
                }
            }
        });
        let calls: Vec<_> = race(racers).await.into_iter().flatten().collect();
        check_fates(&all_keys(&fixture.keys).await, &existing, &calls);
        fixture.keys.revoke_all(&acme(), None).await.unwrap();
    }
}

/// How many of the racers revoke all keys.
const REVOKERS: usize = 2;

/// Issues a key, or takes the one that is there, and rotates it and its successor.
async fn make_keys(keys: &Keys<Store>, tick: &AtomicU64, existing: Option<KeyId>) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut latest = existing;
    for _ in 0..3 {
        let began = tick.fetch_add(1, Ordering::SeqCst);
        let did = match latest {
            None => Did::Issue(keys.issue(draft().into()).await.unwrap().record.head.id),
            Some(predecessor) => match keys.rotate(&predecessor, HOUR, None).await {
                Ok(rotated) => Did::Rotate { predecessor, successor: rotated.successor.record.head.id },
                Err(KeysError::Store(StoreError::Conflict) | KeysError::Prepare(PrepareError::NotLive(_))) => break,
                Err(error) => panic!("{error:?}"),
            },
        };
        latest = did.made().cloned();
        calls.push(Call { began, ended: tick.fetch_add(1, Ordering::SeqCst), did });
    }
    calls
}

/// Revokes all keys once the counter has come to `tick_to_begin_at`. The makers reach it whatever happens to them, for
/// each that issues a key counts to three.
async fn revoke_all_at(keys: &Keys<Store>, tick: &AtomicU64, tick_to_begin_at: u64) -> Vec<Call> {
    while tick.load(Ordering::SeqCst) < tick_to_begin_at {
        std::thread::yield_now();
    }
    let began = tick.fetch_add(1, Ordering::SeqCst);
    let revoked = keys.revoke_all(&acme(), None).await.unwrap();
    vec![Call { began, ended: tick.fetch_add(1, Ordering::SeqCst), did: Did::RevokeAll(revoked) }]
}

fn check_fates(records: &[Record], existing: &KeyId, calls: &[Call]) {
    let is_revoked = |id: &KeyId| {
        let record = records.iter().find(|record| record.head.id == *id).expect("a key that was made is there");
        record.head.status != Status::Active
    };
    let revocations = || calls.iter().filter(|call| matches!(call.did, Did::RevokeAll(_)));
    for call in calls {
        if let Did::Rotate { predecessor, successor } = &call.did {
            let share_their_fate = is_revoked(predecessor) == is_revoked(successor);
            assert!(share_their_fate, "a key slipped through: {call:?} of {calls:?}");
        }
        let Some(made) = call.did.made() else { continue };
        if revocations().any(|revocation| call.ended < revocation.began) {
            assert!(is_revoked(made), "it was there before and lives: {call:?} of {calls:?}");
        }
        if revocations().all(|revocation| revocation.ended < call.began) {
            assert!(!is_revoked(made), "it was made afterwards and is dead: {call:?} of {calls:?}");
        }
    }
    let made = calls.iter().filter_map(|call| call.did.made()).chain([existing]);
    let dead = made.filter(|id| is_revoked(id)).count() as u64;
    let counted: u64 = calls.iter().map(|call| if let Did::RevokeAll(revoked) = call.did { revoked } else { 0 }).sum();
    assert_eq!(counted, dead, "each dead key was counted by exactly one revocation: {calls:?}");
}

/// A rotation is given up at every point where it waits, until it is no longer given up at all.
async fn an_abandoned_rotation_has_happened_as_a_whole_or_not_at_all(fixture: Fixture) {
    let other_process = fixture.another_process().await;
    let (mut never_abandoned, mut polls) = (false, 0);
    while !never_abandoned {
        polls += 1;
        assert!(polls < 1_000, "the rotation never ends");
        for when in Abandon::at(polls) {
            let old = issue(&fixture.keys, None).await;
            let id = &old.record().head.id;
            let prepared = fixture.keys.prepare_rotation(old.record().clone(), HOUR, None).unwrap();
            let outcome = abandon(fixture.keys.store().rotate(prepared.rotation()), when).await;
            never_abandoned = matches!(outcome, Some(Ok(())));
            // The client's changes happen one after the other: behind this one, nothing of the abandoned call is left.
            issue(&fixture.keys, None).await;

            let successor = other_process.show(&prepared.rotation().successor.head.id).await.unwrap();
            let is_retired = key_by_id(&other_process, id).await.head.expires_at.is_some();
            assert_eq!(successor.is_some(), is_retired, "half of a rotation, abandoned {when:?}");
            assert!(verify_digest(&other_process, &old.record().head.digest.unwrap()).await.is_ok(), "{when:?}");
            let again = other_process.store().rotate(prepared.rotation()).await;
            match again {
                Ok(()) => assert!(!is_retired, "it happened twice, abandoned {when:?}"),
                Err(StoreError::Conflict) => assert!(is_retired, "something is left of it, abandoned {when:?}"),
                Err(error) => panic!("abandoned {when:?}: {error:?}"),
            }
        }
    }
}

/// The write-ahead log is switched on by whoever is first, and nobody else may stumble over it.
#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_create_one_sqlite_file_at_once() {
    use crate::support::sqlite::Database;
    use keyward::{SqliteKeyStore, scraper::Scraper};

    for _ in 0..10 {
        let database = Arc::new(Database::new());
        let openers = (0..RACERS).map(|_| {
            let database = Arc::clone(&database);
            move || async move {
                let store = SqliteKeyStore::<Scraper>::open(database.path()).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(store.migrate(START).await?)
            }
        });
        let applied: Vec<_> = race(openers).await.into_iter().map(Result::unwrap).collect();
        let migrations = applied.iter().flatten().count();
        assert_eq!(migrations, 2, "each migration is applied by one of them: {applied:?}");
    }
}
