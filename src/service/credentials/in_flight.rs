//! How many exchanges are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Counts exchanges, and wakes whoever waits for their end.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    count: AtomicUsize,
    ended: Notify,
}

/// One exchange; it has ended when this is dropped, also by a panic.
#[derive(Debug)]
pub(super) struct Flight(Arc<InFlight>);

impl InFlight {
    pub(super) fn begin(self: &Arc<Self>) -> Flight {
        self.count.fetch_add(1, Ordering::Relaxed);
        Flight(Arc::clone(self))
    }

    /// Waits for the end of all of them, and returns how many there are after the given time.
    pub(super) async fn wait(&self, at_most: Duration) -> usize {
        let all = async {
            loop {
                let ended = self.ended.notified();
                if self.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                ended.await;
            }
        };
        let _ = tokio::time::timeout(at_most, all).await;
        self.count.load(Ordering::Acquire)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Release);
        self.0.ended.notify_waiters();
    }
}
