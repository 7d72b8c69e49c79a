//! Last use: noted at every verification, written once an interval, never lost, never backwards, never in the way.

mod counting;
mod database;
mod deadlocks;
mod failures;
mod given_up;
mod load;
mod recorder;
mod writes;

use std::sync::Arc;

use keyward::key::Issued;
use keyward::service::LastUsedMetrics;
use keyward::{Keys, KeysBuilder, ManualClock, Timestamp};

use crate::support::{Fixture, Store, TestSchema};

/// Another owner for each key, as a schema may have one key an owner only.
fn owner(number: usize) -> String {
    format!("did:example:{number}")
}

/// Sets up keys over `store` at the time of the fixture.
fn builder<S: TestSchema>(fixture: &Fixture<S>, store: Store<S>) -> KeysBuilder<S> {
    Keys::builder_over(store).shared_clock(Arc::<ManualClock>::clone(&fixture.clock))
}

/// So many keys. One fixture's keys are issued once.
async fn issue<S: TestSchema>(fixture: &Fixture<S>, count: usize) -> Vec<Issued<S>> {
    let mut issued = Vec::with_capacity(count);
    for number in 0..count {
        fixture.add_owner(&owner(number)).await;
        issued.push(fixture.issue(&owner(number)).await);
    }
    issued
}

async fn use_once<S: TestSchema>(keys: &Keys<S>, key: &Issued<S>) {
    keys.verify(key.secret.expose_secret()).await.unwrap();
}

/// When the store says that the key was last used.
async fn last_used<S: TestSchema>(fixture: &Fixture<S>, key: &Issued<S>) -> Option<Timestamp> {
    fixture.keys.get(&key.record.head.id).await.unwrap().unwrap().head.last_used_at
}

fn metrics<S: TestSchema>(keys: &Keys<S>) -> (usize, u64, u64) {
    let LastUsedMetrics { pending, dropped, failed_flushes, .. } = keys.last_used_metrics();
    (pending, dropped, failed_flushes)
}
