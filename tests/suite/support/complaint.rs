//! What a conformance suite says of a store.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What a check complains of; `None` when the promise is kept.
pub(crate) async fn complaint(check: impl Future<Output = ()>) -> Option<String> {
    let mut check = pin!(check);
    let checked = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(None),
        Err(panic) => Poll::Ready(Some(panic)),
    });
    let panic = checked.await?;
    Some(panic.downcast_ref::<String>().map_or_else(|| "a panic without a message".to_owned(), Clone::clone))
}

/// What a check complains of in one of a few attempts. On a busy machine, those who are to meet in a race may miss each other.
pub(crate) async fn complaint_in_the_end<C: Future<Output = ()>>(check: impl Fn() -> C) -> Option<String> {
    for _ in 0..5 {
        if let Some(complaint) = complaint(Box::pin(check())).await {
            return Some(complaint);
        }
    }
    None
}
