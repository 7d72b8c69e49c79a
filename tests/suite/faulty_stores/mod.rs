//! The conformance suite itself is proved: each of many faulty stores is caught by the promise that it breaks.

mod faults;
mod filter;
mod list;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use keyward::key::OwnerId;
use keyward::schemas::scraper::Scraper;
use keyward::schemas::standard::Standard;
use keyward::store::KeyStore;
use keyward::store::conformance::{self, Subject};

use crate::support::TestSchema;
use crate::support::complaint::complaint_in_the_end;
use faults::{FAULTS, Fault};
use list::ListStore;

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
        Some(Arc::new(Self::reopen(self, S::schema())))
    }
}

/// What a promise says about the store with this fault, over the schema in which it shows: where versions are counted,
/// they give some changes away.
async fn complaint_of(fault: Fault, promise: &str) -> Option<String> {
    match fault {
        Fault::RotationIgnoresTheExpiry | Fault::RotationTakesDeadKeys => {
            complaint_over(Scraper::schema, fault, promise).await
        }
        _ => complaint_over(Standard::schema, fault, promise).await,
    }
}

async fn complaint_over<S: TestSchema>(schema: fn() -> S, fault: Fault, promise: &str) -> Option<String> {
    complaint_in_the_end(|| async move {
        let store = ListStore::new(schema(), Some(fault));
        conformance::check(&store, promise).await;
    })
    .await
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
