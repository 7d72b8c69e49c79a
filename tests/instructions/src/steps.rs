//! What is counted: each step of the pure path, and beside it what the step cannot do without.

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyward::key::{Encoding, KeyDigest, KeyFormat};
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::service::CachePolicy;
use keyward::store::MemoryKeyStore;
use keyward::{Keys, ManualClock, Secret, Timestamp};
use rand::{TryCryptoRng, TryRng};
use sha2::block_api::compress256;

/// Keys of 47, 54 and 70 bytes.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    Base64Url,
    Base62,
    Hex,
}

#[derive(Clone, Copy)]
pub(crate) enum Step {
    ParseAndDigest(Key),
    Digest(Key),
    WrongPrefix,
    WrongLength,
    ForeignCharacter,
    WrongChecksum,
    Generate(Key),
    DigestToHex,
    DigestFromHex,
    CompareDigests,
    VerifyFromCache,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Floor,
}

impl Side {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Floor => "floor",
        }
    }
}

impl Step {
    pub(crate) const ALL: [Self; 17] = [
        Self::ParseAndDigest(Key::Base64Url),
        Self::ParseAndDigest(Key::Base62),
        Self::ParseAndDigest(Key::Hex),
        Self::Digest(Key::Base64Url),
        Self::Digest(Key::Base62),
        Self::Digest(Key::Hex),
        Self::WrongPrefix,
        Self::WrongLength,
        Self::ForeignCharacter,
        Self::WrongChecksum,
        Self::Generate(Key::Base64Url),
        Self::Generate(Key::Base62),
        Self::Generate(Key::Hex),
        Self::DigestToHex,
        Self::DigestFromHex,
        Self::CompareDigests,
        Self::VerifyFromCache,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ParseAndDigest(Key::Base64Url) => "parse and digest, base64url of 47 bytes",
            Self::ParseAndDigest(Key::Base62) => "parse and digest, base62 of 54 bytes",
            Self::ParseAndDigest(Key::Hex) => "parse and digest, hexadecimal of 70 bytes",
            Self::Digest(Key::Base64Url) => "digest, 47 bytes",
            Self::Digest(Key::Base62) => "digest, 54 bytes",
            Self::Digest(Key::Hex) => "digest, 70 bytes",
            Self::WrongPrefix => "refuse a wrong prefix",
            Self::WrongLength => "refuse a wrong length",
            Self::ForeignCharacter => "refuse a foreign character",
            Self::WrongChecksum => "refuse a wrong checksum",
            Self::Generate(Key::Base64Url) => "generate, base64url of 47 bytes",
            Self::Generate(Key::Base62) => "generate, base62 of 54 bytes",
            Self::Generate(Key::Hex) => "generate, hexadecimal of 70 bytes",
            Self::DigestToHex => "digest to hexadecimal",
            Self::DigestFromHex => "digest from hexadecimal",
            Self::CompareDigests => "compare two digests",
            Self::VerifyFromCache => "verify from the cache, with a scope",
        }
    }
}

/// The one function whose instructions are counted, see [`crate::count`].
#[inline(never)]
fn counted<T>(times: u64, mut step: impl FnMut() -> T) {
    for _ in 0..times {
        black_box(step());
    }
}

fn format(key: Key) -> Result<KeyFormat, Box<dyn Error>> {
    Ok(match key {
        Key::Base64Url => KeyFormat::SCRAPER,
        Key::Base62 => KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9)?,
        Key::Hex => KeyFormat::AGGREGATOR,
    })
}

/// The same bytes at every run.
struct Fixed;

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0x1234_5678)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0x1234_5678_9abc_def0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0xa5);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// Keys with one that expires and has two scopes, in the cache, by a clock that stands still.
fn cached() -> Result<(Keys<Standard>, Secret), Box<dyn Error>> {
    let policy = CachePolicy::new().unwatched_max_age(Duration::from_mins(1));
    let builder = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).random(Fixed).cache(policy);
    let keys = builder.clock(ManualClock::new(Timestamp::from_seconds(2_000_000_000))).build();
    let key = StandardKey::new("customer-1", "nightly import")?.scope("jobs:read")?.scope("jobs:write")?;
    let issued = at_once(keys.issue(key.expires_at("2099-12-31T23:59:59Z".parse()?)))??;
    Ok((keys, issued.secret))
}

