//! Refreshing in the background, as a future that the host runs and can stop.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::service::background::is_first;
use crate::service::credentials::{Credentials, RefreshReport};
use crate::visible::Causes;

/// Looking more often than this would be looking all the time.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

impl Credentials {
    /// Every `every`, refreshes all credentials whose access token expires within `ahead`, until `shutdown` is ready. Refreshes
    /// that have begun go on after that.
    ///
    /// It begins at once, survives whatever goes wrong, and says it in the log. With `every` shorter than `ahead`, callers of
    /// [`access_token`](Self::access_token) hardly ever wait for a server. After it, [`settle`](Self::settle).
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn run(credentials: keyward::service::Credentials) {
    /// let (every, ahead) = (Duration::from_secs(300), Duration::from_secs(1_200));
    /// credentials.keep_fresh(every, ahead, async { tokio::signal::ctrl_c().await.unwrap() }).await;
    /// credentials.settle(Duration::from_secs(30)).await;
    /// # }
    /// ```
    pub async fn keep_fresh(&self, every: Duration, ahead: Duration, shutdown: impl Future<Output = ()> + Send) {
        let mut shutdown = pin!(shutdown);
        let every = every.max(SHORTEST_INTERVAL);
        loop {
            let sweep = async {
                match self.refresh_expiring(self.now().saturating_add(ahead)).await {
                    Ok(report) => log(&report),
                    Err(error) => tracing::warn!(event = "credentials.not_listed", error = %Causes(&error)),
                }
            };
            if is_first(&mut shutdown, pin!(sweep)).await || timeout(every, &mut shutdown).await.is_ok() {
                return;
            }
        }
    }
}

fn log(report: &RefreshReport) {
    let RefreshReport { refreshed, still_valid, needs_authorization, uncertain, failed, .. } = report;
    let (needs_authorization, uncertain) = (needs_authorization.len(), uncertain.len());
    tracing::info!(
        event = "credentials.swept",
        refreshed,
        still_valid,
        needs_authorization,
        uncertain,
        failed = failed.len()
    );
    for (owner, error) in failed {
        tracing::warn!(event = "credential.not_refreshed", %owner, error = %Causes(error));
    }
}
