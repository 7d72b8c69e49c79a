//! The steps that ask no database: generating, parsing, hashing, and verifying over the store in memory.

use std::error::Error;
use std::hint::black_box;

use keyward::key::{Encoding, KeyDigest, KeyFormat};
use keyward::scraper::Scraper;
use keyward::store::MemoryKeyStore;
use keyward::{Keys, OsRandom, RandomSource};
use sha2::{Digest, Sha256};
use tokio::runtime;

use crate::suite::Suite;
use crate::{PRESENTED, in_turn, typical_key};

const CHECKED: KeyFormat = match KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9) {
    Ok(format) => format,
    Err(_) => panic!("the format is not sound"),
};

pub(crate) fn generate(suite: &mut Suite) {
    let random_bytes = suite.time("generate", "random_bytes", || {
        let mut bytes = [0_u8; 32];
        OsRandom.fill(&mut bytes).map(|()| bytes)
    });
    for (name, format) in [("base64url", KeyFormat::SCRAPER), ("base62_checked", CHECKED)] {
        let key = suite.time("generate", name, || format.generate(&OsRandom));
        suite.compare(format!("generate, {name}"), key, "32 bytes from the operating system", random_bytes);
    }
}

pub(crate) fn parse_and_digest(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    const GROUP: &str = "parse_and_digest";
    let formats = [
        ("base64url_47_bytes", KeyFormat::SCRAPER),
        ("base62_checked_54_bytes", CHECKED),
        ("hex_70_bytes", KeyFormat::AGGREGATOR),
    ];
    for (name, format) in formats {
        let secret = format.generate(&OsRandom)?;
        let key = secret.expose_secret();
        let raw = suite.time(GROUP, &format!("raw_sha2/{name}"), || Sha256::digest(black_box(key).as_bytes()));
        let digest = suite.time(GROUP, &format!("digest/{name}"), || KeyDigest::of(black_box(key)));
        let both = suite.time(GROUP, &format!("both/{name}"), || format.parse(black_box(key)).map(|key| key.digest()));
        let refused = suite.time(GROUP, &format!("wrong_prefix/{name}"), || format.parse(black_box(&key[1..])));
        suite.compare(format!("digest, {name}"), digest, "raw SHA-256", raw);
        suite.compare(format!("parse and digest, {name}"), both, "raw SHA-256", raw);
        suite.compare(format!("refuse a wrong prefix, {name}"), refused, "raw SHA-256", raw);
    }
    Ok(())
}

pub(crate) fn verify(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().build()?;
    let keys = Keys::builder(Scraper, MemoryKeyStore::new()).build();
    let mut secrets = Vec::new();
    for number in 0..PRESENTED {
        secrets.push(runtime.block_on(keys.issue(typical_key(number)?))?.secret);
    }

    let mut presented = in_turn(&secrets);
    let parsed = suite.time("verify_memory", "parse_and_digest", || {
        keys.format().parse(presented.next().unwrap_or_default()).map(|parsed| parsed.digest())
    });
    let mut presented = in_turn(&secrets);
    let verified = suite.time_async("verify_memory", "verify", &runtime, async || {
        keys.verify(presented.next().unwrap_or_default()).await.is_ok()
    });
    suite.compare("verify in memory, 1,000 keys", verified, "parse and digest", parsed);
    Ok(())
}
