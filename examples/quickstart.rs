//! The life of an API key in a SQLite file: issued, verified, rotated and revoked. Run it with
//! `cargo run --example quickstart --features sqlite`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use keyward::key::{Authenticated, KeyFormat, Refusal, RevocationReason};
use keyward::scraper::{ScopePolicy, Scraper, ScraperDetails, ScraperKey};
use keyward::{Clock, Keys, ManualClock, OsRandom, SqliteKeyStore, SystemClock};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let store = SqliteKeyStore::<Scraper>::open(directory.path().join("keys.db")).await?;
    println!("migrated     {}", store.migrate(SystemClock.now()).await?.join(", "));

    // A service leaves the clock out and gets the system's; this one is moved by hand to skip the hour of grace.
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let keys = Keys::builder(Scraper, store).shared_clock(clock.clone()).build();

    let draft = ScraperKey::named("acme", "nightly import")?.scope("jobs:read")?.requests_per_minute(120)?;
    let first = keys.issue(draft.into()).await?;
    println!("issued       {}", first.secret.expose_secret());
    println!(
        "             the only time that the whole key is shown: the file holds its digest, and `riq_` and 4 more"
    );

    println!("verified     {}", verdict(&keys.verify(first.secret.expose_secret()).await));
    println!("malformed    {}", verdict(&keys.verify("hunter2").await));
    let stranger = KeyFormat::SCRAPER.generate(&OsRandom)?;
    println!("never issued {}", verdict(&keys.verify(stranger.expose_secret()).await));

    let accepted = keys.verify(first.secret.expose_secret()).await?;
    for scope in ["jobs:read", "jobs:write"] {
        match accepted.details().permits(scope, ScopePolicy::exact()) {
            Ok(()) => println!("permitted    {scope}"),
            Err(missing) => println!("forbidden    {scope}: {missing}; answer 403, for the key itself is good"),
        }
    }

    let rotated = keys.rotate(&first.record.head.id, HOUR, None).await?;
    let second = rotated.successor;
    println!("rotated      the successor starts with {}", second.record.head.prefix);
    println!("  the old    {}", verdict(&keys.verify(first.secret.expose_secret()).await));
    println!("  the new    {}", verdict(&keys.verify(second.secret.expose_secret()).await));
    clock.advance(HOUR);
    println!("an hour on   the grace period is over");
    println!("  the old    {}", verdict(&keys.verify(first.secret.expose_secret()).await));
    println!("  the new    {}", verdict(&keys.verify(second.secret.expose_secret()).await));

    keys.revoke(&second.record.head.id, Some(RevocationReason::new("found in a public repository")?)).await?;
    println!("revoked      {}", verdict(&keys.verify(second.secret.expose_secret()).await));

    // A service runs `record_last_used` instead, which does this every 30 seconds.
    println!("last use     written for {} keys in one statement", keys.flush_last_used().await?);
    Ok(())
}

/// What the caller is told, and what the operator is told.
fn verdict(outcome: &Result<Authenticated<ScraperDetails>, Refusal>) -> String {
    match outcome {
        Ok(accepted) => format!("accepted as {} ({})", accepted.head().owner, accepted.details().name),
        Err(refusal) => format!("refused: the caller reads \"{refusal}\", the log \"{}\"", refusal.reason()),
    }
}
