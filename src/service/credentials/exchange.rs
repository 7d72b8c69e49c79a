//! One refresh, from the lease to the server's answer. It runs to its end whatever becomes of its caller.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::credential::{
    Attempt, CredentialHead, CredentialState, DpopNonce, Expected, LONGEST_LEASE, Need, RefreshRequest, TokenAnswer,
    TokenPair,
};
use crate::key::OwnerId;
use crate::service::credentials::access::Demand;
use crate::service::credentials::opened::Opened;
use crate::service::credentials::seal::Means;
use crate::service::credentials::slot::{Meanwhile, Slot};
use crate::service::credentials::verdict::Verdict;
use crate::service::credentials::{CredentialsError, Shared, TransportAnswer, TransportError};
use crate::store::StoreError;
use crate::store::credentials::{Claim, ClaimRequest, MarkRequest};
use crate::time::Timestamp;

/// How long the lease is until the request leaves, and how much longer than the exchange from then on: for the steps in the
/// store.
const SLACK: Duration = Duration::from_secs(15);

/// How long an answer is waited for. Callers wait for less, and are told that it is not known; a pair that comes late is
/// stored all the same.
const LONGEST_EXCHANGE: Duration = Duration::from_mins(10);

/// How long to wait before the store is told once more how an exchange ended: at first, and at most.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One refresh of one credential.
pub(super) struct Exchange {
    pub(super) shared: Arc<Shared>,
    pub(super) owner: OwnerId,
    pub(super) slot: Arc<Slot>,
    demand: Demand,
    /// What the caller found, and wants to have refreshed.
    seen: Seen,
}

/// What a caller found before it began an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) generation: u64,
    pub(super) version: u64,
    /// Whether there was a lease, which had passed without an end.
    pub(super) had_lease: bool,
    /// Whether the refresh token was sent before, and somebody has decided to send it once more.
    pub(super) is_decided: bool,
}

/// How an exchange ended that did not fail.
pub(super) enum Exchanged {
    /// With a new pair, which is stored.
    Pair(Arc<Opened>),
    /// Under the lease it turned out that the token is good for long enough.
    NotNeeded(Arc<Opened>),
    /// Another process has the lease, or has taken it.
    Lost,
}

/// A new pair.
pub(super) struct Bought {
    pub(super) pair: TokenPair,
    pub(super) nonce: Option<DpopNonce>,
    pub(super) sent_at: Timestamp,
}

/// What is known of a refresh token after a request that gave no new pair.
struct Spent {
    state: CredentialState,
    nonce: Option<DpopNonce>,
    error: CredentialsError,
    /// Tokens that came all the same, and must not be used.
    unwanted: Option<TokenPair>,
}

impl Spent {
    const fn new(state: CredentialState, nonce: Option<DpopNonce>, error: CredentialsError) -> Self {
        Self { state, nonce, error, unwanted: None }
    }
}

impl Exchange {
    pub(super) fn new(shared: &Arc<Shared>, owner: &OwnerId, slot: &Arc<Slot>, demand: Demand, seen: Seen) -> Self {
        let (shared, slot) = (Arc::clone(shared), Arc::clone(slot));
        Self { shared, owner: owner.clone(), slot, demand, seen }
    }

    pub(super) async fn run(&self) -> Result<Exchanged, CredentialsError> {
        // What is wrong before the lease should not cost one.
        self.shared.require_keys()?;
        let asks_store = Meanwhile::say(&self.slot.refreshing.asks_store);
        let record = match self.claim().await? {
            Claim::Won(record) => *record,
            Claim::Lost(_) => return Ok(Exchanged::Lost),
            Claim::Gone => return Err(CredentialsError::NotFound),
        };
        // Another process may have refreshed it between the caller's look and the lease, which is ours.
        let held = CredentialHead { lease_until: None, ..record.head.clone() };
        let is_newer = held.generation != self.seen.generation;
        let now = self.shared.clock.now();
        let need = match if is_newer { held.need(now, now) } else { self.demand.need(&held, now) } {
            // The lease was given for what somebody has decided on, and for nothing else.
            Need::Decision { .. } if self.seen.is_decided => Need::Refresh,
            need => need,
        };
        if need != Need::Refresh {
            self.release(&record.head, record.head.state, None).await;
            return if need == Need::Nothing {
                Ok(Exchanged::NotNeeded(self.shared.keep(&self.slot, &record)?))
            } else {
                Ok(Exchanged::Lost)
            };
        }
        let means = match self.shared.means(&record) {
            Ok(means) => means,
            Err(error) => {
                self.release(&record.head, record.head.state, None).await;
                return Err(error);
            }
        };
        let until = match self.mark(&record.head).await {
            Ok(Some(until)) => until,
            Ok(None) => {
                self.shared.counters.leases_lost.add_one();
                return Ok(Exchanged::Lost);
            }
            Err(error) => {
                // It may have been written down; nothing was sent.
                self.release(&record.head, record.head.state, None).await;
                return Err(error);
            }
        };
        drop(asks_store);
        match self.send(&record.head, &means, until).await {
            Ok(bought) => self.keep(&record, &means, bought).await.map(Exchanged::Pair),
            Err(spent) => Err(self.end(&record.head, means, spent).await),
        }
    }

    async fn claim(&self) -> Result<Claim, CredentialsError> {
        let at = self.shared.clock.now();
        let mut request = ClaimRequest::new(self.owner.clone(), at, at.saturating_add(SLACK));
        request.decided = self.seen.is_decided.then_some(self.seen.version);
        let claim = self.shared.store.claim(&request).await?;
        if self.seen.had_lease && matches!(claim, Claim::Won(_)) {
            self.shared.counters.leases_taken_over.add_one();
            tracing::warn!(event = "credential.lease_taken_over", owner = %self.owner, "whoever had it did not end it");
        }
        if let Claim::Lost(record) = &claim
            && record.head.version == self.seen.version
            && matches!(record.head.need(at, Timestamp::MAX), Need::Refresh)
        {
            // It could be claimed and nobody else did: a rule or a trigger keeps the row as it is.
            return Err(StoreError::Suppressed { table: self.shared.store.schema() }.into());
        }
        Ok(claim)
    }

