//! Being told that it is worth to look: PostgreSQL's notifications.

use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use crate::sql::engine::postgres::Postgres;

/// Listens on a connection of its own, beside the host's pool, and makes a new one when that is lost. It may miss
/// anything: what it tells is only that it is worth to look.
pub(crate) struct Listener {
    options: PgConnectOptions,
    channel: &'static str,
    state: State,
}

enum State {
    Off,
    Connecting(Pin<Box<dyn Future<Output = Result<PgListener, sqlx::Error>> + Send>>),
    On(Box<PgListener>),
}

impl Postgres {
    pub(crate) fn listener(&self, channel: &'static str) -> Listener {
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        Listener { options, channel, state: State::Off }
    }
}

impl Listener {
    /// Returns when there was a notification, or may have been one. It can be dropped at any time, and goes on with the
    /// next call.
    pub(crate) async fn wait(&mut self) {
        loop {
            match &mut self.state {
                State::Off => self.state = State::Connecting(Box::pin(connect(self.options.clone(), self.channel))),
                State::Connecting(connecting) => match connecting.await {
                    Ok(listener) => {
                        self.state = State::On(Box::new(listener));
                        // What was told before it listened is not told again.
                        return;
                    }
                    Err(error) => {
                        tracing::debug!(event = "changes.not_told", %error, "they are asked for at an interval");
                        self.state = State::Off;
                        // Whoever waits comes back after a while.
                        return pending().await;
                    }
                },
                State::On(listener) => {
                    if !matches!(listener.try_recv().await, Ok(Some(_))) {
                        self.state = State::Off;
                        continue;
                    }
                    while listener.next_buffered().is_some() {}
                    return;
                }
            }
        }
    }
}

async fn connect(options: PgConnectOptions, channel: &'static str) -> Result<PgListener, sqlx::Error> {
    // Without what would have sqlx look after it in a task of its own.
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(channel).await?;
    Ok(listener)
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options show how it connects, password and all.
        f.debug_struct("Listener").field("is_on", &matches!(self.state, State::On(_))).finish_non_exhaustive()
    }
}
