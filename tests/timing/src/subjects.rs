//! What is timed: the comparison of digests, the decision, and two comparisons that leak on purpose.

use std::hint::black_box;
use std::sync::Arc;

use keyward::Timestamp;
use keyward::key::{DisplayPrefix, Draft, KeyDigest, KeyHead, KeyId, KeyRecord, OwnerId, decide};
use keyward::schemas::scraper::{Scraper, ScraperKey};

use crate::measure::{Class, Times, measure};

const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);

/// One comparison is shorter than reading the clock.
const COMPARISONS: usize = 16;

fn stored() -> KeyDigest {
    KeyDigest::of("riq_the-key-that-is-stored")
}

/// The bytes of the stored digest, as far as the class has them right.
fn presented<const N: usize>(mut stored: [u8; N], class: Class) -> [u8; N] {
    match class {
        Class::Right => {}
        Class::Nearly => stored[N - 1] ^= 1,
        Class::Wrong => stored[0] ^= 1,
    }
    stored
}

fn several(compare: impl Fn() -> bool) -> usize {
    (0..COMPARISONS).filter(|_| black_box(compare())).count()
}

pub(crate) fn comparison(measurements: usize) -> Times {
    let stored = stored();
    let make = |class| KeyDigest::from_bytes(presented(*stored.as_bytes(), class));
    measure(measurements, make, |digest| several(|| black_box(&stored) == black_box(&digest)))
}

pub(crate) fn decision(measurements: usize) -> Times {
    let draft = ScraperKey::named("client", "import").map(Draft::from).expect("a key");
    let texts = (KeyId::new("key"), OwnerId::new("client"), DisplayPrefix::new("riq_the-"));
    let (Ok(id), Ok(owner), Ok(prefix)) = texts else { panic!("plain texts") };
    let record = KeyRecord::<Scraper>::new(KeyHead::new(id, owner, prefix, Some(stored())), draft.details);
    let (schema, record) = (Scraper::new(), Arc::new(record));
    let make = |class| {
        let digest = KeyDigest::from_bytes(presented(*stored().as_bytes(), class));
        (vec![Arc::clone(&record)], digest)
    };
    measure(measurements, make, |(candidates, digest)| decide(&schema, candidates, &digest, NOW))
}

/// Stops at the first byte that differs.
pub(crate) fn leaking_digest(measurements: usize) -> Times {
    let stored = *stored().as_bytes();
    let equal = |presented: &[u8; 32]| {
        for (one, other) in black_box(&stored).iter().zip(presented) {
            if black_box(one) != other {
                return false;
            }
        }
        true
    };
    measure(measurements, |class| presented(stored, class), |bytes| several(|| equal(black_box(&bytes))))
}

/// Stops early as well, by the way in which the system compares memory.
pub(crate) fn leaking_buffer(measurements: usize) -> Times {
    let stored = [7; 4096];
    let make = |class| Box::new(presented(stored, class));
    measure(measurements, make, |bytes| several(|| black_box(&stored).as_slice() == black_box(bytes.as_slice())))
}
