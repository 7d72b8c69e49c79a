//! Handing out access tokens, and refreshing those that need it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::credential::{CredentialHead, CredentialRecord, Need};
use crate::key::OwnerId;
use crate::service::credentials::exchange::{Exchange, Exchanged};
use crate::service::credentials::opened::Opened;
use crate::service::credentials::{AccessToken, Credentials, CredentialsError, Shared};
use crate::time::Timestamp;

/// How long a caller waits before it looks whether another process is done: at first, and at most.
const FIRST_LOOK: Duration = Duration::from_millis(25);
const LONGEST_LOOK: Duration = Duration::from_millis(500);

/// What became of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(super) enum Refreshed {
    /// There is a new pair.
    Now,
    /// The token that was there, or that another process has fetched meanwhile, is good for long enough.
    NotNeeded,
}

impl Credentials {
    /// An access token of `owner` that is good for at least the [margin](crate::service::CredentialsBuilder::margin). It
    /// is refreshed if it is not.
    ///
    /// A token that is known to be good costs no lock and no look into the store. A caller that is dropped ends no refresh.
    ///
    /// # Errors
    /// [`CredentialsError`] says what has to happen: sign in again, decide, or try again later.
    pub async fn access_token(&self, owner: &OwnerId) -> Result<AccessToken, CredentialsError> {
        self.access_token_for(owner, self.shared.settings.margin).await
    }

    /// An access token of `owner` that is good for at least `margin`.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn access_token_for(&self, owner: &OwnerId, margin: Duration) -> Result<AccessToken, CredentialsError> {
        let deadline = self.now().saturating_add(margin);
        if let Some(opened) = self.shared.slots.token(owner, deadline) {
            return Ok(AccessToken(opened));
        }
        self.shared.token(owner, deadline).await.map(|(opened, _)| AccessToken(opened))
    }

    /// Refreshes the credential of `owner` now, whether or not it has to be.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn refresh(&self, owner: &OwnerId) -> Result<AccessToken, CredentialsError> {
        self.shared.refresh(owner, Demand::Refresh).await.map(|(opened, _)| AccessToken(opened))
    }

    /// Sends a refresh token once more of which nobody knows whether it was spent: the decision that
    /// [`CredentialsError::Uncertain`] asks for.
    ///
    /// If the server had received it, it takes this for a replay and ends the session, which then has to be authorized anew;
    /// without an answer to the first time it would have had to be in any case. So nothing is lost by it, if whoever sent it
    /// first is certainly gone: a process that merely hangs can still store the pair that it was given.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn retry_uncertain(&self, owner: &OwnerId) -> Result<AccessToken, CredentialsError> {
        self.shared.refresh(owner, Demand::Retry).await.map(|(opened, _)| AccessToken(opened))
    }

    /// Forgets what this process knows of a token, such as one that a resource server has refused: the next call looks into
    /// the store.
    pub fn forget(&self, owner: &OwnerId) {
        self.shared.slots.remove(owner);
    }
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// A token that is good until after this.
    Token(Timestamp),
    /// A new pair in place of the one that it finds.
    Refresh,
    /// A new pair, even if the refresh token was sent before.
    Retry,
}

impl Demand {
    /// What a credential needs to meet it.
    pub(super) fn need(self, head: &CredentialHead, now: Timestamp) -> Need {
        let need = match self {
            Self::Token(deadline) => head.need(now, deadline),
            Self::Refresh | Self::Retry => head.need(now, Timestamp::MAX),
        };
        match need {
            Need::Decision { .. } if self == Self::Retry => Need::Refresh,
            need => need,
        }
    }
}

impl Shared {
    /// A token of `owner` that is good until after `deadline`, from the store or the server.
    pub(super) async fn token(
        self: &Arc<Self>,
        owner: &OwnerId,
        deadline: Timestamp,
    ) -> Result<(Arc<Opened>, Refreshed), CredentialsError> {
        self.refresh(owner, Demand::Token(deadline)).await
    }

    pub(super) async fn refresh(
        self: &Arc<Self>,
        owner: &OwnerId,
        demand: Demand,
    ) -> Result<(Arc<Opened>, Refreshed), CredentialsError> {
        let mut look = FIRST_LOOK;
        let mut generation = None;
        let patience = tokio::time::Instant::now() + self.settings.exchange_timeout;
        loop {
            let record = self.store.get(owner).await?.ok_or(CredentialsError::NotFound)?;
            let head = &record.head;
            if let Some(defect) = head.defect {
                return Err(CredentialsError::Defect(defect));
            }
            let now = self.clock.now();
            // Whoever asked for a new pair is content with one that another caller has fetched since.
            let is_newer = generation.get_or_insert(head.generation) != &head.generation;
            let need = if is_newer { head.need(now, now) } else { demand.need(head, now) };
            match need {
                Need::Nothing => {
                    let opened = self.keep(&record)?;
                    self.reseal_lazily(&record).await;
                    return Ok((opened, Refreshed::NotNeeded));
                }
                Need::Authorization(reason) => return Err(CredentialsError::NeedsAuthorization(reason)),
                Need::Decision { since } => return Err(CredentialsError::Uncertain { since }),
                Need::Patience { until } => {
                    if tokio::time::Instant::now() >= patience {
                        return Err(CredentialsError::Busy { until });
                    }
                    sleep(look).await;
                    look = (look * 2).min(LONGEST_LOOK);
                }
                Need::Refresh => {
                    let slot = self.slots.get_or_add(owner);
                    // The lock is held by the exchange, not by its caller.
                    let Ok(guard) = Arc::clone(&slot.flight).try_lock_owned() else {
                        // Another task of this process refreshes it. When it is done, the store says how.
                        drop(tokio::time::timeout_at(patience, slot.flight.lock()).await);
                        if tokio::time::Instant::now() >= patience {
                            return Err(CredentialsError::Busy { until: now });
                        }
                        continue;
                    };
                    if let (Demand::Token(_), Some(retry_at)) = (demand, slot.pause(now)) {
                        return Err(CredentialsError::Later { retry_at, answer: None, source: None });
                    }
                    let exchange = Exchange::new(self, owner, &slot, demand, head.generation);
                    let flight = self.in_flight.begin();
                    let exchange = self.runtime.spawn(async move {
                        let exchanged = exchange.run().await;
                        drop((guard, flight));
                        exchanged
                    });
                    // The exchange goes on after that.
                    match tokio::time::timeout_at(patience, exchange).await {
                        Ok(Ok(Ok(Exchanged::Pair(opened)))) => return Ok((opened, Refreshed::Now)),
                        Ok(Ok(Ok(Exchanged::NotNeeded(opened)))) => return Ok((opened, Refreshed::NotNeeded)),
                        // Somebody else was faster: the store says how it is now.
                        Ok(Ok(Ok(Exchanged::Lost))) => sleep(FIRST_LOOK).await,
                        Ok(Ok(Err(error))) => return Err(error),
                        Ok(Err(_)) => return Err(CredentialsError::Uncertain { since: now }),
                        Err(_) => return Err(CredentialsError::Busy { until: now }),
                    }
                }
            }
        }
    }

    /// Opens the token of a credential, and remembers it.
    pub(super) fn keep(&self, record: &CredentialRecord) -> Result<Arc<Opened>, CredentialsError> {
        let opened = self.open_token(record)?;
        self.slots.get_or_add(&record.head.owner).keep(&opened);
        Ok(opened)
    }
}
