//! Batches: functions that take a step so many times and say how long that took.

use std::future::Future;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// A step that needs no runtime.
pub fn step<T>(mut step: impl FnMut() -> T) -> impl FnMut(u64) -> Duration {
    move |steps| {
        let start = now();
        for _ in 0..steps {
            black_box(step());
        }
        start.elapsed()
    }
}

/// An asynchronous step, one after the other on this thread.
pub fn async_step<T>(runtime: &Runtime, mut step: impl AsyncFnMut() -> T) -> impl FnMut(u64) -> Duration {
    move |steps| {
        runtime.block_on(async {
            let start = now();
            for _ in 0..steps {
                black_box(step().await);
            }
            start.elapsed()
        })
    }
}

/// Steps that `tasks` tasks share; a task gets the number of steps that it has to take. The time of a step is that in
/// which any one of the tasks completes one.
pub fn tasks<F>(runtime: &Runtime, tasks: u64, task: impl Fn(u64) -> F) -> impl FnMut(u64) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    move |steps| {
        let share = steps.div_ceil(tasks);
        let elapsed = runtime.block_on(async {
            let start = now();
            let running: JoinSet<()> = (0..tasks).map(|_| task(share)).collect();
            running.join_all().await;
            start.elapsed()
        });
        // The last few steps are as many for each.
        elapsed.mul_f64(ratio(steps, share * tasks))
    }
}

/// Steps that each of `threads` threads takes: the time of a step is that of one thread, so that it stays the same as
/// long as no thread holds up another. A thread is given its number and the number of its steps.
pub fn threads(threads: usize, steps_of: impl Fn(usize, u64) + Sync) -> impl FnMut(u64) -> Duration {
    move |steps| {
        let together = Barrier::new(threads);
        thread::scope(|scope| {
            let start = |thread| {
                let (steps_of, together) = (&steps_of, &together);
                scope.spawn(move || {
                    together.wait();
                    let start = now();
                    steps_of(thread, steps);
                    start.elapsed()
                })
            };
            let running: Vec<_> = (0..threads).map(start).collect();
            let times = running.into_iter().map(|thread| thread.join().unwrap_or_default());
            times.max().unwrap_or_default()
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 steps")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[expect(clippy::disallowed_methods, reason = "a benchmark needs a clock that nobody injects")]
fn now() -> Instant {
    Instant::now()
}
