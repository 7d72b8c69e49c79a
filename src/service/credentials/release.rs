//! Ending the lease of an exchange that has brought no new pair.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::credential::{CredentialHead, CredentialState, DpopNonce, Nonces};
use crate::service::credentials::exchange::{Exchange, FIRST_PAUSE, LONGEST_PAUSE};
use crate::store::credentials::ReleaseRequest;
use crate::visible::Causes;

/// The longest pause for which a caller waits with it.
const CALLERS_PAUSE: Duration = Duration::from_secs(1);

impl Exchange {
    /// Ends the lease. A store that does not answer leaves it marked as sent, which is uncertain once the lease is over. Where
    /// more than that is known, it is tried until the store knows it too, after a while without the caller: nobody else can
    /// say it. Whoever has decided meanwhile has a lease of another version, which this does not touch.
    pub(super) async fn release(&self, head: &CredentialHead, state: CredentialState, nonce: Option<DpopNonce>) {
        let mut release = ReleaseRequest::new(self.owner.clone(), head.version, state);
        release.nonces = nonces(nonce);
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.shared.store.release(&release).await {
            tracing::warn!(event = "credential.unreleased", owner = %self.owner, error = %Causes(&error));
            if pause > CALLERS_PAUSE {
                if !matches!(state, CredentialState::Uncertain { .. }) {
                    self.release_later(release);
                }
                return;
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    fn release_later(&self, release: ReleaseRequest) {
        let (shared, flight) = (Arc::clone(&self.shared), self.shared.in_flight.begin());
        self.shared.runtime.spawn(async move {
            let mut pause = CALLERS_PAUSE;
            while shared.store.release(&release).await.is_err() {
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
