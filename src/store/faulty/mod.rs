//! A store that fails on purpose: [`FaultyStore`], for tests of what is built on a store.
//!
//! A service over a database has to be right when the database is not: when it is away, when it made a change and the
//! answer was lost, when it does not answer at all. [`FaultyStore`] stands in front of any store and makes this happen,
//! either at the calls that a test names ([`FaultyStore::fail_next`]) or by chance from a seed
//! ([`FaultyStore::fail_by_chance`]), so that every run can be repeated.
//!
//! ```
//! use std::sync::Arc;
//!
//! use keyward::schemas::standard::{Standard, StandardKey};
//! use keyward::store::MemoryKeyStore;
//! use keyward::store::faulty::{Call, Fault, FaultyStore};
//! use keyward::{Keys, KeysError};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let store = Arc::new(FaultyStore::new(MemoryKeyStore::new(Standard::new("acme")?)));
//! let keys = Keys::builder_over(store.clone()).build();
//! let issued = keys.issue(StandardKey::new("customer-1", "production")?).await?;
//! let (id, key) = (&issued.record.head.id, issued.secret.expose_secret());
//!
//! // The database is away for one lookup: that is no verdict on the key.
//! store.fail_next(Call::Find, Fault::Unavailable);
//! let refusal = keys.verify(key).await.unwrap_err();
//! assert!(refusal.is_outage());
//! assert!(keys.verify(key).await.is_ok());
//!
//! // The key is revoked, and the service does not learn it. Revoking again is safe, and says when it was.
//! store.fail_next(Call::Revoke, Fault::AnswerLost);
//! assert!(keys.revoke(id, None).await.is_err_and(|error| error.is_outage()));
//! assert!(keys.revoke(id, None).await?.already);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod plan;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use crate::key::{HistoryEntry, KeyChange, KeyId, KeyRecord, OwnerId, Revoked, RevokedAll, Rotation, Schema};
use crate::store::{
    Abilities, KeyLookup, KeyStore, KeyUse, ListRequest, PurgeRequest, RevokeAllRequest, RevokeRequest, StoreError,
    Touched,
};
use plan::Plan;
pub use plan::{Call, Fault};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;
type Wait = dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// A store that does what the store behind it does, but for the [`Fault`]s that it is told to have.
pub struct FaultyStore<S: Schema> {
    store: Arc<dyn KeyStore<Schema = S>>,
    plan: Mutex<Plan>,
    wait: Box<Wait>,
}

impl<S: Schema> FaultyStore<S> {
    /// A store in front of `store`, without a fault yet.
    #[must_use]
    pub fn new(store: impl KeyStore<Schema = S>) -> Self {
        Self::over(Arc::new(store))
    }

    /// As [`new`](Self::new), over a store that others hold too, such as one that is chosen at run time.
    #[must_use]
    pub fn over(store: Arc<dyn KeyStore<Schema = S>>) -> Self {
        Self { store, plan: Mutex::default(), wait: Box::new(|_| Box::pin(give_way())) }
    }

    /// Waits through `wait` where a [`Fault::Delayed`] says so, such as `|time| Box::pin(tokio::time::sleep(time))`.
    /// Without it, a delay lets other tasks run first and takes no time, as this crate has no timer.
    #[must_use]
    pub fn waiting(
        self,
        wait: impl Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static,
    ) -> Self {
        Self { wait: Box::new(wait), ..self }
    }

    /// The next call of this kind that has no fault yet gets `fault`. Several of them make a script.
    pub fn fail_next(&self, call: Call, fault: Fault) {
        self.plan().script(call, Some(fault));
    }

    /// The next call of this kind that has no fault yet is made without one, whatever chance would say.
    pub fn let_next_succeed(&self, call: Call) {
        self.plan().script(call, None);
    }

    /// From now on, each call without a script gets one of `faults` by chance, about one call in `one_in` (0 is none).
    /// The same seed and the same calls meet the same faults.
    pub fn fail_by_chance(&self, seed: u64, one_in: u32, faults: &[Fault]) {
        self.plan().chance(seed, one_in, faults);
    }

    /// Ends all faults, those included that are planned.
    pub fn heal(&self) {
        self.plan().heal();
    }

