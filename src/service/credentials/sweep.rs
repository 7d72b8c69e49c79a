//! Refreshing all credentials that are due.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::credential::{CredentialHead, EndReason};
use crate::key::OwnerId;
use crate::service::credentials::access::Refreshed;
use crate::service::credentials::{Credentials, CredentialsError, Shared};
use crate::store::credentials::{CredentialFilter, CredentialListRequest};
use crate::time::Timestamp;

/// How many are listed at a time.
const PAGE: u32 = 500;

/// What became of all credentials that were due.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RefreshReport {
    /// How many have a new pair.
    pub refreshed: u64,
    /// How many turned out to be good for long enough: another caller or process has refreshed them meanwhile.
    pub still_valid: u64,
    /// Whose owners have to sign in again.
    pub needs_authorization: Vec<(OwnerId, EndReason)>,
    /// Those of which nobody knows what became of their refresh token, and since when.
    pub uncertain: Vec<(OwnerId, Timestamp)>,
    /// Those that could not be refreshed this time, and why.
    pub failed: Vec<(OwnerId, CredentialsError)>,
    /// Those whose session ends soon however often they are refreshed, and when.
    pub ending_soon: Vec<(OwnerId, Timestamp)>,
}

/// How far [`Credentials::refresh_expiring`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshProgress {
    /// How many were dealt with.
    pub done: usize,
    /// How many are due.
    pub due: usize,
}

impl Credentials {
    /// Refreshes all credentials whose access token expires by `deadline`, or at a time that nobody knows: several
    /// [at a time](crate::service::CredentialsBuilder::concurrency), [spread](crate::service::CredentialsBuilder::spread)
    /// over some time, each with a time limit of its own. One that fails keeps no other from its turn.
    ///
    /// # Errors
    /// [`CredentialsError::Store`] when it could not be found out which are due.
    pub async fn refresh_expiring(&self, deadline: Timestamp) -> Result<RefreshReport, CredentialsError> {
        self.refresh_expiring_with(deadline, |_| ()).await
    }

    /// As [`refresh_expiring`](Self::refresh_expiring), and says after each of them how far it has come.
    ///
    /// # Errors
    /// As [`refresh_expiring`](Self::refresh_expiring).
    pub async fn refresh_expiring_with(
        &self,
        deadline: Timestamp,
        mut progress: impl FnMut(RefreshProgress) + Send,
    ) -> Result<RefreshReport, CredentialsError> {
        self.forget_expired();
        let due = self.due(deadline).await?;
        let mut report = RefreshReport::default();
        self.note_ends(&due, &mut report);
        let settings = self.shared.settings;
        let count = u32::try_from(due.len()).unwrap_or(u32::MAX).max(1);
        let (pace, total) = (settings.spread / count, due.len());
        let mut next = Instant::now();
        let mut running = JoinSet::new();
        let mut done = 0;
        let mut note = |report: &mut RefreshReport, result| {
            report.note(result);
            done += 1;
            progress(RefreshProgress { done, due: total });
        };
        for head in due {
            while running.len() >= settings.concurrency {
                let Some(result) = running.join_next().await else { break };
                note(&mut report, result);
            }
            if pace > Duration::ZERO {
                sleep_until(next).await;
                next += pace;
            }
            let shared = Arc::clone(&self.shared);
            running.spawn_on(refresh(shared, head.owner, deadline), &self.shared.runtime);
        }
        while let Some(result) = running.join_next().await {
            note(&mut report, result);
        }
        Ok(report)
    }

    /// Forgets tokens that have expired, so that an owner who is not asked for again takes no memory.
    fn forget_expired(&self) {
        self.shared.slots.forget_expired(self.now());
    }

    async fn due(&self, deadline: Timestamp) -> Result<Vec<CredentialHead>, CredentialsError> {
        let filter = CredentialFilter { due_by: Some(deadline), ..CredentialFilter::default() };
        let mut due: Vec<CredentialHead> = Vec::new();
        loop {
            let after = due.last().map(|head| head.owner.clone());
            let page = self.shared.store.list(&CredentialListRequest::new(filter.clone(), PAGE).after(after)).await?;
            if page.is_empty() {
                return Ok(due);
            }
            due.extend(page);
        }
    }

    /// Sessions that will end for good are said while there is time to sign in again.
    fn note_ends(&self, due: &[CredentialHead], report: &mut RefreshReport) {
        let soon = self.now().saturating_add(self.shared.settings.ends_soon);
        for head in due {
            let Some(ends_at) = head.session_ends_at.filter(|ends_at| *ends_at <= soon) else { continue };
            self.shared.counters.ending_soon.add_one();
            tracing::warn!(event = "credential.ending_soon", owner = %head.owner, %ends_at, "its owner has to sign in again");
            report.ending_soon.push((head.owner.clone(), ends_at));
        }
    }
}

async fn refresh(
    shared: Arc<Shared>,
    owner: OwnerId,
    deadline: Timestamp,
) -> (OwnerId, Result<Refreshed, CredentialsError>) {
    let refreshed = shared.token(&owner, deadline).await.map(|(_, refreshed)| refreshed);
    (owner, refreshed)
}

impl RefreshReport {
    fn note(&mut self, result: Result<(OwnerId, Result<Refreshed, CredentialsError>), tokio::task::JoinError>) {
        // A task that has panicked, or ended with the runtime, was logged where that happened.
        let Ok((owner, result)) = result else { return };
        match result {
            Ok(Refreshed::Now) => self.refreshed += 1,
            Ok(Refreshed::NotNeeded) => self.still_valid += 1,
            Err(CredentialsError::NeedsAuthorization(reason)) => self.needs_authorization.push((owner, reason)),
            Err(CredentialsError::Uncertain { since }) => self.uncertain.push((owner, since)),
            // It was wiped since it was listed.
            Err(CredentialsError::NotFound) => {}
            Err(error) => self.failed.push((owner, error)),
        }
    }
}
