//! Verifying over the store in memory, against the hash alone: how many keys there are, how many threads, and whether
//! last use is noted.

use std::error::Error;

use keyward::key::Schema as _;
use keyward::schemas::standard::Standard;
use keyward::store::MemoryKeyStore;
use keyward::{Keys, Secret};
use keyward_benches::batch::{async_step, step};
use keyward_benches::keys::{in_turn, sizes, standard_key};
use keyward_benches::suite::Suite;
use keyward_benches::threads::{HASH, on_this_thread, verify_on_two_threads};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

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
        verify_on_two_threads(&mut suite, size, &secrets, async |key| keys.verify(key).await.is_ok())?;
    }
    suite.finish()
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
        HASH,
        step(&mut raw),
    );
    suite.compare(
        format!("verify, {load}"),
        async_step(runtime, async || keys.verify(verified.next().unwrap_or_default()).await.is_ok()),
        HASH,
        step(&mut raw),
    );
}
