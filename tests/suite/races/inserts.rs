//! Of several keys that want one place, one gets it.

use keyward::key::KeyRecord;
use keyward::store::StoreError;

use super::{ACME, all_keys, key_by_id};
use crate::support::concurrency::{PROCESSES, RACERS, processes, race};
use crate::support::{Fixture, TestSchema, over_schemas};

// Of the other schemas, one allows a digest twice, and one has no identity of a key's own.
over_schemas![everywhere of [standard::Standard, scraper::Scraper]: concurrent_inserts_have_one_winner];

/// Makes of a record another one that cannot stand beside the first.
type Twin<S> = fn(&KeyRecord<S>, KeyRecord<S>) -> KeyRecord<S>;

/// Once with one record, once with records that share the identity, and once with records that share the digest.
async fn concurrent_inserts_have_one_winner<S: TestSchema>(fixture: Fixture<S>) {
    let processes = processes(&fixture).await;
    let record = || fixture.keys.prepare(S::draft(ACME)).unwrap().record().clone();
    let twins: [Twin<S>; 3] = [
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
