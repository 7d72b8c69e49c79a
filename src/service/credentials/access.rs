//! Handing out access tokens, and refreshing those that need it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::credential::{CredentialHead, CredentialRecord, Need};
use crate::key::OwnerId;
use crate::service::credentials::exchange::{Exchange, Exchanged, Seen};
use crate::service::credentials::opened::Opened;
use crate::service::credentials::slot::Slot;
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
    /// A token that is known to be good costs no lock and no look into the store. Dropping this future does not
    /// stop a refresh that has begun.
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
    /// without an answer to the first time it would have had to be in any case. A decision is good for what stands there when
    /// this is called, once: it is uncertain again if no new pair comes of it. So nothing is lost by it, if whoever sent it
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
        self.shared.slots.forget(owner);
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
        match self {
            Self::Token(deadline) => head.need(now, deadline),
            Self::Refresh | Self::Retry => head.need(now, Timestamp::MAX),
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
        let mut first = None;
        let patience = Instant::now() + self.settings.exchange_timeout;
        loop {
            // Taken before the look, so that what is found is kept by nobody once a wipe or a new session has come between.
            let slot = self.slots.get_or_add(owner);
            let Some(record) = self.store.get(owner).await? else {
                self.slots.remove(owner);
                return Err(CredentialsError::NotFound);
            };
            let head = &record.head;
            if let Some(defect) = head.defect {
                return Err(CredentialsError::Defect(defect));
            }
            let now = self.clock.now();
            let found = Seen {
                generation: head.generation,
                version: head.version,
                had_lease: head.lease_until.is_some(),
                is_decided: false,
            };
            let first = *first.get_or_insert(found);
            // Whoever asked for a new pair is content with one that another caller has fetched since.
            let need = if found.generation == first.generation { demand.need(head, now) } else { head.need(now, now) };
            let (begun, is_decided) = match need {
                Need::Nothing => {
                    let opened = self.keep(&slot, &record)?;
                    self.reseal_lazily(&slot, record);
                    return Ok((opened, Refreshed::NotNeeded));
                }
                Need::Authorization(reason) => return Err(CredentialsError::NeedsAuthorization(reason)),
                Need::Decision { since } => {
                    // A decision is good for what was there when it was made, and for no later loss.
                    let is_decided = demand == Demand::Retry && found.version == first.version;
                    let begun = slot.begin();
                    if begun.is_some() && !is_decided {
                        return Err(CredentialsError::Uncertain { since });
                    }
                    (begun, is_decided)
                }
                Need::Patience { until } => {
                    if Instant::now() >= patience {
                        return Err(slot.unfinished(until));
                    }
                    sleep(look).await;
                    look = (look * 2).min(LONGEST_LOOK);
                    continue;
                }
                Need::Refresh => (slot.begin(), false),
            };
            let Some(guard) = begun else {
                // Another task of this process refreshes it. When it is done, the store says how.
                drop(timeout_at(patience, slot.refreshing.flight.lock()).await);
                if Instant::now() >= patience {
                    return Err(slot.unfinished(now));
                }
                continue;
            };
            if let (Demand::Token(_), Some(retry_at)) = (demand, slot.pause(now)) {
                return Err(CredentialsError::Later { retry_at, answer: None, source: None });
            }
            let exchange = Exchange::new(self, owner, &slot, demand, Seen { is_decided, ..found });
            let flight = self.in_flight.begin();
            let exchange = self.runtime.spawn(async move {
                let exchanged = exchange.run().await;
                drop((guard, flight));
                exchanged
            });
            // The exchange goes on after that.
            match timeout_at(patience, exchange).await {
                Ok(Ok(Ok(Exchanged::Pair(opened)))) => return Ok((opened, Refreshed::Now)),
                Ok(Ok(Ok(Exchanged::NotNeeded(opened)))) => return Ok((opened, Refreshed::NotNeeded)),
                // Somebody else was faster: the store says how it is now.
                Ok(Ok(Ok(Exchanged::Lost))) if Instant::now() < patience => sleep(FIRST_LOOK).await,
                Ok(Ok(Err(error))) => return Err(error),
                // One that has panicked, in a store or a transport, has written down how far it came: the next look tells.
                Ok(Ok(Ok(Exchanged::Lost)) | Err(_)) | Err(_) => return Err(slot.unfinished(now)),
            }
        }
    }

    /// Opens the token of a credential, and remembers it.
    pub(super) fn keep(&self, slot: &Slot, record: &CredentialRecord) -> Result<Arc<Opened>, CredentialsError> {
        let opened = self.open_token(record)?;
        slot.keep(&opened);
        Ok(opened)
    }
}
