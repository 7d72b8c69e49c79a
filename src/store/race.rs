//! Futures that race on threads, for the conformance suites.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Barrier;
use std::task::{Context, Poll};
use std::thread;

/// Runs all of them at once, each on a thread of its own whenever it can go on, and waits for the last: futures that
/// take turns on one thread never race in a store that blocks. `enter` calls what it is given where the futures can be
/// polled, such as in a runtime.
pub(super) async fn race<'f, T: Send + 'f>(
    enter: impl Fn(&mut dyn FnMut()) + Sync,
    racers: impl Iterator<Item = impl Future<Output = T> + Send + 'f>,
) -> Vec<T> {
    let mut racers: Vec<Racer<'f, T>> = racers.map(|racer| Racer::Running(Box::pin(racer))).collect();
    poll_fn(move |context| {
        let waker = context.waker();
        let running: Vec<_> = racers.iter_mut().filter(|racer| matches!(racer, Racer::Running(_))).collect();
        let start = &Barrier::new(running.len());
        thread::scope(|scope| {
            let poll = |racer: &'_ mut Racer<'f, T>| {
                start.wait();
                enter(&mut || racer.poll(&mut Context::from_waker(waker)));
            };
            let threads: Vec<_> = running.into_iter().map(|racer| scope.spawn(move || poll(racer))).collect();
            for thread in threads {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            }
        });
        if racers.iter().any(|racer| matches!(racer, Racer::Running(_))) {
            return Poll::Pending;
        }
        Poll::Ready(racers.drain(..).filter_map(Racer::result).collect())
    })
    .await
}

enum Racer<'f, T> {
    Running(Pin<Box<dyn Future<Output = T> + Send + 'f>>),
    Finished(T),
}

impl<T> Racer<'_, T> {
    fn poll(&mut self, context: &mut Context<'_>) {
        if let Self::Running(running) = self
            && let Poll::Ready(result) = running.as_mut().poll(context)
        {
            *self = Self::Finished(result);
        }
    }

    fn result(self) -> Option<T> {
        match self {
            Self::Running(_) => None,
            Self::Finished(result) => Some(result),
        }
    }
}
