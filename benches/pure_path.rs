//! What a key costs before anybody is asked about it: making, parsing, hashing and comparing it, each against what cannot
//! be left out.

use std::error::Error;
use std::hint::black_box;

use keyward::key::{Encoding, KeyDigest, KeyFormat, KeyFormats};
use keyward_benches::batch::{step, threads};
use keyward_benches::suite::Suite;
use rand::TryRng as _;
#[expect(clippy::disallowed_types, reason = "a benchmark times the generator that services use")]
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};

const RAW: &str = "SHA-256 of the same bytes";

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("pure_path");
    let formats = [
        ("base64url, 47 bytes", KeyFormat::SCRAPER),
        ("base62 with checksum, 54 bytes", KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9)?),
        ("hexadecimal, 70 bytes", KeyFormat::AGGREGATOR),
    ];
    for (name, format) in formats {
        generate(&mut suite, name, &format);
    }
    for (name, format) in formats {
        parse_and_digest(&mut suite, name, &format)?;
    }
    refuse(&mut suite)?;
    digests(&mut suite);
    suite.finish()
}

fn generate(suite: &mut Suite, name: &str, format: &KeyFormat) {
    suite.compare(
        format!("generate, {name}"),
        step(|| format.generate(&mut SysRng)),
        "32 bytes of the operating system",
        step(|| {
            let mut bytes = [0_u8; 32];
            SysRng.try_fill_bytes(&mut bytes).map(|()| bytes)
        }),
    );
}

fn parse_and_digest(suite: &mut Suite, name: &str, format: &KeyFormat) -> Result<(), Box<dyn Error>> {
    let secret = format.generate(&mut SysRng)?;
    let key = secret.expose_secret();
    let raw = || Sha256::digest(black_box(key).as_bytes());
    let both = || black_box(format).parse(black_box(key)).map(|parsed| parsed.digest());
    let formats = KeyFormats::new(*format);
    let among = || black_box(&formats).parse(black_box(key)).map(|parsed| parsed.digest());
    suite.compare(format!("parse, {name}"), step(|| black_box(format).parse(black_box(key)).is_ok()), RAW, step(raw));
    suite.compare(format!("digest, {name}"), step(|| KeyDigest::of(black_box(key))), RAW, step(raw));
    suite.compare(format!("parse and digest, {name}"), step(both), RAW, step(raw));
    suite.compare(format!("the same by what a schema accepts, {name}"), step(among), RAW, step(raw));
    let repeat = |steps: u64, step: &dyn Fn() -> bool| (0..steps).filter(|_| step()).count();
    suite.compare(
        format!("parse and digest, 2 threads, {name}"),
        threads(2, |_, steps| {
            black_box(repeat(steps, &|| black_box(both()).is_ok()));
        }),
        RAW,
        threads(2, |_, steps| {
            black_box(repeat(steps, &|| black_box(raw())[0] < 128));
        }),
    );
    Ok(())
}

fn refuse(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let format = KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9)?;
    let secret = format.generate(&mut SysRng)?;
    let key = secret.expose_secret();
    let raw = || Sha256::digest(black_box(key).as_bytes());
    let last = if key.ends_with('0') { '1' } else { '0' };
    for (what, text) in [
        ("a wrong prefix", key.replacen("acme", "acne", 1)),
        ("a wrong length", key[..53].to_owned()),
        ("a foreign character", format!("{}!", &key[..53])),
        ("a wrong checksum", format!("{}{last}", &key[..53])),
    ] {
        assert!(format.parse(&text).is_err(), "{what}");
        suite.compare(
            format!("refuse {what}"),
            step(|| black_box(&format).parse(black_box(&text)).is_err()),
            RAW,
            step(raw),
        );
    }
    suite.compare("CRC-32 alone", step(|| crc32fast::hash(black_box(&key.as_bytes()[5..48]))), RAW, step(raw));
    Ok(())
}

fn digests(suite: &mut Suite) {
    let digest = KeyDigest::of("riq_example_key_0123456789");
    let hex = digest.to_hex();
    let raw = || Sha256::digest(black_box("riq_example_key_0123456789").as_bytes());
    suite.compare("compare two digests", step(|| black_box(&digest) == black_box(&digest)), RAW, step(raw));
    suite.compare("digest to hexadecimal, on the stack", step(|| black_box(&digest).to_hex()), RAW, step(raw));
    suite.compare("digest from hexadecimal", step(|| KeyDigest::from_hex(black_box(hex.as_str()))), RAW, step(raw));
}
