//! What a server's answer to a refresh, or the lack of one, means for the credential.

use std::error::Error;

use crate::credential::{CredentialState, EndReason, ServerError, TokenOutcome, TokenPair};
use crate::service::credentials::exchange::Exchange;
use crate::service::credentials::{CredentialsError, TransportError};
use crate::time::Timestamp;
use crate::visible::Causes;

/// What an answer, or the lack of one, means.
pub(super) enum Verdict {
    Pair(TokenPair),
    /// Nothing was spent, and the server wants the nonce that it gave.
    Again,
    /// Nothing was spent by this request.
    Unspent(CredentialsError),
    /// There is no new pair, and this is known of the refresh token.
    Nothing(CredentialState, CredentialsError),
    /// There is one that must not be used: the session is over.
    Unwanted(TokenPair, CredentialState, CredentialsError),
}

impl Exchange {
    /// What an answer means for the credential.
    pub(super) fn judge(&self, outcome: TokenOutcome, sent_at: Timestamp, is_repeated: bool) -> Verdict {
        let now = self.shared.clock.now();
        let refused = |error| {
            self.slot.fail(now, None);
            Verdict::Unspent(error)
        };
        let ended = |reason| (CredentialState::Ended { reason, at: now }, CredentialsError::NeedsAuthorization(reason));
        match outcome {
            TokenOutcome::Refreshed(pair) => Verdict::Pair(pair),
            TokenOutcome::UseNonce if !is_repeated => Verdict::Again,
            TokenOutcome::UseNonce => self.later(None, None, None),
            TokenOutcome::Ended { cause, error } => {
                tracing::error!(event = "credential.ended", owner = %self.owner, ?cause, answer = %error);
                let (state, error) = ended(EndReason::of(cause));
                Verdict::Nothing(state, error)
            }
            TokenOutcome::Unacceptable { pair, reason } => {
                tracing::error!(event = "credential.unacceptable", owner = %self.owner, %reason);
                let (state, error) = ended(EndReason::UnacceptableAnswer);
                Verdict::Unwanted(pair, state, error)
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

    pub(super) fn later(
        &self,
        asked: Option<Timestamp>,
        answer: Option<ServerError>,
        source: Option<TransportError>,
    ) -> Verdict {
        let retry_at = self.slot.fail(self.shared.clock.now(), asked);
        Verdict::Unspent(CredentialsError::Later { retry_at, answer, source })
    }

    /// The refresh token was sent, and nobody knows what became of it.
    pub(super) fn unknown(&self, since: Timestamp, error: &(dyn Error + 'static)) -> Verdict {
        tracing::error!(event = "credential.uncertain", owner = %self.owner, error = %Causes(error));
        Verdict::Nothing(CredentialState::Uncertain { since }, CredentialsError::Uncertain { since })
    }
}
