//! Verifying over the store in memory, against the hash alone: how many keys there are, how many threads, and whether
//! last use is noted.

use std::error::Error;
use std::hint::black_box;

use keyward::key::Schema as _;
use keyward::schemas::standard::Standard;
use keyward::store::MemoryKeyStore;
use keyward::{Keys, Secret};
use keyward_benches::batch::{async_step, step, threads};
use keyward_benches::keys::{in_turn, sizes, standard_key};
use keyward_benches::suite::Suite;
use sha2::{Digest, Sha256};
use tokio::runtime::{self, Runtime};

const RAW: &str = "SHA-256 of the same key";

fn main() -> Result<(), Box<dyn Error>> {
    let mut suite = Suite::new("memory");
    let runtime = on_this_thread()?;
    for (size, number) in sizes() {
        let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme")?)).build();
        let mut secrets = Vec::new();
        for number in 0..number {
            secrets.push(runtime.block_on(keys.issue(standard_key(number)?))?.secret);
        }
        verify(&mut suite, size, &runtime, &keys, &secrets);
        // No key fits, so that none is noted.
        let forgetful = Keys::builder_over(keys.store().clone()).last_used_capacity(0).build();
        verify(&mut suite, &format!("{size}, last use not noted"), &runtime, &forgetful, &secrets);
        verify_on_two_threads(&mut suite, size, &keys, &secrets)?;
    }
    suite.finish()
}

fn on_this_thread() -> Result<Runtime, Box<dyn Error>> {
    Ok(runtime::Builder::new_current_thread().build()?)
}

fn verify(suite: &mut Suite, load: &str, runtime: &Runtime, keys: &Keys<Standard>, secrets: &[Secret]) {
    let mut hashed = in_turn(secrets);
    // Half a turn ahead, or the floor would bring what comes next into the cache of the processor.
    let [mut parsed, mut verified] = [(); 2].map(|()| in_turn(secrets).skip(secrets.len() / 2));
    let mut raw = || Sha256::digest(hashed.next().unwrap_or_default().as_bytes());
    suite.compare(
        format!("parse and digest, {load}"),
        step(|| {
            let presented = parsed.next().unwrap_or_default();
            keys.schema().formats().parse(presented).map(|parsed| parsed.digest())
        }),
        RAW,
        step(&mut raw),
    );
    suite.compare(
        format!("verify, {load}"),
        async_step(runtime, async || keys.verify(verified.next().unwrap_or_default()).await.is_ok()),
        RAW,
        step(&mut raw),
    );
}

/// Each thread presents the keys in another order.
fn verify_on_two_threads(
    suite: &mut Suite,
    load: &str,
    keys: &Keys<Standard>,
    secrets: &[Secret],
) -> Result<(), Box<dyn Error>> {
    let runtimes = [on_this_thread()?, on_this_thread()?];
    let presented = |thread: usize| in_turn(secrets).skip(thread * secrets.len() / 2);
    suite.compare(
        format!("verify, {load}, 2 threads"),
        threads(2, |thread, steps| {
            runtimes[thread].block_on(async {
                for (_, key) in (0..steps).zip(presented(thread)) {
                    black_box(keys.verify(key).await.is_ok());
                }
            });
        }),
        RAW,
        threads(2, |thread, steps| {
            for (_, key) in (0..steps).zip(presented(thread).skip(secrets.len() / 4)) {
                black_box(Sha256::digest(key.as_bytes()));
            }
        }),
    );
    Ok(())
}
