//! The process that is killed: it changes keys without end, and says what it does.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use keyward::key::Issued;
use keyward::schemas::mesh::Mesh;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::store::KeyStore as _;
use keyward::{Keys, ManualClock, SqlKeyStore, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::journal::Line;
use crate::place::Address;
use crate::subject::{OWNERS, Subject};

/// What a child is told: the schema, where the database is, its seed, and the time at which it starts.
pub(crate) fn child(order: &[String]) -> ExitCode {
    let [schema, address, seed, start] = order else { return ExitCode::from(2) };
    let (Ok(seed), Ok(start)) = (seed.parse(), start.parse()) else { return ExitCode::from(2) };
    let (address, start) = (Address::read(address), Timestamp::from_micros(start));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match schema.as_str() {
        "standard" => runtime.block_on(change::<Standard>(&address, seed, start)),
        "scraper" => runtime.block_on(change::<Scraper>(&address, seed, start)),
        "mesh" => runtime.block_on(change::<Mesh>(&address, seed, start)),
        _ => ExitCode::from(2),
    }
}

async fn change<S: Subject>(address: &Address, seed: u64, start: Timestamp) -> ExitCode {
    let mut random = StdRng::seed_from_u64(seed);
    let clock = Arc::new(ManualClock::new(start));
    let engine = address.open().await;
    let store = SqlKeyStore::open(engine, S::schema()).await.expect("a store");
    Line::Migrating.say();
    store.migrate(start).await.expect("the tables");
    Line::Migrated.say();
    let can_disable = store.abilities().changes;
    let generator = StdRng::seed_from_u64(seed.wrapping_add(1));
    let clock_of_keys = Arc::<ManualClock>::clone(&clock);
    let keys: Keys<S> = Keys::builder(store).shared_clock(clock_of_keys).random(generator).build();

    // Keys that this process made and that are as they were made.
    let mut live: Vec<Issued<S>> = Vec::new();
    loop {
        clock.advance(Duration::from_secs(1));
        let step = random.random_range(0..10);
        if live.is_empty() || step < 3 {
            Line::Issuing.say();
            let owner = OWNERS[random.random_range(0..OWNERS.len())];
            let issued = keys.issue(S::draft(owner)).await.expect("a key");
            say_issued(&issued);
            live.push(issued);
            continue;
        }
        let chosen = random.random_range(0..live.len());
        let id = live[chosen].record.head.id.clone();
        let name = id.to_string();
        match step {
            3..=5 => {
                Line::Rotating { id: name.clone() }.say();
                let grace = Duration::from_secs(if random.random_bool(0.5) { 0 } else { 3600 });
                let rotated = keys.rotate(&id, grace, None).await.expect("a rotation");
                let successor = rotated.successor;
                let secret = successor.secret.expose_secret().to_owned();
                let until = rotated.accepted_until.as_micros();
                let (revokes, successor_id) = (grace.is_zero(), successor.record.head.id.to_string());
                Line::Rotated { id: name, until, revokes, successor: successor_id, secret }.say();
                live[chosen] = successor;
            }
            6 => {
                Line::Revoking { id: name.clone() }.say();
                keys.revoke(&id, "spilled".parse().ok()).await.expect("a revocation");
                Line::Revoked { id: name }.say();
                live.remove(chosen);
            }
            7 if can_disable => {
                Line::Disabling { id: name.clone() }.say();
                keys.disable(&id, None).await.expect("a change");
                Line::Disabled { id: name }.say();
                live.remove(chosen);
            }
            8 if random.random_bool(0.3) => {
                let owner = live[chosen].record.head.owner.clone();
                Line::RevokingAll { owner: owner.to_string() }.say();
                keys.revoke_all(&owner, None).await.expect("a revocation");
                Line::RevokedAll { owner: owner.to_string() }.say();
                live.retain(|key| key.record.head.owner != owner);
            }
            _ => {
                let at = keys.now().as_micros();
                for key in &live {
                    keys.verify(key.secret.expose_secret()).await.expect("a live key");
                }
                Line::Flushing.say();
                keys.flush_last_used().await.expect("a write");
                for key in &live {
                    Line::Used { id: key.record.head.id.to_string(), at }.say();
                }
            }
        }
    }
}

fn say_issued<S: Subject>(issued: &Issued<S>) {
    let head = &issued.record.head;
    let secret = issued.secret.expose_secret().to_owned();
    Line::Issued { id: head.id.to_string(), owner: head.owner.to_string(), secret }.say();
}
