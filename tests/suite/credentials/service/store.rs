//! A store that fails on purpose, and counts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use async_trait::async_trait;
use keyward::credential::{CredentialHead, CredentialRecord};
use keyward::key::OwnerId;
use keyward::store::StoreError;
use keyward::store::credentials::{
    Claim, ClaimRequest, CredentialListRequest, CredentialStore, MarkRequest, MemoryCredentialStore, NonceRequest,
    PutRequest, ReleaseRequest, ResealRequest, SaveRequest, Sealing,
};
use tokio::sync::Mutex;

/// How the next so many calls of one kind go wrong.
#[derive(Debug, Default)]
pub(super) struct Failing {
    /// They do nothing, and report an outage.
    pub(super) refused: AtomicU32,
    /// They do what they are asked, and report an outage.
    pub(super) unanswered: AtomicU32,
    /// What happens just before the next call.
    pub(super) before: Before,
}

/// Something that happens once.
#[derive(Default)]
pub(super) struct Before(std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Before {
    pub(super) fn set(&self, work: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(work));
    }
}

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Before").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) claims: Failing,
    pub(super) marks: Failing,
    pub(super) saves: Failing,
    pub(super) releases: Failing,
    pub(super) nonces: Failing,
    /// Held, it holds up every answer to a read, after the row was read.
    pub(super) reading: Mutex<()>,
    /// How often a row was read.
    pub(super) calls: AtomicU64,
}

#[derive(Debug, Clone)]
pub(super) struct FaultyCredentialStore {
    inner: Arc<dyn CredentialStore>,
    pub(super) faults: Arc<Faults>,
}

impl Default for FaultyCredentialStore {
    fn default() -> Self {
        Self::over(Arc::new(MemoryCredentialStore::new()))
    }
}

impl FaultyCredentialStore {
    pub(super) fn over(inner: Arc<dyn CredentialStore>) -> Self {
        Self { inner, faults: Arc::default() }
    }
}

fn outage() -> StoreError {
    StoreError::Unavailable { backend: "the store", source: "on purpose".into() }
}

fn takes(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Failing {
    async fn run<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let before = self.before.0.lock().unwrap().take();
        if let Some(before) = before {
            before();
        }
        if takes(&self.refused) {
            return Err(outage());
        }
        let done = work.await;
        if takes(&self.unanswered) { Err(outage()) } else { done }
    }
}

#[async_trait]
impl CredentialStore for FaultyCredentialStore {
    fn schema(&self) -> &'static str {
        self.inner.schema()
    }

    fn sealing(&self) -> Sealing {
        self.inner.sealing()
    }

    async fn get(&self, owner: &OwnerId) -> Result<Option<CredentialRecord>, StoreError> {
        let found = self.inner.get(owner).await;
        self.faults.calls.fetch_add(1, Ordering::SeqCst);
        let _answers = self.faults.reading.lock().await;
        found
    }

    async fn list(&self, request: &CredentialListRequest) -> Result<Vec<CredentialHead>, StoreError> {
        self.inner.list(request).await
    }

    async fn put(&self, request: &PutRequest) -> Result<(), StoreError> {
        self.inner.put(request).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        self.faults.claims.run(self.inner.claim(request)).await
    }

    async fn mark(&self, request: &MarkRequest) -> Result<bool, StoreError> {
        self.faults.marks.run(self.inner.mark(request)).await
    }

    async fn save(&self, request: &SaveRequest) -> Result<bool, StoreError> {
        self.faults.saves.run(self.inner.save(request)).await
    }

    async fn release(&self, request: &ReleaseRequest) -> Result<bool, StoreError> {
        self.faults.releases.run(self.inner.release(request)).await
    }

    async fn note_nonces(&self, request: &NonceRequest) -> Result<bool, StoreError> {
        self.faults.nonces.run(self.inner.note_nonces(request)).await
    }

    async fn reseal(&self, request: &ResealRequest) -> Result<bool, StoreError> {
        self.inner.reseal(request).await
    }

    async fn wipe(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        self.inner.wipe(owner).await
    }
}
