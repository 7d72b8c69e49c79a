//! What the life of a key costs: every step against the least that it could cost, and a table of the ratios.

mod in_memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;

use std::error::Error;

use keyward::Secret;
use keyward::key::Draft;
use keyward::scraper::{ScraperDetails, ScraperKey};
use suite::Suite;

/// How many keys are issued and then presented in turn.
const PRESENTED: u32 = 1_000;

/// How many rows the large tables have. The rest of them belongs to keys that nobody presents.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
const MANY: u32 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new();
    in_memory::generate(&mut suite);
    in_memory::parse_and_digest(&mut suite)?;
    in_memory::verify(&mut suite)?;
    #[cfg(feature = "sqlite")]
    sqlite::verify(&mut suite)?;
    #[cfg(feature = "postgres")]
    postgres::verify(&mut suite)?;
    suite.print_ratios();
    Ok(())
}

/// A key as a client has it: two scopes and an expiry.
fn typical_key(number: u32) -> Result<Draft<ScraperDetails>, Box<dyn Error>> {
    let key = ScraperKey::named(format!("client-{}", number % 100), "nightly import")?
        .scope("jobs:read")?
        .scope("jobs:write")?
        .expires_at("2099-12-31T23:59:59Z".parse()?);
    Ok(key.into())
}

/// The plaintexts, one after the other and again from the start.
fn in_turn(secrets: &[Secret]) -> impl Iterator<Item = &str> {
    secrets.iter().map(Secret::expose_secret).cycle()
}
