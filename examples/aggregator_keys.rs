//! One API key for each row of a table that belongs to somebody else: issued, replaced and revoked beside the host's
//! own columns. Run it with `cargo run --example aggregator_keys --features sqlite`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use keyward::key::{Authenticated, KeyHead, OwnerId, Refusal, Status};
use keyward::rusqlite::Connection;
use keyward::schemas::aggregator::{Aggregator, AggregatorKey};
use keyward::store::StoreError;
use keyward::{Keys, KeysError, SqlKeyStore, Sqlite, Timestamp};

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

/// The host's table, which keyward takes as it is: it touches the columns of the key, and nothing else.
const HOSTS_TABLE: &str = "
    CREATE TABLE aggregators (
        did TEXT PRIMARY KEY NOT NULL,
        display_name TEXT NOT NULL,
        record_uri TEXT NOT NULL UNIQUE,
        record_cid TEXT NOT NULL,
        api_key_prefix VARCHAR(12),
        api_key_hash VARCHAR(64) UNIQUE,
        api_key_created_at TIMESTAMP,
        api_key_revoked_at TIMESTAMP,
        api_key_last_used_at TIMESTAMP,
        oauth_refresh_token TEXT
    )";

/// What the host's indexer does whenever it sees an aggregator's record.
const INDEX: &str = "
    INSERT INTO aggregators (did, display_name, record_uri, record_cid) VALUES (?1, ?2, 'at://news', 'bafy')
    ON CONFLICT (did) DO UPDATE SET display_name = excluded.display_name";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("host.db");
    let host = Connection::open(&path)?;
    host.execute_batch(HOSTS_TABLE)?;
    let keys = Keys::builder(SqlKeyStore::open(&Sqlite::open(&path)?, Aggregator::new()).await?).build();
    let owner = OwnerId::new(DID)?;

    let too_early = keys.issue_only(AggregatorKey::of(DID)?).await.err();
    println!("unknown      {}: keyward adds no aggregators", why_not(too_early));
    host.execute(INDEX, (DID, "News"))?;
    println!(
        "indexed      the host's indexer has added the row; has a key: {}",
        keys.only_key(&owner).await?.is_some()
    );

    let first = keys.issue_only(AggregatorKey::of(DID)?).await?;
    println!("issued       {}", first.secret.expose_secret());
    println!("             the row holds its digest and its first 12 characters, so this is the only time to see it");
    println!("verified     {}", verdict(&keys.verify(first.secret.expose_secret()).await));
    host.execute(INDEX, (DID, "News of today"))?;
    println!("indexed      again, and the key {}", verdict(&keys.verify(first.secret.expose_secret()).await));
    println!("last use     written for {} key, off the path of requests", keys.flush_last_used().await?);

    let second = keys.issue_only(AggregatorKey::of(DID)?).await?;
    println!("replaced     there is room for one key, so the old one is dead in the same statement");
    println!("  the old    {}", verdict(&keys.verify(first.secret.expose_secret()).await));
    println!("  the new    {}", verdict(&keys.verify(second.secret.expose_secret()).await));

    // Two operators look at the same key.
    let seen = keys.only_key(&owner).await?.ok_or("the aggregator has a key")?.head;
    println!("info         {}", info(&seen));
    println!("             the last use was the old key's, and is not inherited");

    // One of them replaces it before the other one revokes what is no longer there.
    let third = keys.issue_only(AggregatorKey::of(DID)?).await?;
    let conflict = keys.revoke_seen(&seen, None).await.err();
    println!("conflict     {}", why_not(conflict));
    println!("             the key that was seen is gone, and its successor was not hit: look again, then decide");
    println!("  the newest {}", verdict(&keys.verify(third.secret.expose_secret()).await));

    let seen = keys.only_key(&owner).await?.ok_or("the aggregator has a key")?.head;
    for _ in 0..2 {
        let revoked = keys.revoke_seen(&seen, None).await?;
        let first = when(revoked.revocation.at);
        if revoked.already {
            println!("again        the first time stands: {first}");
        } else {
            println!("revoked      {} at {first}", seen.prefix);
        }
    }
    println!("  the newest {}", verdict(&keys.verify(third.secret.expose_secret()).await));
    let seen = keys.only_key(&owner).await?.ok_or("the aggregator has a key")?.head;
    println!("info         {}", info(&seen));

    host.execute("DELETE FROM aggregators WHERE did = ?1", [DID])?;
    println!("deleted      the row is the host's to delete, and the key goes with it");
    println!("  the newest {}", verdict(&keys.verify(third.secret.expose_secret()).await));
    Ok(())
}

/// What the caller reads, and what the operator reads.
fn verdict(outcome: &Result<Authenticated<Aggregator>, Refusal>) -> String {
    match outcome {
        Ok(accepted) => format!("accepted as {}", accepted.owner()),
        Err(refusal) => format!("refused: the caller reads \"{refusal}\", the log \"{}\"", refusal.reason()),
    }
}

/// What may be shown of a key: neither the key nor its digest.
fn info(KeyHead { prefix, created_at, last_used_at, status, .. }: &KeyHead) -> String {
    let revoked_at = if let Status::Revoked(revocation) = status { revocation.at } else { None };
    let [created, used, revoked] = [*created_at, *last_used_at, revoked_at].map(when);
    format!("{prefix}, created {created}, last used {used}, revoked {revoked}")
}

fn when(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.to_string())
}

/// Why nothing was changed.
fn why_not(error: Option<KeysError>) -> String {
    match error {
        Some(KeysError::Store(StoreError::Missing(reference))) => format!("there is no such {reference}"),
        Some(error) => error.to_string(),
        None => "it went well".to_owned(),
    }
}
