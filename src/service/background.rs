//! Futures that a host runs and can stop.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Waits for one of two futures, and says whether it was the first.
pub(super) async fn is_first(
    mut one: impl Future<Output = ()> + Unpin,
    mut other: impl Future<Output = ()> + Unpin,
) -> bool {
    poll_fn(|context| {
        if Pin::new(&mut one).poll(context).is_ready() {
            return Poll::Ready(true);
        }
        Pin::new(&mut other).poll(context).map(|()| false)
    })
    .await
}
