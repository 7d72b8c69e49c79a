//! One refresh, from the lease to the new pair in the store. It runs to its end whatever becomes of its caller.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::credential::{
    Attempt, CredentialHead, CredentialRecord, CredentialState, DpopNonce, EndReason, Expected, LONGEST_LEASE, Need,
    Nonces, RefreshRequest, ServerError, StoredSecrets, TokenAnswer, TokenOutcome, TokenPair,
};
use crate::key::OwnerId;
use crate::secret::Secret;
use crate::service::credentials::access::Demand;
use crate::service::credentials::opened::Opened;
use crate::service::credentials::seal::{ACCESS_TOKEN, Means, REFRESH_TOKEN};
use crate::service::credentials::slot::Slot;
use crate::service::credentials::{ASSUMED_LIFETIME, CredentialsError, Shared, TransportAnswer, TransportError};
use crate::store::credentials::{Claim, ClaimRequest, MarkRequest, ReleaseRequest, SaveRequest};
use crate::time::Timestamp;
use crate::visible::Causes;

/// How long the lease is until the request leaves, and how much longer than the exchange from then on: for the steps in the
/// store.
const SLACK: Duration = Duration::from_secs(15);

/// How long an answer is waited for. Callers wait for less, and are told that it is not known; a pair that comes late is
/// stored all the same.
const LONGEST_EXCHANGE: Duration = Duration::from_mins(10);

/// How long to wait before a pair is stored once more: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One refresh of one credential.
pub(super) struct Exchange {
    shared: Arc<Shared>,
    owner: OwnerId,
    slot: Arc<Slot>,
    demand: Demand,
    /// The generation that the caller found.
    generation: u64,
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

/// What an answer, or the lack of one, means.
enum Verdict {
    Pair(TokenPair),
    /// Nothing was spent, and the server wants the nonce that it gave.
    Again,
    /// There is no new pair, and this is known of the one before.
    Nothing(CredentialState, CredentialsError),
}

/// A new pair.
struct Bought {
    pair: TokenPair,
    nonce: Option<DpopNonce>,
    sent_at: Timestamp,
}

/// What is known of a refresh token after a request that gave no new pair.
struct Spent {
    state: CredentialState,
    nonce: Option<DpopNonce>,
    error: CredentialsError,
}

impl Exchange {
    pub(super) fn new(
        shared: &Arc<Shared>,
        owner: &OwnerId,
        slot: &Arc<Slot>,
        demand: Demand,
        generation: u64,
    ) -> Self {
        let (shared, slot) = (Arc::clone(shared), Arc::clone(slot));
        Self { shared, owner: owner.clone(), slot, demand, generation }
    }

    pub(super) async fn run(&self) -> Result<Exchanged, CredentialsError> {
        // What is wrong before the lease should not cost one.
        self.shared.require_keys()?;
        let record = match self.claim().await? {
            Claim::Won(record) => *record,
            Claim::Lost(_) => return Ok(Exchanged::Lost),
            Claim::Gone => return Err(CredentialsError::NotFound),
        };
        // Another process may have refreshed it between the caller's look and the lease, which is ours.
        let held = CredentialHead { lease_until: None, ..record.head.clone() };
        let is_newer = held.generation != self.generation;
        let now = self.shared.clock.now();
        let need = if is_newer { held.need(now, now) } else { self.demand.need(&held, now) };
        if need != Need::Refresh {
            self.release(&record.head, CredentialState::Active, None).await;
            return if need == Need::Nothing {
                Ok(Exchanged::NotNeeded(self.shared.keep(&record)?))
            } else {
                Ok(Exchanged::Lost)
            };
        }
        let means = match self.shared.means(&record) {
            Ok(means) => means,
            Err(error) => {
                self.release(&record.head, CredentialState::Active, None).await;
                return Err(error);
            }
        };
        match self.mark(&record.head).await {
            Ok(true) => {}
            Ok(false) => {
                self.shared.counters.leases_lost.add_one();
                return Ok(Exchanged::Lost);
            }
            Err(error) => {
                // It may have been written down; nothing was sent.
                self.release(&record.head, CredentialState::Active, None).await;
                return Err(error);
            }
        }
        match self.send(&record.head, &means).await {
            Ok(bought) => self.keep(&record, &means, bought).await.map(Exchanged::Pair),
            Err(spent) => Err(self.end(&record.head, spent).await),
        }
    }

    async fn claim(&self) -> Result<Claim, CredentialsError> {
        let at = self.shared.clock.now();
        let mut request = ClaimRequest::new(self.owner.clone(), at, at.saturating_add(SLACK));
        request.decided = self.demand == Demand::Retry;
        Ok(self.shared.store.claim(&request).await?)
    }

