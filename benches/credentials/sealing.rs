//! Sealing and opening a secret, against the cipher alone.

use std::error::Error;
use std::hint::black_box;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use keyward::seal::{SealKey, SealKeys, SealNonce, Sealed, SealedPlace};
use rand::TryRng as _;
#[expect(clippy::disallowed_types, reason = "a benchmark times the generator that services use")]
use rand::rngs::SysRng;

use keyward_benches::batch::step;
use keyward_benches::suite::Suite;

const PLACE: SealedPlace<'_> =
    SealedPlace { schema: "aggregator", owner: "did:plc:ewvi7nxzyoun6zhxrhs64oiz", column: "oauth_refresh_token" };

/// What the tag covers beside the ciphertext is about as long as this.
const ASSOCIATED_DATA: &[u8] = &[b'x'; 120];

pub(crate) fn seal_and_open(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    const RAW_SEAL: &str = "raw XChaCha20-Poly1305 and its nonce";
    const RAW_OPEN: &str = "raw XChaCha20-Poly1305";

    let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap_or_default());
    let keys = SealKeys::new("2026-07".parse()?, SealKey::from_bytes(&bytes)?);
    let cipher = XChaCha20Poly1305::new(&bytes.into());

    for (name, length) in [("a token of 64 bytes", 64), ("a token of 1 KiB", 1024)] {
        let plaintext = "t".repeat(length);
        let payload = |msg| Payload { msg, aad: black_box(ASSOCIATED_DATA) };

        let raw_seal = || {
            let mut nonce = XNonce::default();
            SysRng.try_fill_bytes(&mut nonce).ok()?;
            cipher.encrypt(&nonce, payload(black_box(plaintext.as_bytes()))).ok()
        };
        let seal = || keys.seal(PLACE, black_box(&plaintext), SealNonce::generate(&mut SysRng).ok()?).ok();
        suite.compare(format!("seal {name}"), step(seal), RAW_SEAL, step(raw_seal));

        let nonce = XNonce::default();
        let ciphertext = cipher.encrypt(&nonce, payload(plaintext.as_bytes())).map_err(|_| "not encrypted")?;
        let raw_open = || cipher.decrypt(&nonce, payload(black_box(&ciphertext)));
        let sealed = keys.seal(PLACE, &plaintext, SealNonce::generate(&mut SysRng)?)?;
        let stored = sealed.as_str();
        let open = || keys.open(PLACE, black_box(&sealed)).is_ok();
        let parse_and_open = || Sealed::parse(black_box(stored)).is_ok_and(|sealed| keys.open(PLACE, &sealed).is_ok());
        suite.compare(format!("open {name}"), step(open), RAW_OPEN, step(raw_open));
        suite.compare(format!("parse and open {name}"), step(parse_and_open), RAW_OPEN, step(raw_open));
    }
    Ok(())
}
