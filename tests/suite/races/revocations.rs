//! Of several revocations of one key, one revokes it, and the others learn that.

use std::sync::Arc;
use std::time::Duration;

use keyward::ManualClock;
use keyward::key::{Reason, Revocation, Status};

use super::key_by_id;
use crate::support::concurrency::{PROCESSES, RACERS, processes, race};
use crate::support::{Fixture, START, TestSchema, keys, over_every_schema};

over_every_schema![every_store: the_time_and_reason_of_the_winning_revocation_stand];
over_every_schema![everywhere: concurrent_revocations_have_one_winner];

/// Every racer has a time and a reason of its own, so that it shows whose revocation stands.
async fn the_time_and_reason_of_the_winning_revocation_stand<S: TestSchema>(fixture: Fixture<S>) {
    let processes = processes(&fixture).await;
    for round in 0..5 {
        let owner = format!("did:example:{round}");
        fixture.add_owner(&owner).await;
        let id = fixture.issue(&owner).await.record.head.id;
        let racers = (0..RACERS).map(|racer| {
            let at = START.saturating_add(Duration::from_secs(racer as u64));
            let store = Arc::clone(processes[racer % PROCESSES].store());
            let keys = keys(store, &Arc::new(ManualClock::new(at)), 0);
            let (id, reason) = (id.clone(), Reason::new(format!("racer {racer}")).unwrap());
            let own = Revocation::new(Some(at), Some(reason.clone()));
            move || async move { (own, keys.revoke(&id, Some(reason)).await.unwrap()) }
        });
        let outcomes = race(racers).await;

        let winners: Vec<_> = outcomes.iter().filter(|(_, revoked)| !revoked.already).collect();
        let [(stands, revoked)] = winners[..] else { panic!("there must be one winner: {outcomes:?}") };
        assert_eq!(revoked.revocation, *stands, "the winner's own time and reason");
        for (_, revoked) in &outcomes {
            assert_eq!((&revoked.id, &revoked.revocation), (&id, stands), "every loser learns of the winner");
        }
        assert_eq!(key_by_id(&fixture.keys, &id).await.head.status, Status::Revoked(stands.clone()));
    }
}

async fn concurrent_revocations_have_one_winner<S: TestSchema>(fixture: Fixture<S>) {
    let processes = processes(&fixture).await;
    for round in 0..5 {
        let owner = format!("did:example:{round}");
        fixture.add_owner(&owner).await;
        let issued = fixture.issue(&owner).await;
        let id = &issued.record.head.id;
        let racers = (0..RACERS).map(|racer| {
            let (keys, id) = (processes[racer % PROCESSES].clone(), id.clone());
            move || async move { keys.revoke(&id, None).await.unwrap() }
        });
        let outcomes = race(racers).await;
        let won = outcomes.iter().filter(|revoked| !revoked.already).count();
        assert_eq!(won, 1, "{outcomes:?}");
        for keys in &processes {
            assert!(keys.verify(issued.secret.expose_secret()).await.is_err(), "a revoked key is accepted");
        }
    }
}
