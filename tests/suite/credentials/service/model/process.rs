//! Processes that are stopped, continued and killed, as the store and the server see them: between any two steps.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::credential::{CredentialHead, CredentialRecord, TokenRequest};
use keyward::key::OwnerId;
use keyward::service::{Transport, TransportAnswer, TransportError};
use keyward::store::StoreError;
use keyward::store::credentials::{
    Claim, ClaimRequest, CredentialListRequest, CredentialStore, MarkRequest, MemoryCredentialStore, NonceRequest,
    PutRequest, ReleaseRequest, ResealRequest, SaveRequest, Sealing,
};
use keyward::{Clock, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep, sleep_until};

use super::server::{Fate, LIFETIME, Said, Server};

/// One process.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) store: MemoryCredentialStore,
    pub(super) server: Arc<Mutex<Server>>,
    state: Arc<Mutex<State>>,
    began: Instant,
    /// How far its clock is off, in seconds.
    skew: i64,
}

struct State {
    random: StdRng,
    stopped_until: Instant,
    is_dead: bool,
    is_healthy: bool,
    /// Refresh tokens that this process was given.
    given: Vec<String>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("skew", &self.skew).finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    pub(super) fn new(store: &MemoryCredentialStore, server: &Arc<Mutex<Server>>, seed: u64, skew: i64) -> Self {
        let now = Instant::now();
        let state = State {
            random: StdRng::seed_from_u64(seed),
            stopped_until: now,
            is_dead: false,
            is_healthy: false,
            given: Vec::new(),
        };
        let (store, server) = (store.clone(), Arc::clone(server));
        Self { store, server, state: Arc::new(Mutex::new(state)), began: now, skew }
    }

    pub(super) fn stop(&self, duration: Duration) {
        let mut state = lock(&self.state);
        state.stopped_until = state.stopped_until.max(Instant::now() + duration);
    }

    pub(super) fn kill(&self) {
        lock(&self.state).is_dead = true;
    }

    /// From now on the store answers.
    pub(super) fn heal(&self) {
        lock(&self.state).is_healthy = true;
    }

    /// The refresh tokens that it was given, if it lives.
    pub(super) fn given(&self) -> Option<Vec<String>> {
        let state = lock(&self.state);
        (!state.is_dead).then(|| state.given.clone())
    }

    /// Here it can be stopped, and does not come back if it was killed.
    async fn step(&self) {
        let pause = lock(&self.state).random.random_range(0..30);
        if pause < 10 {
            sleep(Duration::from_millis(pause)).await;
        }
        loop {
            let (until, is_dead) = {
                let state = lock(&self.state);
                (state.stopped_until, state.is_dead)
            };
            if is_dead {
                std::future::pending::<()>().await;
            }
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// A call of the store, which may fail before or after it has done what it was asked.
    async fn ask<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let outage = || Err(StoreError::Unavailable { backend: "the store", source: "by chance".into() });
        let (is_refused, is_unanswered) = {
            let state = &mut *lock(&self.state);
            let mut chance = || !state.is_healthy && state.random.random_bool(0.04);
            (chance(), chance())
        };
        self.step().await;
        if is_refused {
            return outage();
        }
        let answer = work.await;
        self.step().await;
        if is_unanswered { outage() } else { answer }
    }
}

impl Clock for Process {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.began.elapsed().as_micros()).unwrap();
        Timestamp::from_micros(1_893_456_000_000_000 + self.skew * 1_000_000 + passed)
    }
}

#[async_trait]
impl CredentialStore for Process {
    fn schema(&self) -> &'static str {
        self.store.schema()
    }

    fn sealing(&self) -> Sealing {
        self.store.sealing()
    }

    async fn get(&self, owner: &OwnerId) -> Result<Option<CredentialRecord>, StoreError> {
        self.ask(self.store.get(owner)).await
    }

    async fn list(&self, request: &CredentialListRequest) -> Result<Vec<CredentialHead>, StoreError> {
        self.ask(self.store.list(request)).await
    }

    async fn put(&self, request: &PutRequest) -> Result<(), StoreError> {
        self.ask(self.store.put(request)).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        self.ask(self.store.claim(request)).await
    }

    async fn mark(&self, request: &MarkRequest) -> Result<bool, StoreError> {
        self.ask(self.store.mark(request)).await
    }

    async fn save(&self, request: &SaveRequest) -> Result<bool, StoreError> {
        self.ask(self.store.save(request)).await
    }

    async fn release(&self, request: &ReleaseRequest) -> Result<bool, StoreError> {
        self.ask(self.store.release(request)).await
    }

    async fn note_nonces(&self, request: &NonceRequest) -> Result<bool, StoreError> {
        self.ask(self.store.note_nonces(request)).await
    }

    async fn reseal(&self, request: &ResealRequest) -> Result<bool, StoreError> {
        self.ask(self.store.reseal(request)).await
    }

    async fn wipe(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        self.ask(self.store.wipe(owner)).await
    }
}

#[async_trait]
impl Transport for Process {
    async fn send(&self, request: &TokenRequest) -> Result<TransportAnswer, TransportError> {
        let body = request.body.expose_secret();
        let token = body.split('&').find_map(|pair| pair.strip_prefix("refresh_token=")).unwrap().to_owned();
        let proof = request.headers.iter().find(|(name, _)| *name == "DPoP");
        let nonce = proof.map(|(_, proof)| nonce_of(proof.expose_secret()).unwrap_or_default());
        let broken = || TransportError::Broken("by chance".into());
        let (fate, there, back) = {
            let mut server = lock(&self.server);
            (server.fate(), server.delay(), server.delay())
        };
        self.step().await;
        match fate {
            Fate::NotSent => return Err(TransportError::NotSent("by chance".into())),
            Fate::RequestLost => return Err(broken()),
            Fate::Arrives | Fate::AnswerLost => sleep(Duration::from_millis(there)).await,
        }
        let said = lock(&self.server).receive(&token, nonce.as_deref());
        sleep(Duration::from_millis(back)).await;
        self.step().await;
        if fate == Fate::AnswerLost {
            return Err(broken());
        }
        let (status, body, nonce) = match said {
            Said::Pair(next) => {
                lock(&self.state).given.push(next.clone());
                (200, pair(&next, nonce.is_some()), None)
            }
            Said::Spent => (400, r#"{"error":"invalid_grant"}"#.to_owned(), None),
            Said::Broken => (500, r#"{"error":"server_error"}"#.to_owned(), None),
            Said::UseNonce(wanted) => (400, r#"{"error":"use_dpop_nonce"}"#.to_owned(), Some(wanted)),
        };
        let headers = nonce.iter().map(|nonce| ("DPoP-Nonce", nonce.as_str())).collect();
        Ok(TransportAnswer::new(status, headers, body.into_bytes()))
    }
}

fn pair(refresh_token: &str, is_dpop: bool) -> String {
    let kind = if is_dpop { "DPoP" } else { "Bearer" };
    format!(
        r#"{{"access_token":"access-of-{refresh_token}","refresh_token":"{refresh_token}","token_type":"{kind}",
            "expires_in":{LIFETIME},"sub":"did:plc:one","scope":"atproto"}}"#
    )
}

/// The nonce in a proof.
fn nonce_of(proof: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(proof.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Some(claims["nonce"].as_str()?.to_owned())
}
