//! Ending the lease of an exchange that has brought no new pair.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::credential::{CredentialHead, CredentialState, DpopNonce, Nonces};
use crate::service::credentials::exchange::{Exchange, FIRST_PAUSE, LONGEST_PAUSE};
use crate::store::credentials::ReleaseRequest;
use crate::time::Timestamp;
use crate::visible::Causes;

/// The longest pause for which a caller waits with it.
const CALLERS_PAUSE: Duration = Duration::from_secs(1);

impl Exchange {
    /// Ends the lease. A store that does not answer leaves it marked as sent, which is uncertain once the lease is over; where
    /// more than that is known, it is tried until then, after a while without the caller.
    pub(super) async fn release(&self, head: &CredentialHead, state: CredentialState, nonce: Option<DpopNonce>) {
        let mut release = ReleaseRequest::new(self.owner.clone(), head.version, state);
        release.nonces = nonces(nonce);
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.shared.store.release(&release).await {
            tracing::warn!(event = "credential.unreleased", owner = %self.owner, error = %Causes(&error));
            if pause > CALLERS_PAUSE {
                if !matches!(state, CredentialState::Uncertain { .. }) {
                    self.release_later(release, head.lease_until);
                }
                return;
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    fn release_later(&self, release: ReleaseRequest, until: Option<Timestamp>) {
        let (shared, flight) = (Arc::clone(&self.shared), self.shared.in_flight.begin());
        self.shared.runtime.spawn(async move {
            let mut pause = CALLERS_PAUSE;
            while until.is_some_and(|until| until > shared.clock.now()) && shared.store.release(&release).await.is_err()
            {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            drop(flight);
        });
    }
}

pub(super) fn nonces(nonce: Option<DpopNonce>) -> Nonces {
    Nonces { authorization_server: nonce.map(|nonce| nonce.as_str().to_owned()), resource_server: None }
}