    /// The calls that met a fault so far, in the order in which they were made.
    #[must_use]
    pub fn faults_met(&self) -> Vec<(Call, Fault)> {
        self.plan().met.clone()
    }

    /// Only single calls change the plan, so a panic elsewhere leaves it whole.
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call with the fault that is planned for it.
    async fn call<'a, T: Send>(&self, call: Call, make: impl Fn() -> Answer<'a, T> + Send) -> Result<T, StoreError> {
        let fault = self.plan().fault_of(call);
        self.with(fault, make).await
    }

    async fn with<'a, T: Send>(
        &self,
        fault: Option<Fault>,
        make: impl Fn() -> Answer<'a, T> + Send,
    ) -> Result<T, StoreError> {
        match fault {
            None => make().await,
            Some(Fault::Delayed(time)) => {
                (self.wait)(time).await;
                make().await
            }
            Some(Fault::AnswerLost) => {
                make().await?;
                Err(unavailable())
            }
            Some(Fault::Repeated) => {
                let _lost = make().await;
                make().await
            }
            Some(Fault::Unanswered) => pending().await,
            Some(Fault::MadeAndUnanswered) => {
                let _lost = make().await;
                pending().await
            }
            Some(Fault::Unavailable | Fault::Busy) => Err(unavailable()),
            Some(Fault::Backend | Fault::Refused) => {
                Err(StoreError::Backend { backend: "the faulty store", source: ON_PURPOSE.into() })
            }
            Some(Fault::Denied) => Err(StoreError::Denied { backend: "the faulty store", source: ON_PURPOSE.into() }),
        }
    }
}

const ON_PURPOSE: &str = "it fails on purpose";

fn unavailable() -> StoreError {
    StoreError::Unavailable { backend: "the faulty store", source: ON_PURPOSE.into() }
}

/// Is pending once.
async fn give_way() {
    let mut came = false;
    poll_fn(|context| {
        if came {
            return Poll::Ready(());
        }
        came = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<S: Schema> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("store", &self.store).finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Schema> KeyStore for FaultyStore<S> {
    type Schema = S;

    fn schema(&self) -> &S {
        self.store.schema()
    }

    fn abilities(&self) -> Abilities {
        self.store.abilities()
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<Arc<KeyRecord<S>>>, StoreError> {
        self.call(Call::Find, || self.store.find(lookup)).await
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<S>>, StoreError> {
        self.call(Call::Get, || self.store.get(id)).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Vec<KeyRecord<S>>, StoreError> {
        self.call(Call::List, || self.store.list(request)).await
    }

    async fn count(&self, request: &ListRequest) -> Result<u64, StoreError> {
        self.call(Call::Count, || self.store.count(request)).await
    }

    async fn owner_exists(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        self.call(Call::OwnerExists, || self.store.owner_exists(owner)).await
    }

    async fn insert(&self, key: &KeyRecord<S>) -> Result<(), StoreError> {
        self.call(Call::Insert, || self.store.insert(key)).await
    }

    async fn rotate(&self, rotation: &Rotation<S>) -> Result<KeyRecord<S>, StoreError> {
        self.call(Call::Rotate, || self.store.rotate(rotation)).await
    }

    async fn change(&self, change: &KeyChange<S>) -> Result<(), StoreError> {
        self.call(Call::Change, || self.store.change(change)).await
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<Option<Revoked>, StoreError> {
        self.call(Call::Revoke, || self.store.revoke(request)).await
    }

    async fn revoke_all(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        self.call(Call::RevokeAll, || self.store.revoke_all(request)).await
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<Touched, StoreError> {
        let fault = self.plan().fault_of(Call::Touch);
        let mut touched = Touched::default();
        match fault {
            Some(Fault::Busy) => touched.busy = uses.to_vec(),
            Some(Fault::Refused) => touched.refused = uses.to_vec(),
            fault => return self.with(fault, || self.store.touch(uses)).await,
        }
        Ok(touched)
    }

    async fn history(&self, id: &KeyId) -> Result<Vec<HistoryEntry>, StoreError> {
        self.call(Call::History, || self.store.history(id)).await
    }

    async fn purge(&self, request: &PurgeRequest) -> Result<u64, StoreError> {
        self.call(Call::Purge, || self.store.purge(request)).await
    }
}