/// What a future says that waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> Result<T, &'static str> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err("it waits"),
    }
}

/// What cannot be left out of a digest of a text of `length` bytes.
fn compress(length: usize) -> [u32; 8] {
    let mut state = [0; 8];
    let blocks = [[7; 64]; 2];
    compress256(&mut state, black_box(&blocks[..(length + 9).div_ceil(64)]));
    state
}

/// Repeats what the command line names.
pub(crate) fn repeat_named(name: &str, side: &str, times: u64) -> Result<(), Box<dyn Error>> {
    let step = Step::ALL.into_iter().find(|step| step.name() == name).ok_or("there is no such step")?;
    if side == Side::Ours.name() { ours(step, times) } else { floor(step, times) }
}

fn ours(step: Step, times: u64) -> Result<(), Box<dyn Error>> {
    let checked = format(Key::Base62)?;
    let secret = checked.generate(&mut Fixed)?;
    let refuse = |text: &str| counted(times, || black_box(&checked).parse(black_box(text)).is_err());
    let digest = KeyDigest::of("riq_example_key_0123456789");
    match step {
        Step::ParseAndDigest(key) => {
            let format = format(key)?;
            let secret = format.generate(&mut Fixed)?;
            let text = secret.expose_secret();
            counted(times, || black_box(&format).parse(black_box(text)).map(|parsed| parsed.digest()));
        }
        Step::Digest(key) => {
            let secret = format(key)?.generate(&mut Fixed)?;
            counted(times, || KeyDigest::of(black_box(secret.expose_secret())));
        }
        Step::WrongPrefix => refuse(&secret.expose_secret().replacen("acme", "acne", 1)),
        Step::WrongLength => refuse(&secret.expose_secret()[..53]),
        Step::ForeignCharacter => refuse(&format!("{}!", &secret.expose_secret()[..53])),
        Step::WrongChecksum => {
            let other = if secret.expose_secret().ends_with('0') { '1' } else { '0' };
            refuse(&format!("{}{other}", &secret.expose_secret()[..53]));
        }
        Step::Generate(key) => {
            let format = format(key)?;
            counted(times, || black_box(&format).generate(&mut Fixed));
        }
        Step::DigestToHex => counted(times, || black_box(&digest).to_hex()),
        Step::DigestFromHex => {
            let hex = digest.to_hex();
            counted(times, || KeyDigest::from_hex(black_box(hex.as_str())));
        }
        Step::CompareDigests => counted(times, || black_box(&digest) == black_box(&digest)),
        Step::VerifyFromCache => {
            let (keys, secret) = cached()?;
            let verify = || at_once(keys.verify(black_box(secret.expose_secret())));
            for _ in 0..3 {
                verify()?.map_err(|refusal| refusal.reason().code())?;
            }
            counted(times, || verify().is_ok_and(|verdict| verdict.is_ok_and(|key| key.permits("jobs:read").is_ok())));
        }
    }
    Ok(())
}

fn floor(step: Step, times: u64) -> Result<(), Box<dyn Error>> {
    let random = "x".repeat(43);
    match step {
        Step::ParseAndDigest(key @ Key::Base62) => {
            let length = format(key)?.key_len();
            counted(times, || (crc32fast::hash(black_box(random.as_bytes())), compress(length)));
        }
        Step::ParseAndDigest(key) | Step::Digest(key) => {
            let length = format(key)?.key_len();
            counted(times, || compress(length));
        }
        Step::VerifyFromCache => {
            let length = cached()?.0.format().key_len();
            counted(times, || (crc32fast::hash(black_box(random.as_bytes())), compress(length)));
        }
        Step::WrongChecksum => counted(times, || crc32fast::hash(black_box(random.as_bytes()))),
        Step::Generate(key) => {
            let length = format(key)?.key_len();
            let checksum = || matches!(key, Key::Base62).then(|| crc32fast::hash(black_box(random.as_bytes())));
            counted(times, || (checksum(), String::with_capacity(black_box(length))));
        }
        _ => counted(times, || ()),
    }
    Ok(())
}
