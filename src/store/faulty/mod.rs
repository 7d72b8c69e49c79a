//! A store that fails on purpose: [`FaultyStore`], for tests of what is built on a store.
//!
//! A service over a database has to be right when the database is not: when it is away, when it made a change and the
//! answer was lost, when it does not answer at all. [`FaultyStore`] stands in front of any store of keys and makes this
//! happen, either at the calls that a test names ([`Faulty::fail_next`]) or by chance from a seed
//! ([`Faulty::fail_by_chance`]), so that every run can be repeated. `FaultyGrantStore` (feature `broker`) does the same in
//! front of a store of grants.
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

#[cfg(feature = "broker")]
mod grants;
mod keys;
mod plan;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use crate::store::StoreError;
#[cfg(feature = "broker")]
#[cfg_attr(docsrs_keyward, doc(cfg(feature = "broker")))]
pub use grants::{FaultyGrantStore, GrantCall};
pub use keys::{Call, FaultyStore};
pub use plan::Fault;
use plan::Plan;

type Answer<'a, A> = Pin<Box<dyn Future<Output = Result<A, StoreError>> + Send + 'a>>;
type Wait = dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// A store that does what the store behind it does, but for the [`Fault`]s that it is told to have. `T` is the contract,
/// and `C` names its calls.
pub struct Faulty<T: ?Sized, C> {
    store: Arc<T>,
    plan: Mutex<Plan<C>>,
    wait: Box<Wait>,
}

impl<T: Send + Sync + ?Sized, C: Copy + Eq + Hash + Send> Faulty<T, C> {
    /// A store in front of one that others hold too, such as one that is chosen at run time, without a fault yet.
    #[must_use]
    pub fn over(store: Arc<T>) -> Self {
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
    pub fn fail_next(&self, call: C, fault: Fault) {
        self.plan().script(call, Some(fault));
    }

    /// The next call of this kind that has no fault yet is made without one, whatever chance would say.
    pub fn let_next_succeed(&self, call: C) {
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
    pub fn faults_met(&self) -> Vec<(C, Fault)> {
        self.plan().met.clone()
    }

    /// Only single calls change the plan, so a panic elsewhere leaves it whole.
    fn plan(&self) -> MutexGuard<'_, Plan<C>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call with the fault that is planned for it.
    async fn call<'a, A: Send>(&self, call: C, make: impl Fn() -> Answer<'a, A> + Send) -> Result<A, StoreError> {
        let fault = self.plan().fault_of(call);
        self.with(fault, make).await
    }

    async fn with<'a, A: Send>(
        &self,
        fault: Option<Fault>,
        make: impl Fn() -> Answer<'a, A> + Send,
    ) -> Result<A, StoreError> {
        match fault {
            None => make().await,
            Some(Fault::Delayed(time)) => {
                (self.wait)(time).await;
                make().await
            }
            Some(Fault::AnswerDelayed(time)) => {
                let answer = make().await;
                (self.wait)(time).await;
                answer
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

impl<T: fmt::Debug + ?Sized, C> fmt::Debug for Faulty<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("store", &self.store).finish_non_exhaustive()
    }
}
