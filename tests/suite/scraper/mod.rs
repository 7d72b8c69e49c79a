//! The schema `scraper`: rows that the service itself writes and reads, odd ones too, and what keyward does better.

mod faults;
#[cfg(feature = "postgres")]
mod postgres;
mod revoking;
mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use keyward::Keys;
use keyward::key::{Defect, KeyId, KeyRecord, OwnerId, Refusal, RefusalReason};
use keyward::schemas::scraper::{Scraper, ScraperKey};

type Fixture = crate::support::Fixture<Scraper>;
type Record = KeyRecord<Scraper>;

/// A key that the service issued itself, and `printf %s riq_abc123xyz | sha256sum`.
const KEY: &str = "riq_abc123xyz";
const KEY_HASH: &str = "9bc1b884d7ad56a2e9b811b20d8fedec4dbf83bcba0273172437242711e7f38c";

/// A shorter one with the same first eight characters, and `printf %s riq_abc1 | sha256sum`.
const OTHER_KEY: &str = "riq_abc1";
const OTHER_KEY_HASH: &str = "6ff1af58760513f26c199608364ab73ac2c9ae49046d4b989dee0cde3bec0db0";

const HOUR: Duration = Duration::from_hours(1);

fn acme() -> OwnerId {
    OwnerId::new("acme").unwrap()
}

fn draft() -> ScraperKey {
    ScraperKey::named("acme", "nightly import").unwrap().scope("jobs:read").unwrap()
}

/// Writes the row of [`KEY`] as the service does: the columns that have to be there, and `columns` with `values`.
async fn write_row(fixture: &Fixture, columns: &str, values: &str) {
    let insert = format!(
        "INSERT INTO api_keys (key_hash, key_prefix, name, client_id{columns})
         VALUES ('{KEY_HASH}', 'riq_abc1', 'Production', 'acme'{values})"
    );
    fixture.database().run(&insert).await;
}

async fn accepted(keys: &Keys<Scraper>) -> Record {
    Arc::unwrap_or_clone(Arc::clone(keys.verify(KEY).await.unwrap().record()))
}

async fn refused(keys: &Keys<Scraper>) -> RefusalReason {
    keys.verify(KEY).await.map_err(|refusal: Refusal| refusal.reason()).unwrap_err()
}

const fn unusable(column: &'static str) -> RefusalReason {
    RefusalReason::Unusable(Defect::new("api_keys", column))
}

async fn only_key(keys: &Keys<Scraper>) -> Record {
    let page = keys.of(&acme()).list(10, None).await.unwrap();
    let [key] = <[Record; 1]>::try_from(page.keys).unwrap();
    key
}

async fn get(keys: &Keys<Scraper>, id: &KeyId) -> Record {
    keys.get(id).await.unwrap().unwrap()
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};

    hex::encode(Sha256::digest(text))
}

#[test]
fn the_vectors_are_those_of_another_implementation() {
    assert_eq!(sha256(KEY), KEY_HASH);
    assert_eq!(sha256(OTHER_KEY), OTHER_KEY_HASH);
}
