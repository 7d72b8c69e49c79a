//! The conformance suite itself is proved: each of many faulty stores is caught by the promise that it breaks.

mod faults;
mod found;
mod steps;
mod store;
mod sweeps;

use keyward::store::grants::conformance;

use crate::support::complaint::complaint_in_the_end;
use faults::FAULTS;
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
        let check = || async {
            let store = Store::new(Some(*fault));
            conformance::check(&store, promise).await;
        };
        match complaint_in_the_end(check).await {
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
