//! Races over every engine: one winner, losers who know that they lost, and never half of a change.

mod abandoned;
mod changes;
mod inserts;
mod revocations;
mod revoking_all;
mod rotations;
mod watched;

use std::time::Duration;

use keyward::key::{Authenticated, KeyHead, KeyId, KeyRecord, OwnerId, Prepared, Refusal, decide};
use keyward::store::KeyLookup;
use keyward::{Keys, Timestamp};

use crate::support::{START, TestSchema};

const HOUR: Duration = Duration::from_hours(1);

/// Whose keys the races are about, where one owner can have several.
const ACME: &str = "acme";

fn acme() -> OwnerId {
    OwnerId::new(ACME).unwrap()
}

/// Every key of the owner.
async fn all_keys<S: TestSchema>(keys: &Keys<S>) -> Vec<KeyRecord<S>> {
    keys.of(&acme()).list(10_000, None).await.unwrap().keys
}

async fn key_by_id<S: TestSchema>(keys: &Keys<S>, id: &KeyId) -> KeyRecord<S> {
    keys.get(id).await.unwrap().unwrap()
}

/// What [`Keys::verify`] does, for a key whose plaintext nobody has yet.
async fn verify_head<S: TestSchema>(keys: &Keys<S>, head: &KeyHead) -> Result<Authenticated<S>, Refusal> {
    let digest = head.digest.unwrap();
    let candidates = keys.store().find(KeyLookup::new(&digest, head.prefix.as_str())).await.unwrap();
    decide(keys.schema(), candidates, &digest, keys.now())
}

/// A key of the owner that expires at this time, stored.
async fn issue<S: TestSchema>(keys: &Keys<S>, expires_at: Option<Timestamp>) -> Prepared<S> {
    let mut draft = S::draft(ACME);
    draft.expires_at = expires_at;
    let prepared = keys.prepare(draft).unwrap();
    keys.store().insert(prepared.record()).await.unwrap();
    prepared
}

/// The expiries that a key may have, and the grace periods that a rotation may give it.
fn expiries_and_graces() -> impl Iterator<Item = (Option<Timestamp>, Duration)> {
    let expiries = [None, Some(START.saturating_add(HOUR)), Some(Timestamp::MAX)];
    let graces = [Duration::ZERO, HOUR / 2, 2 * HOUR, Duration::MAX];
    expiries.into_iter().flat_map(move |expiry| graces.map(|grace| (expiry, grace)))
}

/// The write-ahead log is switched on by whoever is first, and nobody else may stumble over it.
#[cfg(feature = "sqlite")]
mod several_processes_may_create_one_sqlite_file_at_once {
    use std::error::Error;
    use std::sync::Arc;

    use keyward::schemas::scraper::Scraper;
    use keyward::schemas::standard::Standard;
    use keyward::{SqlKeyStore, Sqlite};

    use crate::support::concurrency::{RACERS, race};
    use crate::support::sqlite::Database;
    use crate::support::{START, TestSchema};

    #[tokio::test(flavor = "multi_thread")]
    async fn standard() {
        create_at_once::<Standard>().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn scraper() {
        create_at_once::<Scraper>().await;
    }

    async fn create_at_once<S: TestSchema>() {
        for _ in 0..10 {
            let database = Arc::new(Database::new());
            let openers = (0..RACERS).map(|_| {
                let database = Arc::clone(&database);
                move || async move {
                    let store = SqlKeyStore::open(Sqlite::open(database.path())?, S::schema()).await?;
                    Ok::<_, Box<dyn Error + Send + Sync>>(store.migrate(START).await?)
                }
            });
            let applied: Vec<_> = race(openers).await.into_iter().map(Result::unwrap).collect();
            let migrations = applied.iter().flatten().count();
            assert_eq!(migrations, S::migrations().len(), "each migration is applied by one of them: {applied:?}");
        }
    }
}
