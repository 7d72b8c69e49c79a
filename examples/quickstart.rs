//! The life of an API key in a SQLite file: issued, verified, changed, rotated and revoked. Run it with
//! `cargo run --example quickstart --features sqlite`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use keyward::key::{Actor, Authenticated, OwnerId, Reason, Refusal, Scope};
use keyward::schemas::standard::{Standard, StandardKey, StandardUpdate};
use keyward::{Clock, Keys, KeysError, ManualClock, SqlKeyStore, Sqlite, SystemClock};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let database = Sqlite::open(directory.path().join("service.db"))?;
    let store = SqlKeyStore::open(&database, Standard::new("acme")?).await?;
    for migration in store.migrate(SystemClock.now()).await? {
        println!("migrated     {migration}");
    }

    // A service leaves the clock out and gets the computer's; this one is moved by hand to skip the hour of grace.
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let keys = Keys::builder(store).shared_clock(clock.clone()).build().by(Actor::new("ada@acme.example")?);

    let key = StandardKey::new("customer-1", "nightly import")?.scope("jobs:read")?.requests_per_minute(120)?;
    let first = keys.issue(key).await?;
    let id = &first.record.head.id;
    println!("issued       {}", first.secret.expose_secret());
    println!(
        "             the only time that the whole key is shown: the file holds its digest, and what logs show of"
    );
    println!("             it, {}", first.record.head.prefix);

    // First the key: whoever holds none is answered 401. Then what it permits: a good key may still be answered 403.
    let caller = keys.verify(first.secret.expose_secret()).await?;
    println!("verified     {}", verdict(&Ok(caller.clone())));
    for scope in ["jobs:read", "jobs:write"] {
        match caller.permits(scope) {
            Ok(()) => println!("permitted    {scope}"),
            Err(missing) => println!("forbidden    {scope}: {missing}"),
        }
    }
    println!("malformed    {}", verdict(&keys.verify("hunter2").await));

    // Handlers that act for a customer hold that customer's keys alone.
    let stranger = keys.of(&OwnerId::new("customer-2")?);
    println!("not theirs   {}", error(stranger.revoke(id, None).await.err()));
    let customer = keys.of(&first.record.head.owner);

    // A change names the version that was seen, so that of two people who change a key at once, one looks again.
    let version = first.record.head.version;
    let update = StandardUpdate::new().scopes([Scope::new("jobs:read")?, Scope::new("jobs:write")?]);
    let changed = customer.update(id, version, update).await?;
    println!("updated      version {} may {}", changed.key.head.version, changed.key.details.scopes);
    let late = customer.update(id, version, StandardUpdate::new().scopes([])).await;
    println!("too late     {}", error(late.err()));

    customer.disable(id, Some(Reason::new("unpaid")?)).await?;
    println!("disabled     {}", verdict(&keys.verify(first.secret.expose_secret()).await));
    customer.enable(id, None).await?;
    println!("enabled      {}", verdict(&keys.verify(first.secret.expose_secret()).await));

    let second = customer.rotate(id, HOUR, None).await?.successor;
    println!("rotated      the successor starts with {}", second.record.head.prefix);
    println!("  the old    {}", verdict(&keys.verify(first.secret.expose_secret()).await));
    println!("  the new    {}", verdict(&keys.verify(second.secret.expose_secret()).await));
    clock.advance(HOUR);
    println!("an hour on   the grace period is over");
    println!("  the old    {}", verdict(&keys.verify(first.secret.expose_secret()).await));
    println!("  the new    {}", verdict(&keys.verify(second.secret.expose_secret()).await));

    customer.revoke(&second.record.head.id, Some(Reason::new("found in a public repository")?)).await?;
    println!("revoked      {}", verdict(&keys.verify(second.secret.expose_secret()).await));

    for entry in customer.history(id).await? {
        let by = entry.by.as_ref().map_or("nobody in particular", Actor::as_str);
        let why = entry.reason.map_or_else(String::new, |reason| format!(", because: {reason}"));
        println!("history      version {}: {} by {by}{why}", entry.to_version, entry.action);
        for change in entry.changes {
            let [before, after] = [change.before, change.after].map(|value| value.unwrap_or_else(|| "none".into()));
            println!("             {}: from {before} to {after}", change.field);
        }
    }

    // A service runs `record_last_used` instead, which does this every 30 seconds.
    println!("last use     written for {} keys in one statement", keys.flush_last_used().await?);
    Ok(())
}

/// What the caller reads, and what the operator reads.
fn verdict(outcome: &Result<Authenticated<Standard>, Refusal>) -> String {
    match outcome {
        Ok(caller) => format!("accepted: the {} of {}", caller.details().name, caller.owner()),
        Err(refusal) => format!("refused: the caller reads \"{refusal}\", the log \"{}\"", refusal.reason()),
    }
}

/// Why nothing was changed.
fn error(error: Option<KeysError>) -> String {
    error.map_or_else(|| "it went well".to_owned(), |error| error.to_string())
}
