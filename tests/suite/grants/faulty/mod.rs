//! The conformance suite itself is proved: each of many faulty stores is caught by the promise that it breaks.

mod faults;
mod found;
mod steps;
mod store;
mod sweeps;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use keyward::store::grants::conformance;

use faults::{FAULTS, Fault};
use store::Store;

#[tokio::test]
async fn a_store_without_a_fault_keeps_every_promise() {
    conformance::run(&Store::new(None)).await;
}

#[tokio::test]
async fn every_faulty_store_is_caught_by_the_promise_that_it_breaks() {
    let mut missed = Vec::new();
    for (fault, promise) in FAULTS {
        assert!(conformance::PROMISES.contains(promise), "{promise}");
        match complaint(*fault, promise).await {
            Some(complaint) if complaint.contains(&format!("the promise `{promise}` is broken")) => {}
            other => missed.push(format!("{fault:?} under {promise}: {other:?}")),
        }
    }
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}

#[test]
fn every_promise_has_a_store_that_breaks_it() {
    let is_proved = |promise: &&&str| FAULTS.iter().any(|(_, broken)| *broken == **promise);
    let unproved: Vec<_> = conformance::PROMISES.iter().filter(|promise| !is_proved(promise)).collect();
    assert!(unproved.is_empty(), "no faulty store breaks {unproved:?}");
}

/// What the suite says about one promise of a store; `None` when it is kept.
async fn complaint(fault: Fault, promise: &str) -> Option<String> {
    let store = Store::new(Some(fault));
    let mut check = pin!(conformance::check(&store, promise));
    let checked = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(None),
        Err(panic) => Poll::Ready(Some(panic)),
    });
    let panic = checked.await?;
    Some(panic.downcast_ref::<String>().map_or_else(|| "a panic without a message".to_owned(), Clone::clone))
}
