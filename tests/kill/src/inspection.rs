//! What is left after a kill, against what the process had said.

use std::sync::Arc;

use keyward::key::{KeyId, OwnerId, RefusalReason, Status};
use keyward::store::KeyStore as _;
use keyward::{Keys, ManualClock, SqlKeyStore, Timestamp};

use crate::journal::Line;
use crate::life::evening;
use crate::model::{Known, Model, Tally};
use crate::place::Place;
use crate::subject::{OWNERS, Subject};

/// Panics where a change that was said to be done is not there, or one is half there.
pub(crate) async fn inspect<S: Subject>(place: &Place, model: &mut Model, tally: &mut Tally, start: i64) {
    place.settle().await;
    let now = evening(start);
    let store = SqlKeyStore::<S>::open(place.address.open().await, S::schema()).await.expect("a store");
    migrated(place, &store, model, now).await;
    whole::<S>(place).await;

    let clock = Arc::new(ManualClock::new(now));
    let clock_of_keys = Arc::<ManualClock>::clone(&clock);
    let keys: Keys<S> = Keys::builder(store.clone()).shared_clock(clock_of_keys).build();
    let had_begun = model.under_way.take();
    tally.under_way += u64::from(had_begun.is_some());
    let mut arrived = unsaid(&keys, model, had_begun.as_ref()).await;

    for (id, known) in &mut model.keys {
        let id_of_key = KeyId::new(id.as_str()).expect("an identity");
        let key = keys.get(&id_of_key).await.expect("an answer").expect("a key that was said to be there");
        // What was under way may have happened, and is then as certain as if it had been said.
        match &had_begun {
            Some(Line::Revoking { id: begun }) if begun == id && key.head.is_revoked() => {
                known.is_revoked = true;
                arrived = true;
            }
            Some(Line::RevokingAll { owner })
                if *owner == known.owner && key.head.is_revoked() && !known.is_revoked =>
            {
                known.is_revoked = true;
                arrived = true;
            }
            Some(Line::Disabling { id: begun }) if begun == id && key.head.status != Status::Active => {
                known.is_disabled = true;
                arrived = true;
            }
            Some(Line::Rotating { id: begun }) if begun == id && known.rotated.is_none() => {
                if let (Some(successor), Some(end)) = (&key.head.successor, key.head.expires_at) {
                    assert!(model.unsaid.contains(&successor.to_string()), "the successor {successor} of {id}");
                    known.rotated = Some((successor.to_string(), end.as_micros()));
                    // Without a grace period, a rotation revokes as well.
                    known.is_revoked = matches!(&key.head.status, Status::Revoked(revoked) if revoked.at == Some(end));
                    arrived = true;
                }
            }
            Some(Line::Flushing) if key.head.last_used_at.map(Timestamp::as_micros) > known.used => {
                known.used = key.head.last_used_at.map(Timestamp::as_micros);
                arrived = true;
            }
            _ => {}
        }
        assert_eq!(key.head.owner.as_str(), known.owner);
        assert_eq!(key.head.is_revoked(), known.is_revoked, "{id}: {:?}", key.head.status);
        assert_eq!(
            key.head.expires_at.map(Timestamp::as_micros),
            known.rotated.as_ref().map(|(_, until)| *until),
            "{id}"
        );
        assert_eq!(key.head.successor.as_ref().map(KeyId::as_str), known.rotated.as_ref().map(|(id, _)| id.as_str()));
        assert!(key.head.last_used_at.map(Timestamp::as_micros) >= known.used, "the last use of {id} is lost");

        // By what decides: at the last instant before its end, and at its end.
        let end = known.rotated.as_ref().map_or(i64::MAX, |(_, until)| *until);
        for (at, is_over) in [(end - 1, false), (end, end != i64::MAX)] {
            clock.set(Timestamp::from_micros(at));
            let verdict = keys.verify(&known.secret).await.err().map(|refusal| refusal.reason());
            let expected = if known.is_revoked {
                Some(RefusalReason::Revoked)
            } else if known.is_disabled {
                Some(RefusalReason::Disabled)
            } else {
                is_over.then_some(RefusalReason::Expired)
            };
            assert_eq!(verdict, expected, "{id} at {}", clock_time(at));
        }
        clock.set(now);
    }
    if let Some(Line::RevokingAll { owner }) = &had_begun {
        let is_spared = |key: &Known| key.owner == *owner && !key.is_revoked;
        assert!(!arrived || !model.keys.values().any(is_spared), "only some of the keys of {owner} were revoked");
    }
    tally.arrived += u64::from(arrived);
}

const fn clock_time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// What is recorded was made, and what was not made can be made now.
async fn migrated<S: Subject>(place: &Place, store: &SqlKeyStore<S>, model: &mut Model, now: Timestamp) {
    let table = if place.is_postgres() { "keyward.migrations" } else { "keyward_migrations" };
    let recorded = place.number(&format!("SELECT count(*) FROM {table} WHERE schema = '{}'", S::NAME)).await;
    let is_recorded = recorded == Some(S::MIGRATIONS);
    assert!(is_recorded || !model.is_migrated, "{recorded:?} migrations are recorded");
    if is_recorded {
        sound(store).await;
    }
    let applied = store.migrate(now).await.expect("the tables");
    assert_eq!(applied.is_empty(), is_recorded, "{applied:?}");
    model.is_migrated = true;
    sound(store).await;
}

async fn sound<S: Subject>(store: &SqlKeyStore<S>) {
    let differences = store.check().await.expect("an answer");
    assert!(!differences.iter().any(|difference| difference.breaking), "{differences:?}");
    assert!(store.abilities().rotation_memory, "the side tables are missing");
}

/// No row is half there.
async fn whole<S: Subject>(place: &Place) {
    let [on_postgres, on_sqlite] = S::TABLE;
    let (own, table) = if place.is_postgres() { ("keyward.", on_postgres) } else { ("keyward_", on_sqlite) };
    for (promise, count) in S::WHOLE {
        let broken = place.number(&count.replace("{own}", own).replace("{table}", table)).await;
        assert_eq!(broken, Some(0), "{promise}");
    }
}

/// Whether a key is there of which nobody said so. Only one that was being made can be.
async fn unsaid<S: Subject>(keys: &Keys<S>, model: &mut Model, had_begun: Option<&Line>) -> bool {
    let mut found = Vec::new();
    for owner in OWNERS {
        let owner = OwnerId::new(owner).expect("an owner");
        found.extend(keys.of(&owner).list(10_000, None).await.expect("a list").keys);
    }
    let is_new =
        |id: &KeyId| !model.keys.contains_key(id.as_str()) && !model.unsaid.iter().any(|known| known == id.as_str());
    let new: Vec<_> = found.iter().map(|key| &key.head.id).filter(|id| is_new(id)).cloned().collect();
    let is_made = matches!(had_begun, Some(Line::Issuing | Line::Rotating { .. }));
    assert!(new.len() <= usize::from(is_made), "{new:?} while {had_begun:?}");
    if let (Some(id), Some(Line::Rotating { id: predecessor })) = (new.first(), had_begun) {
        let predecessor = found.iter().find(|key| key.head.id.as_str() == predecessor).expect("the predecessor");
        assert_eq!(predecessor.head.successor.as_ref(), Some(id), "a successor without a retired predecessor");
    }
    model.unsaid.extend(new.iter().map(ToString::to_string));
    !new.is_empty()
}
