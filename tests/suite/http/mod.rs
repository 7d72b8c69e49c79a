//! Requests that come in, over TCP, to axum and to services of a few lines: who passes, and what the others are answered.

mod bearer;
mod bodies;
mod forms;
mod layer;
mod limits;
mod protect;
mod scopes;
pub(crate) mod server;

use keyward::Keys;
use keyward::schemas::standard::{Standard, StandardKey};
use keyward::store::MemoryKeyStore;

/// Keys of a service, in memory.
fn keys() -> Keys<Standard> {
    Keys::builder(MemoryKeyStore::new(Standard::new("acme").unwrap())).build()
}

/// A key of `owner` with these scopes.
async fn key(keys: &Keys<Standard>, owner: &str, scopes: &[&str]) -> String {
    let draft = StandardKey::new(owner, "test").unwrap();
    let draft = scopes.iter().fold(draft, |draft, scope| draft.scope(*scope).unwrap());
    keys.issue(draft).await.unwrap().secret.expose_secret().to_owned()
}
