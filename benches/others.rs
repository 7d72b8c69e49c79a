//! Published crates with the same purpose beside keyward: making a key, and telling from what is stored whether a
//! presented one is right. None of them looks anything up here.

use std::error::Error;
use std::hint::black_box;

use api_keys_simplified::{ApiKeyManagerV0, Environment, ExposeSecret as _, SecureString};
use keyward::key::{Encoding, KeyDigest, KeyFormat};
use keyward_benches::batch::step;
use keyward_benches::suite::Suite;
use prefixed_api_key::{PrefixedApiKey, PrefixedApiKeyController};
use rand::TryRng as _;
#[expect(clippy::disallowed_types, reason = "a benchmark times the generator that services use")]
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};

const BYTES: &str = "32 bytes of the operating system";
const RAW: &str = "SHA-256 of a key of 54 bytes";

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("others");
    let format = KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9)?;
    let secret = format.generate(&mut SysRng)?;
    let key = secret.expose_secret();
    let stored = KeyDigest::of(key);
    let bytes = || {
        let mut bytes = [0_u8; 32];
        SysRng.try_fill_bytes(&mut bytes).map(|()| bytes)
    };
    let raw = || Sha256::digest(black_box(key).as_bytes());

    let prefixed = PrefixedApiKeyController::configure()
        .prefix("acme".to_owned())
        .seam_defaults()
        .finalize()
        .map_err(|_| "prefixed-api-key was not configured")?;
    let (prefixed_key, prefixed_hash) = prefixed.try_generate_key_and_hash()?;
    let prefixed_text = prefixed_key.to_string();

    let simplified = ApiKeyManagerV0::init_default_config("acme")?;
    let simplified_key = simplified.generate(Environment::production())?;
    let simplified_hash = simplified_key.expose_hash().hash().to_owned();
    let simplified_text = SecureString::from(simplified_key.key().expose_secret().to_owned());

    suite.compare(
        "make a key and its digest: keyward",
        step(|| format.generate(&mut SysRng).map(|secret| KeyDigest::of(secret.expose_secret()))),
        BYTES,
        step(bytes),
    );
    suite.compare(
        "make a key and its digest: prefixed-api-key",
        step(|| prefixed.try_generate_key_and_hash().is_ok()),
        BYTES,
        step(bytes),
    );
    suite.compare(
        "make a key and its digest: api-keys-simplified (Argon2id)",
        step(|| simplified.generate(Environment::production()).is_ok()),
        BYTES,
        step(bytes),
    );
    suite.compare(
        "parse, hash and compare: keyward",
        step(|| black_box(&format).parse(black_box(key)).is_ok_and(|parsed| parsed.digest() == stored)),
        RAW,
        step(raw),
    );
    suite.compare(
        "parse, hash and compare: prefixed-api-key",
        step(|| {
            PrefixedApiKey::from_string(black_box(&prefixed_text))
                .is_ok_and(|key| prefixed.check_hash(&key, black_box(&prefixed_hash)))
        }),
        RAW,
        step(raw),
    );
    suite.compare(
        "parse, hash and compare: api-keys-simplified (Argon2id)",
        step(|| simplified.verify(black_box(&simplified_text), black_box(&simplified_hash)).is_ok()),
        RAW,
        step(raw),
    );
    suite.finish()
}
