//! Verifying from the cache, with its look at the clock, the expiry, a scope and the last use, against the hash alone:
//! how many keys there are, how many threads, whether last use is noted, and by whose clock.

use std::error::Error;
use std::time::Duration;

use keyward::schemas::standard::Standard;
use keyward::service::CachePolicy;
use keyward::store::MemoryKeyStore;
use keyward::{Clock, Keys, KeysBuilder, Secret, SystemClock, Timestamp};
use keyward_benches::batch::{async_step, step};
use keyward_benches::keys::{in_turn, sizes, standard_key};
use keyward_benches::suite::Suite;
use keyward_benches::threads::{HASH, on_this_thread, verify_on_two_threads};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("warm");
    let runtime = on_this_thread()?;
    for (size, number) in sizes() {
        let issuer = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
        let mut secrets = Vec::new();
        for number in 0..number {
            secrets.push(runtime.block_on(issuer.issue(standard_key(number)?))?.secret);
        }
        let builder = || {
            let hour = Duration::from_hours(1);
            let policy = CachePolicy::new().capacity(secrets.len()).max_age(hour).unwatched_max_age(hour);
            // Room for all of them, as for a host that writes last use at an interval.
            Keys::builder_over(issuer.store().clone()).cache(policy).last_used_capacity(secrets.len())
        };
        let keys = warm(&runtime, builder(), &secrets)?;
        verify(&mut suite, size, &runtime, &keys, &secrets);
        // No key fits, so that none is noted.
        let forgetful = warm(&runtime, builder().last_used_capacity(0), &secrets)?;
        verify(&mut suite, &format!("{size}, last use not noted"), &runtime, &forgetful, &secrets);
        let ticked = warm(&runtime, builder().clock(Ticked(SystemClock.now())), &secrets)?;
        verify(&mut suite, &format!("{size}, by a clock that costs nothing"), &runtime, &ticked, &secrets);
        verify_on_two_threads(&mut suite, size, &secrets, async |key| is_permitted(&keys, key).await)?;
    }
    suite.finish()
}

/// A clock that a host sets now and then: reading it costs nothing.
#[derive(Debug)]
struct Ticked(Timestamp);

impl Clock for Ticked {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// With all keys in the cache.
fn warm(
    runtime: &Runtime,
    builder: KeysBuilder<Standard>,
    secrets: &[Secret],
) -> Result<Keys<Standard>, Box<dyn Error>> {
    let keys = builder.build();
    runtime.block_on(async {
        for secret in secrets {
            keys.verify(secret.expose_secret()).await?;
        }
        Ok(keys)
    })
}

async fn is_permitted(keys: &Keys<Standard>, presented: &str) -> bool {
    keys.verify(presented).await.is_ok_and(|caller| caller.permits("jobs:read").is_ok())
}

fn verify(suite: &mut Suite, load: &str, runtime: &Runtime, keys: &Keys<Standard>, secrets: &[Secret]) {
    let mut hashed = in_turn(secrets);
    // Half a turn ahead, or the floor would bring what comes next into the cache of the processor.
    let mut verified = in_turn(secrets).skip(secrets.len() / 2);
    suite.compare(
        format!("verify, {load}"),
        async_step(runtime, async || is_permitted(keys, verified.next().unwrap_or_default()).await),
        HASH,
        step(|| Sha256::digest(hashed.next().unwrap_or_default().as_bytes())),
    );
}
