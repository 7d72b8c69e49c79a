//! What races are made of: starting together, and abandoning a call at each of the points where it waits.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::support::{Fixture, TestSchema};
use keyward::Keys;

/// How many callers race for one change.
pub(crate) const RACERS: usize = 16;

/// Over how many stores of their own they do.
pub(crate) const PROCESSES: usize = 4;

/// Runs all `racers` on threads of their own, which begin at the same moment, and returns what they return, in their
/// order.
pub(crate) async fn race<R, C>(racers: impl IntoIterator<Item = R>) -> Vec<C::Output>
where
    R: FnOnce() -> C + Send + 'static,
    C: Future<Output: Send + 'static>,
{
    let racers: Vec<_> = racers.into_iter().collect();
    let start = Arc::new(Barrier::new(racers.len()));
    let mut running = JoinSet::new();
    for (lane, racer) in racers.into_iter().enumerate() {
        let start = Arc::clone(&start);
        running.spawn_blocking(move || {
            start.wait();
            (lane, Handle::current().block_on(racer()))
        });
    }
    let mut finished = running.join_all().await;
    finished.sort_by_key(|(lane, _)| *lane);
    finished.into_iter().map(|(_, output)| output).collect()
}

/// Several processes over the same database.
pub(crate) async fn processes<S: TestSchema>(fixture: &Fixture<S>) -> Vec<Keys<S>> {
    let mut processes = Vec::with_capacity(PROCESSES);
    for _ in 0..PROCESSES {
        processes.push(fixture.another_process().await);
    }
    processes
}

/// When a call is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Abandon {
    /// At once, after this many polls: what it waits for has only just begun.
    After(usize),
    /// As it would be polled once more: what it waits for has come, and it does not know yet.
    BeforeNextThan(usize),
}

impl Abandon {
    /// Both ways at the `polls`th point.
    pub(crate) const fn at(polls: usize) -> [Self; 2] {
        [Self::After(polls), Self::BeforeNextThan(polls)]
    }
}

/// Runs `call` until it is to be abandoned, and drops it then; `Some` when it has ended before.
pub(crate) async fn abandon<C: Future>(call: C, when: Abandon) -> Option<C::Output> {
    let mut call = pin!(call);
    let mut polls = 0;
    poll_fn(|context| {
        if matches!(when, Abandon::BeforeNextThan(most) if polls == most) {
            return Poll::Ready(None);
        }
        polls += 1;
        match call.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if matches!(when, Abandon::After(most) if polls == most) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
