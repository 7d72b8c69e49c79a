//! The steps that ask no database: generating, parsing, hashing, and verifying over the store in memory.

use std::error::Error;
use std::hint::black_box;

use keyward::Keys;
use keyward::key::{KeyDigest, KeyFormat, Schema as _};
use keyward::schemas::standard::Standard;
use keyward::store::MemoryKeyStore;
use rand::TryRng as _;
#[expect(clippy::disallowed_types, reason = "a benchmark times the generator that services use")]
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use tokio::runtime;

use crate::suite::Suite;
use crate::{PRESENTED, in_turn, standard_key};

/// The encodings, by a name that says how long the keys are.
fn formats() -> Result<[(&'static str, KeyFormat); 3], Box<dyn Error>> {
    let standard = *Standard::new("acme")?.formats().issued();
    Ok([
        ("base62 with checksum, 49 bytes", standard),
        ("base64url, 47 bytes", KeyFormat::SCRAPER),
        ("hexadecimal, 70 bytes", KeyFormat::AGGREGATOR),
    ])
}

pub(crate) fn generate(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let random_bytes = suite.time("generate", "random_bytes", || {
        let mut bytes = [0_u8; 32];
        SysRng.try_fill_bytes(&mut bytes).map(|()| bytes)
    });
    for (name, format) in formats()? {
        let key = suite.time("generate", name, || format.generate(&mut SysRng));
        suite.compare(format!("generate, {name}"), key, "32 bytes from the operating system", random_bytes);
    }
    Ok(())
}

pub(crate) fn parse_and_digest(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    const GROUP: &str = "parse_and_digest";
    for (name, format) in formats()? {
        let secret = format.generate(&mut SysRng)?;
        let key = secret.expose_secret();
        let raw = suite.time(GROUP, &format!("raw_sha2/{name}"), || Sha256::digest(black_box(key).as_bytes()));
        let digest = suite.time(GROUP, &format!("digest/{name}"), || KeyDigest::of(black_box(key)));
        let both = suite.time(GROUP, &format!("both/{name}"), || format.parse(black_box(key)).map(|key| key.digest()));
        let refused =
            suite.time(GROUP, &format!("wrong_prefix/{name}"), || format.parse(black_box(&key[1..])).is_err());
        suite.compare(format!("digest, {name}"), digest, "raw SHA-256", raw);
        suite.compare(format!("parse and digest, {name}"), both, "raw SHA-256", raw);
        suite.compare(format!("refuse a wrong prefix, {name}"), refused, "raw SHA-256", raw);
    }
    Ok(())
}

pub(crate) fn verify(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().build()?;
    let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
    let mut secrets = Vec::new();
    for number in 0..PRESENTED {
        secrets.push(runtime.block_on(keys.issue(standard_key(number)?))?.secret);
    }

    let mut presented = in_turn(&secrets);
    let parsed = suite.time("verify_memory", "parse_and_digest", || {
        keys.schema().formats().parse(presented.next().unwrap_or_default()).map(|parsed| parsed.digest())
    });
    let mut presented = in_turn(&secrets);
    let verified = suite.time_async("verify_memory", "verify", &runtime, async || {
        keys.verify(presented.next().unwrap_or_default()).await.is_ok()
    });
    suite.compare("verify in memory, 1,000 keys", verified, "parse and digest", parsed);
    Ok(())
}