    /// Writes down that the refresh token is about to be sent, and says until when it may be.
    async fn mark(&self, head: &CredentialHead) -> Result<Option<Timestamp>, CredentialsError> {
        let at = self.shared.clock.now();
        let until = at.saturating_add((self.shared.settings.exchange_timeout + SLACK).min(LONGEST_LEASE));
        let is_marked = self.shared.store.mark(&MarkRequest::new(self.owner.clone(), head.version, at, until)).await?;
        Ok(is_marked.then_some(until))
    }

    /// Sends the refresh token: once, and a second time only if the server wants another nonce and has spent nothing; and
    /// never when the lease is over, as it is where this process was stopped meanwhile. Somebody else may have decided by
    /// then to send it.
    async fn send(&self, head: &CredentialHead, means: &Means, until: Timestamp) -> Result<Bought, Spent> {
        let mut nonce = means.nonce.clone();
        let mut is_repeated = false;
        loop {
            let sent_at = self.shared.clock.now();
            if sent_at >= until {
                self.shared.counters.leases_lost.add_one();
                let error = CredentialsError::Busy { until };
                return Err(Spent::new(head.state, nonce, error));
            }
            let verdict = match self.attempt(head, means, nonce.as_ref(), sent_at).await {
                Ok(answer) => {
                    let answer = TokenAnswer::understand(answer.as_server_answer(), &expected(head, means));
                    nonce = answer.nonce.or(nonce);
                    self.judge(answer.outcome, sent_at, is_repeated)
                }
                Err(verdict) => verdict,
            };
            match verdict {
                Verdict::Pair(pair) => return Ok(Bought { pair, nonce, sent_at }),
                Verdict::Again => {
                    is_repeated = true;
                    if !self.is_still_sent(head).await {
                        self.shared.counters.leases_lost.add_one();
                        let error = CredentialsError::Busy { until };
                        return Err(Spent::new(head.state, nonce, error));
                    }
                }
                // It is as it was when the lease was given: unknown, where it had been sent before and somebody decided.
                Verdict::Unspent(error) => return Err(Spent::new(head.state, nonce, error)),
                Verdict::Nothing(state, error) => return Err(Spent::new(state, nonce, error)),
                Verdict::Unwanted(pair, state, error) => {
                    return Err(Spent { unwanted: Some(pair), ..Spent::new(state, nonce, error) });
                }
            }
        }
    }

    /// Whether the row still says that this exchange has sent its refresh token: a pair that an earlier one was given may
    /// have been stored while the server asked for another nonce.
    async fn is_still_sent(&self, head: &CredentialHead) -> bool {
        let is_ours = |found: &CredentialHead| {
            (found.version, found.generation) == (head.version, head.generation)
                && matches!(found.state, CredentialState::Sent { .. })
        };
        match self.shared.store.get(&self.owner).await {
            Ok(found) => found.is_some_and(|record| is_ours(&record.head)),
            Err(_) => false,
        }
    }

    async fn attempt(
        &self,
        head: &CredentialHead,
        means: &Means,
        nonce: Option<&DpopNonce>,
        sent_at: Timestamp,
    ) -> Result<TransportAnswer, Verdict> {
        let attempt = self.shared.random.with(|random| Attempt::generate(sent_at, random));
        let attempt = attempt.map_err(|error| Verdict::Unspent(error.into()))?;
        let mut request = RefreshRequest::new(&means.client, &means.endpoint, &head.issuer, &means.refresh_token);
        if let Some((key, form)) = &means.opened.dpop {
            request = request.dpop(key, *form, nonce);
        }
        let request = request.build(attempt);
        match timeout(LONGEST_EXCHANGE, self.shared.transport.send(&request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error @ TransportError::NotSent(_))) => Err(self.later(None, None, Some(error))),
            Ok(Err(error)) => Err(self.unknown(sent_at, &error)),
            Err(elapsed) => Err(self.unknown(sent_at, &elapsed)),
        }
    }

    /// Writes down what is known of a refresh token that bought nothing.
    async fn end(&self, head: &CredentialHead, means: Means, spent: Spent) -> CredentialsError {
        let Spent { state, nonce, error, unwanted } = spent;
        match state {
            CredentialState::Ended { .. } => self.shared.counters.ended.add_one(),
            CredentialState::Uncertain { .. } => self.shared.counters.uncertain.add_one(),
            _ => self.shared.counters.failed.add_one(),
        }
        if let Some(pair) = unwanted {
            self.give_back(head, means, pair, nonce.clone());
        }
        self.release(head, state, nonce).await;
        if matches!(state, CredentialState::Ended { .. }) {
            self.shared.slots.remove(&self.owner);
        }
        error
    }
}

/// What an answer is compared with.
fn expected<'e>(head: &'e CredentialHead, means: &'e Means) -> Expected<'e> {
    let mut expected = Expected::new(means.opened.token_type(), &means.refresh_token);
    // Each answer of atproto's servers names the account; those of others need not.
    if let Some(subject) = head.subject.as_deref().filter(|subject| subject.starts_with("did:")) {
        expected = expected.subject(subject);
    }
    // Without it, atproto's servers refuse everything (atproto OAuth, section on scopes).
    if head.scopes.contains("atproto") {
        expected = expected.scope("atproto");
    }
    expected
}
