//! What the life of a key costs: every step against the least that it could cost, and a table of the ratios.
//!
//! Run it with `cargo bench -p keyward-benches --features broker,credentials,sqlite,postgres`. Words behind `--` choose
//! benchmarks by name.

#[cfg(feature = "credentials")]
mod credentials;
#[cfg(feature = "credentials")]
mod handed_out;
mod in_memory;
#[cfg(feature = "postgres")]
mod postgres;
mod sealing;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod tables;

#[cfg(all(feature = "broker", any(feature = "sqlite", feature = "postgres")))]
mod tokens;

use std::error::Error;

use keyward::Secret;
use keyward::schemas::scraper::ScraperKey;
use keyward::schemas::standard::StandardKey;
use suite::Suite;

/// How many keys are issued and then presented in turn.
const PRESENTED: u32 = 1_000;

/// How many rows the large tables have. The rest of them belongs to keys that nobody presents.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
const MANY: u32 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new();
    in_memory::generate(&mut suite)?;
    in_memory::parse_and_digest(&mut suite)?;
    in_memory::verify(&mut suite)?;
    sealing::seal_and_open(&mut suite)?;
    #[cfg(feature = "credentials")]
    credentials::prove(&mut suite)?;
    #[cfg(feature = "credentials")]
    handed_out::hand_out(&mut suite)?;
    #[cfg(feature = "sqlite")]
    sqlite::verify(&mut suite)?;
    #[cfg(all(feature = "broker", feature = "sqlite"))]
    tokens::sqlite::accept(&mut suite)?;
    #[cfg(feature = "postgres")]
    postgres::verify(&mut suite)?;
    #[cfg(all(feature = "broker", feature = "postgres"))]
    tokens::postgres::accept(&mut suite)?;
    suite.print_ratios();
    Ok(())
}

/// A key as a customer has it: two scopes and an expiry.
fn standard_key(number: u32) -> Result<StandardKey, Box<dyn Error>> {
    let key = StandardKey::new(format!("customer-{}", number % 100), "nightly import")?
        .scope("jobs:read")?
        .scope("jobs:write")?
        .expires_at("2099-12-31T23:59:59Z".parse()?);
    Ok(key)
}

/// The same key in the table of a host.
#[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), expect(dead_code, reason = "it needs a database"))]
fn scraper_key(number: u32) -> Result<ScraperKey, Box<dyn Error>> {
    let key = ScraperKey::named(format!("client-{}", number % 100), "nightly import")?
        .scope("jobs:read")?
        .scope("jobs:write")?
        .expires_at("2099-12-31T23:59:59Z".parse()?);
    Ok(key)
}

/// The plaintexts, one after the other and again from the start.
fn in_turn(secrets: &[Secret]) -> impl Iterator<Item = &str> {
    secrets.iter().map(Secret::expose_secret).cycle()
}
