//! Keys as customers have them.

use std::error::Error;

use keyward::Secret;
use keyward::schemas::scraper::ScraperKey;
use keyward::schemas::standard::StandardKey;

/// How many keys are issued and then presented in turn, unless a benchmark says otherwise.
pub const PRESENTED: u32 = 1_000;

/// How many rows a large table has. The rest of them belongs to keys that nobody presents.
pub const MANY: u32 = 100_000;

/// The sizes of tables that are looked into: with `KEYWARD_BENCH_MILLION` in the environment, a million rows as well.
#[must_use]
pub fn sizes() -> Vec<(&'static str, u32)> {
    let mut sizes = vec![("1,000 keys", PRESENTED), ("100,000 keys", MANY)];
    if std::env::var_os("KEYWARD_BENCH_MILLION").is_some() {
        sizes.push(("1,000,000 keys", 1_000_000));
    }
    sizes
}

/// A key with two scopes and an expiry.
///
/// # Errors
/// None, as long as keyward takes these values.
pub fn standard_key(number: u32) -> Result<StandardKey, Box<dyn Error>> {
    let key = StandardKey::new(format!("customer-{}", number % 100), "nightly import")?
        .scope("jobs:read")?
        .scope("jobs:write")?
        .expires_at("2099-12-31T23:59:59Z".parse()?);
    Ok(key)
}

/// The same key in the table of a host.
///
/// # Errors
/// As of [`standard_key`].
pub fn scraper_key(number: u32) -> Result<ScraperKey, Box<dyn Error>> {
    let key = ScraperKey::named(format!("client-{}", number % 100), "nightly import")?
        .scope("jobs:read")?
        .scope("jobs:write")?
        .expires_at("2099-12-31T23:59:59Z".parse()?);
    Ok(key)
}

/// The plaintexts, one after the other and again from the start.
pub fn in_turn(secrets: &[Secret]) -> impl Iterator<Item = &str> {
    secrets.iter().map(Secret::expose_secret).cycle()
}
