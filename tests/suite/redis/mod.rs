//! What processes count together in Redis, on a real server.

mod limits;
mod outages;
mod quotas;
mod script;

use std::num::NonZeroU32;

use keyward::Keys;
use keyward::key::Authenticated;
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::service::{OnOutage, RateLimiter};
use keyward::store::{LimitStore, MemoryKeyStore};

fn number(number: u32) -> NonZeroU32 {
    number.try_into().unwrap()
}

/// A caller with a key of their own.
async fn caller() -> Authenticated<Standard> {
    let keys = Keys::builder(MemoryKeyStore::new(Standard::new("acme").unwrap())).build();
    let issued = keys.issue(StandardKey::new("customer-1", "import").unwrap()).await.unwrap();
    keys.verify(issued.secret.expose_secret()).await.unwrap()
}

fn limiter(per_minute: u32, store: impl LimitStore, on_outage: OnOutage) -> RateLimiter<Standard> {
    RateLimiter::builder(number(per_minute)).shared_by(store, on_outage).build()
}

async fn admitted(limiter: &RateLimiter<Standard>, caller: &Authenticated<Standard>) -> u32 {
    let mut admitted = 0;
    while limiter.check(caller).await.is_ok() {
        admitted += 1;
    }
    admitted
}
