//! The conformance suite itself is proved: each of many faulty stores is caught by the promise that it breaks.

mod faults;
mod filter;
mod store;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use keyward::key::OwnerId;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::store::KeyStore;
use keyward::store::conformance::{self, Subject};

use crate::support::TestSchema;
use faults::{FAULTS, Fault};
use store::ListStore;

#[async_trait]
impl<S: TestSchema> Subject for ListStore<S> {
    type Schema = S;

    fn store(&self) -> &dyn KeyStore<Schema = S> {
        self
    }

    async fn add_owner(&self, _owner: &OwnerId) {}

    fn details(&self) -> Vec<S::Details> {
        S::samples()
    }

    async fn reopen(&self) -> Option<Arc<dyn KeyStore<Schema = S>>> {
        Some(Arc::new(ListStore::reopen(self, S::schema())))
    }
}

/// What the suite says about a store with this fault; `None` when it finds nothing.
async fn complaint<S: TestSchema>(fault: Option<Fault>, promise: &str) -> Option<String> {
    let store = ListStore::new(S::schema(), fault);
    let mut check = pin!(conformance::check(&store, promise));
    let checked = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(None),
        Err(panic) => Poll::Ready(Some(panic)),
    });
    let panic = checked.await?;
    Some(panic.downcast_ref::<String>().map_or_else(|| "no message".to_owned(), Clone::clone))
}

/// As [`complaint`], over the schema in which the fault shows: where versions are counted, they give the
/// change away.
async fn complaint_of(fault: Fault, promise: &str) -> Option<String> {
    match fault {
        Fault::RotationIgnoresTheExpiry | Fault::RotationTakesDeadKeys => {
            complaint::<Scraper>(Some(fault), promise).await
        }
        _ => complaint::<Standard>(Some(fault), promise).await,
    }
}

#[tokio::test]
async fn a_store_without_a_fault_keeps_every_promise() {
    conformance::run(&ListStore::new(Standard::schema(), None)).await;
    conformance::run(&ListStore::new(Scraper::schema(), None)).await;
}

#[tokio::test]
async fn every_faulty_store_is_caught_by_the_promise_that_it_breaks() {
    assert!(FAULTS.len() >= 40, "there are only {} faults", FAULTS.len());
    let mut missed = Vec::new();
    for (fault, promise) in FAULTS {
        match complaint_of(*fault, promise).await {
            None => missed.push(format!("{fault:?} passes {promise}")),
            Some(message) => {
                let says = format!("the store breaks its promise: {}\n", promise.replace('_', " "));
                if !message.starts_with(&says) {
                    missed.push(format!("{fault:?} is caught with other words: {message}"));
                }
            }
        }
    }
    assert!(missed.is_empty(), "the suite misses:\n{}", missed.join("\n"));
}

/// A promise that no faulty store breaks would prove nothing.
#[test]
fn every_promise_is_broken_by_a_faulty_store() {
    let is_broken = |promise: &&&str| FAULTS.iter().any(|(_, broken)| broken == *promise);
    let unproved: Vec<_> = conformance::PROMISES.iter().filter(|promise| !is_broken(promise)).collect();
    assert!(unproved.is_empty(), "{unproved:?}");
}

#[tokio::test]
async fn a_complaint_says_in_words_what_was_promised_and_what_was_found() {
    let message = complaint_of(Fault::LastUseMovesBack, "last_use_moves_forward_only").await.unwrap();
    let says = [
        "the store breaks its promise: last use moves forward only",
        "  namely:   an earlier use is not written",
        "  expected: 0",
        "  found:    2",
    ];
    assert_eq!(message, says.join("\n"));
}
