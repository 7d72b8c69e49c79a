//! The services over a store that fails on purpose: what they report holds, whatever happened on the way.

mod model;
#[cfg(feature = "tokio")]
mod recorder;
mod script;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use keyward::Keys;
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::store::MemoryKeyStore;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tracing::subscriber::{NoSubscriber, with_default};

use script::{Script, look};

const SCRIPTS: u64 = 10_000;

/// Repeats the script of one seed, as a failure names it.
const SEED: &str = "KEYWARD_TEST_SEED";

/// No key is accepted that was reported revoked, none is handed out that was not stored, an outage is never a verdict,
/// and no use is lost without being counted, whatever calls fail, hang, are repeated, or lose their answers.
#[test]
fn ten_thousand_services_over_failing_stores_say_what_is_so() {
    let stranger = a_key_from_elsewhere();
    if let Some(seed) = std::env::var_os(SEED) {
        run(seed.to_str().unwrap().parse().unwrap(), &stranger);
        return;
    }
    let seeds = AtomicU64::new(0);
    let lane = || {
        while let seed = seeds.fetch_add(1, Ordering::Relaxed)
            && seed < SCRIPTS
        {
            run(seed, &stranger);
        }
    };
    let lanes = thread::available_parallelism().map_or(2, std::num::NonZero::get);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
}

/// Another test reads all that is logged; so much would drown it.
fn run(seed: u64, stranger: &str) {
    let _seed = Named(seed);
    with_default(NoSubscriber::new(), || Script::new(seed, stranger).run());
}

struct Named(u64);

impl Drop for Named {
    #[expect(clippy::print_stderr, reason = "it belongs to the message of the test that fails")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the script of the seed {} failed: repeat it with {SEED}={}", self.0, self.0);
        }
    }
}

fn a_key_from_elsewhere() -> String {
    let store = MemoryKeyStore::new(Standard::new("acme").unwrap());
    let keys = Keys::builder(store).random(StdRng::seed_from_u64(u64::MAX)).build();
    let issued = look(keys.issue(StandardKey::new("somebody", "a key").unwrap())).unwrap().unwrap();
    issued.secret.expose_secret().to_owned()
}