    /// Writes down that the refresh token is about to be sent.
    async fn mark(&self, head: &CredentialHead) -> Result<bool, CredentialsError> {
        let at = self.shared.clock.now();
        let until = at.saturating_add((self.shared.settings.exchange_timeout + SLACK).min(LONGEST_LEASE));
        Ok(self.shared.store.mark(&MarkRequest::new(self.owner.clone(), head.version, at, until)).await?)
    }

    /// Sends the refresh token: once, and a second time only if the server wants another nonce and has spent nothing.
    async fn send(&self, head: &CredentialHead, means: &Means) -> Result<Bought, Spent> {
        let mut nonce = means.nonce.clone();
        let mut is_repeated = false;
        loop {
            let sent_at = self.shared.clock.now();
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
                Verdict::Again => is_repeated = true,
                Verdict::Nothing(state, error) => return Err(Spent { state, nonce, error }),
            }
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
        let attempt = attempt.map_err(|error| Verdict::Nothing(CredentialState::Active, error.into()))?;
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

    /// What an answer means for the credential.
    fn judge(&self, outcome: TokenOutcome, sent_at: Timestamp, is_repeated: bool) -> Verdict {
        let now = self.shared.clock.now();
        let refused = |error| {
            self.slot.fail(now, None);
            Verdict::Nothing(CredentialState::Active, error)
        };
        let ended = |reason| {
            Verdict::Nothing(CredentialState::Ended { reason, at: now }, CredentialsError::NeedsAuthorization(reason))
        };
        match outcome {
            TokenOutcome::Refreshed(pair) => Verdict::Pair(pair),
            TokenOutcome::UseNonce if !is_repeated => Verdict::Again,
            TokenOutcome::UseNonce => self.later(None, None, None),
            TokenOutcome::Ended { cause, error } => {
                tracing::error!(event = "credential.ended", owner = %self.owner, ?cause, answer = %error);
                ended(EndReason::of(cause))
            }
            TokenOutcome::Unacceptable { reason, .. } => {
                tracing::error!(event = "credential.unacceptable", owner = %self.owner, %reason);
                ended(EndReason::UnacceptableAnswer)
            }
            TokenOutcome::ClientRefused(answer) => refused(CredentialsError::ClientRefused(answer)),
            TokenOutcome::ProofRefused(answer) => refused(CredentialsError::ProofRefused(answer)),
            TokenOutcome::RequestRefused(answer) => refused(CredentialsError::RequestRefused(answer)),
            TokenOutcome::Later { retry_after, error } => {
                self.later(retry_after.map(|after| after.from(now)), Some(error), None)
            }
            TokenOutcome::Uncertain(unreadable) => self.unknown(sent_at, &unreadable),
        }
    }

    fn later(&self, asked: Option<Timestamp>, answer: Option<ServerError>, source: Option<TransportError>) -> Verdict {
        let retry_at = self.slot.fail(self.shared.clock.now(), asked);
        Verdict::Nothing(CredentialState::Active, CredentialsError::Later { retry_at, answer, source })
    }

    /// The refresh token was sent, and nobody knows what became of it.
    fn unknown(&self, since: Timestamp, error: &(dyn Error + 'static)) -> Verdict {
        tracing::error!(event = "credential.uncertain", owner = %self.owner, error = %Causes(error));
        Verdict::Nothing(CredentialState::Uncertain { since }, CredentialsError::Uncertain { since })
    }

    /// Stores a new pair, for as long as it takes: it is the only one that the server still takes.
    async fn keep(
        &self,
        record: &CredentialRecord,
        means: &Means,
        bought: Bought,
    ) -> Result<Arc<Opened>, CredentialsError> {
        let Bought { pair: TokenPair { access_token, refresh_token, expires_in, scope, .. }, nonce, sent_at } = bought;
        let access_token = Arc::new(access_token);
        let expires_at = Some(sent_at.saturating_add(expires_in.unwrap_or(ASSUMED_LIFETIME)));
        // A server that gives no new refresh token leaves the old one good.
        let refresh_token = refresh_token.map_or_else(|| Arc::clone(&means.refresh_token), Arc::new);
        let mut pause = FIRST_PAUSE;
        loop {
            let saved = match self.sealed(&access_token, &refresh_token) {
                Ok(secrets) => {
                    let at = self.shared.clock.now();
                    let mut save = SaveRequest::new(self.owner.clone(), record.head.generation, secrets, at);
                    save.expires_at = expires_at;
                    save.scopes.clone_from(&scope);
                    save.nonces = nonces(nonce.clone());
                    self.save(&save, &access_token).await
                }
                Err(error) => Err(error),
            };
            match saved {
                Ok(Some(generation)) => {
                    self.slot.succeed();
                    self.shared.counters.refreshed.add_one();
                    tracing::info!(event = "credential.refreshed", owner = %self.owner, expires_at = ?expires_at);
                    let opened = Arc::new(Opened {
                        // The new token says which form the server knows, as the old one did.
                        dpop: means
                            .opened
                            .dpop
                            .as_ref()
                            .map(|(key, _)| (key.clone(), key.form_of(access_token.expose_secret()))),
                        token: access_token,
                        expires_at,
                        resource_server: means.opened.resource_server.clone(),
                        nonce: means.opened.nonce.load_full().into(),
                        generation,
                        was_refused: AtomicBool::new(false),
                    });
                    self.slot.keep(&opened);
                    return Ok(opened);
                }
                Ok(None) => {
                    tracing::error!(event = "credential.replaced", owner = %self.owner, "another credential was stored meanwhile");
                    return Err(CredentialsError::Replaced);
                }
                Err(error) => {
                    self.shared.counters.failed_saves.add_one();
                    tracing::error!(event = "credential.unsaved", owner = %self.owner, error = %Causes(&error), "it is tried again");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn sealed(
        &self,
        access_token: &Arc<Secret>,
        refresh_token: &Arc<Secret>,
    ) -> Result<StoredSecrets, CredentialsError> {
        let mut secrets = StoredSecrets::new(self.shared.seal(&self.owner, ACCESS_TOKEN, access_token)?);
        secrets.refresh_token = Some(self.shared.seal(&self.owner, REFRESH_TOKEN, refresh_token)?);
        Ok(secrets)
    }

    /// The generation of the pair that was stored; `None` when another credential stands there. What stands there is read
    /// when the store says that nothing was stored: an earlier attempt, whose answer was lost, may have stored it.
    async fn save(&self, save: &SaveRequest, access_token: &Secret) -> Result<Option<u64>, CredentialsError> {
        if self.shared.store.save(save).await? {
            return Ok(Some(save.generation + 1));
        }
        let Some(record) = self.shared.store.get(&self.owner).await? else { return Ok(None) };
        let opened = self.shared.open_token(&record)?;
        Ok((opened.token.expose_secret() == access_token.expose_secret()).then_some(record.head.generation))
    }

    /// Writes down what is known of a refresh token that bought nothing.
    async fn end(&self, head: &CredentialHead, spent: Spent) -> CredentialsError {
        let Spent { state, nonce, error } = spent;
        match state {
            CredentialState::Ended { .. } => self.shared.counters.ended.add_one(),
            CredentialState::Uncertain { .. } => self.shared.counters.uncertain.add_one(),
            _ => self.shared.counters.failed.add_one(),
        }
        self.release(head, state, nonce).await;
        if matches!(state, CredentialState::Ended { .. }) {
            self.shared.slots.remove(&self.owner);
        }
        error
    }

    /// Ends the lease. A store that does not answer leaves it marked as sent, which is uncertain once the lease is over; where
    /// more than that is known, it is tried again for a while.
    async fn release(&self, head: &CredentialHead, state: CredentialState, nonce: Option<DpopNonce>) {
        let mut release = ReleaseRequest::new(self.owner.clone(), head.version, state);
        release.nonces = nonces(nonce);
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.shared.store.release(&release).await {
            tracing::warn!(event = "credential.unreleased", owner = %self.owner, error = %Causes(&error));
            if head.lease_until.is_none_or(|until| until <= self.shared.clock.now()) || pause > LONGEST_PAUSE {
                return;
            }
            sleep(pause).await;
            pause *= 2;
        }
    }
}

/// What an answer is compared with.
fn expected<'e>(head: &'e CredentialHead, means: &'e Means) -> Expected<'e> {
    let mut expected = Expected::new(means.opened.token_type(), &means.refresh_token);
    if let Some(subject) = &head.subject {
        expected = expected.subject(subject);
    }
    // Without it, atproto's servers refuse everything (atproto OAuth, section on scopes).
    if head.scopes.contains("atproto") {
        expected = expected.scope("atproto");
    }
    expected
}

fn nonces(nonce: Option<DpopNonce>) -> Nonces {
    Nonces { authorization_server: nonce.map(|nonce| nonce.as_str().to_owned()), resource_server: None }
}
