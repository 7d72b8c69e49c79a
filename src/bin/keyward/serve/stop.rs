//! The signals that end a server.

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether somebody has asked the server to stop.
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// From now on, SIGTERM and an interrupt are such a request, and end nothing by themselves.
    pub(super) fn on_signals() -> io::Result<Self> {
        let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (stop, stopped) = watch::channel(false);
        #[expect(clippy::disallowed_methods, reason = "a program is its own host")]
        tokio::spawn(async move {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            stop.send_replace(true);
        });
        Ok(Self(stopped))
    }

    /// Waits until somebody asks.
    pub(super) fn asked(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopped = self.0.clone();
        async move {
            // Whoever could ask is gone: it stops as well.
            drop(stopped.wait_for(|stop| *stop).await);
        }
    }
}
