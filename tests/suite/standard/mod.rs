//! The schema `standard`: the life of its keys over memory and both engines, and what stands in its tables.

mod changes;
mod environments;
mod foreign;
mod given_up;
mod history;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod odd_rows;
mod owners;
#[cfg(feature = "postgres")]
mod postgres;
mod purge;
mod rotation;
mod search;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod stored;

use std::sync::Arc;
use std::time::Duration;

use keyward::Keys;
use keyward::key::{Issued, KeyId, KeyRecord, OwnerId, Reason, Schema as _};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::store::MemoryKeyStore;

use crate::support::keys;

type Fixture = crate::support::Fixture<Standard>;

const HOUR: Duration = Duration::from_hours(1);

fn acme() -> OwnerId {
    OwnerId::new("acme").unwrap()
}

fn named(name: &str) -> StandardKey {
    StandardKey::new("acme", name).unwrap()
}

fn reason(reason: &str) -> Reason {
    Reason::new(reason).unwrap()
}

async fn get(keys: &Keys<Standard>, id: &KeyId) -> KeyRecord<Standard> {
    keys.get(id).await.unwrap().unwrap()
}

/// The code of the reason why the key is refused, or that it is accepted.
async fn verdict(keys: &Keys<Standard>, issued: &Issued<Standard>) -> &'static str {
    verdict_on(keys, issued.secret.expose_secret()).await
}

async fn verdict_on(keys: &Keys<Standard>, presented: &str) -> &'static str {
    match keys.verify(presented).await {
        Ok(_) => "accepted",
        Err(refusal) => refusal.reason().code(),
    }
}

/// Keys of a service that is set up like this, over the fixture's database; over a store of its own in memory.
async fn service(fixture: &Fixture, schema: Standard) -> Keys<Standard> {
    if fixture.has_database() {
        return fixture.another_process_with(schema).await;
    }
    // Services with other prefixes must not make the same keys.
    let seed = schema.formats().issued().prefix().as_str().bytes().map(u64::from).sum();
    keys(Arc::new(MemoryKeyStore::new(schema)), &fixture.clock, seed)
}

/// Lets `other` know the key. In a database it does already.
async fn share(fixture: &Fixture, key: &KeyRecord<Standard>, other: &Keys<Standard>) {
    if !fixture.has_database() {
        other.store().insert(key).await.unwrap();
    }
    assert_eq!(get(other, &key.head.id).await, *key);
}
