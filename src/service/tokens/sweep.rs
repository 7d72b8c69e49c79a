//! Removing what nobody can use any more.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::service::Tokens;
use crate::service::background::is_first;
use crate::service::tokens::TokensError;
use crate::store::grants::{SweepRequest, Swept};
use crate::visible::Causes;

/// How many rows of each kind are removed in one transaction.
const SWEPT_AT_ONCE: u32 = 1_000;
/// After failures, the pause grows to so many times the interval.
const LONGEST_PAUSE: u32 = 8;
/// Looking more often than this would be looking all the time.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

impl Tokens {
    /// Removes codes, tokens and grants that nobody can use any more, in short transactions until none is left; with
    /// `clients_unused_for`, also clients that have been idle for so long and have no grant.
    ///
    /// A refresh token that is good stays, and so does what is needed to recognise a replay.
    ///
    /// # Errors
    /// [`TokensError::Store`]; what was removed before stays removed.
    pub async fn sweep(&self, clients_unused_for: Option<Duration>) -> Result<Swept, TokensError> {
        let mut swept = Swept::default();
        loop {
            let mut request = SweepRequest::new(self.second(), SWEPT_AT_ONCE);
            request.clients_unused_since = clients_unused_for.map(|unused| self.second().saturating_sub(unused));
            let more = self.shared.store.sweep(&request).await?;
            swept += more;
            if more.most() < u64::from(SWEPT_AT_ONCE) {
                return Ok(swept);
            }
        }
    }

    /// Every `every`, [sweeps](Self::sweep), until `shutdown` is ready. It begins at once and survives whatever goes wrong:
    /// it says so once in the log, and again when it is over, and waits longer meanwhile.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn run(tokens: keyward::service::Tokens) {
    /// let month = Duration::from_secs(30 * 24 * 3600);
    /// tokens.keep_swept(Duration::from_secs(60), Some(month), async { tokio::signal::ctrl_c().await.unwrap() }).await;
    /// # }
    /// ```
    pub async fn keep_swept(
        &self,
        every: Duration,
        clients_unused_for: Option<Duration>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let mut shutdown = pin!(shutdown);
        let every = every.max(SHORTEST_INTERVAL);
        let mut failures = 0;
        loop {
            let sweep = async { failures = self.sweep_and_log(clients_unused_for, failures).await };
            if is_first(&mut shutdown, pin!(sweep)).await {
                return;
            }
            let pause = every.saturating_mul(2_u32.saturating_pow(failures).min(LONGEST_PAUSE));
            if timeout(pause, &mut shutdown).await.is_ok() {
                return;
            }
        }
    }

    /// Logs the first failure of several, and the end of them; returns how many there were in a row.
    async fn sweep_and_log(&self, clients_unused_for: Option<Duration>, failures: u32) -> u32 {
        match self.sweep(clients_unused_for).await {
            Ok(swept) => {
                if failures > 0 {
                    tracing::info!(event = "tokens.sweep_resumed", failures);
                }
                if swept.most() > 0 {
                    let Swept { codes, access_tokens, refresh_tokens, grants, clients } = swept;
                    tracing::info!(event = "tokens.swept", codes, access_tokens, refresh_tokens, grants, clients);
                }
                0
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(event = "tokens.not_swept", error = %Causes(&error), "said once until it is over");
                }
                failures.saturating_add(1)
            }
        }
    }
}
